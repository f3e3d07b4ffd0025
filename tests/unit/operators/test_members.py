"""The members of CreateImage: one list, in the request, the operator, the task group and the schema."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest
from airflow.sdk import DAG, TaskGroup
from typing_extensions import Unpack

from airflow_imagebuilder import ImageBuilderCreateImageOperator, ImageRequest, Workflow
from airflow_imagebuilder.operators.arguments.keywords import SubmittingArguments
from airflow_imagebuilder.service.errors import InvalidRequestError
from airflow_imagebuilder.service.request.schema import MEMBERS, CreateImageMembers
from airflow_imagebuilder.task_groups.arguments import GroupArguments

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = "arn:aws:imagebuilder:us-east-1:123456789012"
RECIPE = f"{HERE}:image-recipe/golden/1.0.0"
SET: dict[str, Any] = {
    "infrastructure_configuration_arn": f"{HERE}:infrastructure-configuration/build",
    "distribution_configuration_arn": f"{HERE}:distribution-configuration/golden",
    "image_tests_configuration": {"timeoutMinutes": 60},
    "enhanced_image_metadata_enabled": False,
    "image_scanning_configuration": {"imageScanningEnabled": False},
    "workflows": [{"workflowArn": f"{HERE}:workflow/build/b/1.0.0/1"}],
    "execution_role": "ImageBuilderExecution",
    "logging_configuration": {"logGroupName": "/aws/imagebuilder/golden"},
    "tags": {"team": "platform"},
}


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d", schedule=None) as dag:
        yield dag


def members(operator: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(operator, name) for name in names}


def test_default_args_of_the_dag_set_every_member() -> None:
    with DAG("d", schedule=None, default_args=SET):
        operator = ImageBuilderCreateImageOperator(task_id="t", image_recipe_arn=RECIPE)
    assert members(operator, *SET) == SET
    assert set(SET) < set(operator.template_fields)


def test_default_args_of_a_task_group_set_a_member_and_an_argument_overrides_it(dag: DAG) -> None:
    of_group: Any = SET
    with TaskGroup("fleet", default_args=of_group):
        operator = ImageBuilderCreateImageOperator(task_id="t", image_recipe_arn=RECIPE, tags={"a": "b"})
    assert members(operator, *SET) == {**SET, "tags": {"a": "b"}}


def test_a_wrong_member_in_default_args_is_refused(dag: DAG) -> None:
    wrong: Any = {**SET, "tags": {}}
    with TaskGroup("fleet", default_args=wrong), pytest.raises(InvalidRequestError) as caught:
        ImageBuilderCreateImageOperator(task_id="t", image_recipe_arn=RECIPE)
    assert [fault.field for fault in caught.value.faults] == ["tags"]


@pytest.mark.parametrize("name", SET)
def test_partial_and_expand_take_every_member(dag: DAG, name: str) -> None:
    rest: Any = {key: value for key, value in SET.items() if key != name}
    partial: Any = ImageBuilderCreateImageOperator.partial(task_id="t", image_recipe_arn=RECIPE, **rest)
    made = partial.expand(**{name: [SET[name]]}).unmap({name: SET[name]})
    assert members(made, *SET) == SET


def test_partial_takes_members_of_default_args() -> None:
    with DAG("d", schedule=None, default_args=SET):
        mapped = ImageBuilderCreateImageOperator.partial(task_id="t").expand(image_recipe_arn=[RECIPE])
    assert members(mapped.unmap({"image_recipe_arn": RECIPE}), *SET) == SET


# -- one list ----------------------------------------------------------------------------------------------

TYPES = get_type_hints(CreateImageMembers)


def test_the_operator_takes_the_members_of_the_list_with_their_types() -> None:
    taken = inspect.signature(ImageBuilderCreateImageOperator.__init__).parameters
    others = {"Unpack": Unpack, "SubmittingArguments": SubmittingArguments}
    types = get_type_hints(ImageBuilderCreateImageOperator.__init__, localns=others)
    assert {name: types[name] for name in taken if name in MEMBERS} == TYPES
    assert all(taken[name].default is None for name in MEMBERS)


def test_the_schema_and_the_request_have_the_members_of_the_list_in_one_order() -> None:
    assert set(MEMBERS) == set(TYPES)
    assert list(ImageRequest.__dataclass_fields__) == list(MEMBERS)


@pytest.mark.parametrize("name", [name for name in MEMBERS if name != "workflows"])
def test_the_request_holds_what_the_list_takes_except_for_texts_of_structures(name: str) -> None:
    given, held = set(get_args(TYPES[name])), set(get_args(get_type_hints(ImageRequest)[name]))
    assert given - held == ({str} if str not in held else set())
    assert held <= given


def test_the_request_holds_workflows() -> None:
    assert get_type_hints(ImageRequest)["workflows"] == tuple[Workflow, ...]


def test_the_task_group_takes_the_list_without_workflows_and_the_arguments_of_airflow() -> None:
    taken = set(GroupArguments.__annotations__)
    assert taken & set(MEMBERS) == set(MEMBERS) - {"workflows"}
    assert taken >= set(inspect.signature(TaskGroup.__init__).parameters) - {"self", "group_id"}
