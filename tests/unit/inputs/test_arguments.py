"""The names of arguments: misspelt ones are refused with the name that was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageRequest,
    TestGroup,
    Workflow,
)
from airflow_imagebuilder.operators.arguments import unknown_arguments
from airflow_imagebuilder.service.errors import InvalidRequestError
from tests.support.inputs import (
    BASE,
    BOOT,
    bake,
    create,
    guard,
    monitor,
    refused,
    start,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import DAG

MISSPELT: list[tuple[Callable[..., Any], str, str]] = [
    (create, "workflow", "did you mean workflows?"),
    (create, "image_receipe_arn", "did you mean image_recipe_arn?"),
    (create, "imageRecipeArn", "did you mean image_recipe_arn?"),
    (create, "poll_intervall", "did you mean poll_interval?"),
    (create, "regionname", "did you mean region_name?"),
    (create, "retires", "did you mean retries?"),
    (create, "test_groups", "list the tests in workflows"),
    (create, "client_token", "the sender of the request makes the token"),
    (create, "xyz", "leave it out"),
    (create, "pipeline_arn", "start it with ImageBuilderStartPipelineOperator"),
    (create, "image_pipeline_arn", "start it with ImageBuilderStartPipelineOperator"),
    (create, "pipeline_arn", "start it with ImageBuilderStartPipelineOperator"),
    (start, "image_pipeline_arn", "give it as pipeline_arn"),
    (start, "pipelin_arn", "did you mean pipeline_arn?"),
    (start, "image_recipe_arn", "a pipeline takes no overrides: change the pipeline itself"),
    (start, "workflows", "a pipeline takes no overrides"),
    (start, "test_groups", "a pipeline takes no overrides"),
    (start, "run_tests", "a pipeline takes no overrides"),
    (guard, "on_rety", "did you mean on_retry?"),
    (monitor, "workflow_typ", "did you mean workflow_type?"),
    (bake, "workflows", "give them as build_workflow, test_groups and distribution_workflow"),
    (bake, "test_group", "did you mean test_groups?"),
    (bake, "image_receipe_arn", "did you mean image_recipe_arn?"),
    (bake, "retries", "it belongs to tasks: write default_args={'retries': 5}"),
    (bake, "tool_tip", "did you mean tooltip?"),
    (bake, "task_id", "give group_id"),
    (bake, "image_pipeline_arn", "give it as pipeline_arn"),
    (bake, "xyz", "leave it out"),
]


@pytest.mark.parametrize(("make", "name", "remedy"), MISSPELT)
def test_a_misspelt_argument_is_refused_with_the_one_that_was_meant(
    dag: DAG, make: Callable[..., Any], name: str, remedy: str
) -> None:
    options: dict[str, Any] = {name: 5}
    if (make, name) == (create, "task_id"):
        options = {}
    line = refused(make, **options)
    assert line.startswith(f"{name}: got 5; allowed: ")
    assert remedy in line


def test_a_misspelt_argument_of_partial_is_refused_too(dag: DAG) -> None:
    partial = ImageBuilderCreateImageOperator.partial
    assert "did you mean image_recipe_arn?" in refused(partial, task_id="t", image_receipe_arn="x")
    assert refused(partial, task_id="t", poll_interval="30s").startswith("poll_interval: got '30s'")
    assert refused(partial, task_id="t", tags={}).startswith("tags: got {}")


def test_partial_still_maps(dag: DAG) -> None:
    infrastructure = {"infrastructure_configuration_arn": BASE["infrastructure_configuration_arn"]}
    mapped = ImageBuilderCreateImageOperator.partial(task_id="m", retries=2, **infrastructure).expand(
        image_recipe_arn=[BASE["image_recipe_arn"]]
    )
    made = mapped.unmap({"image_recipe_arn": BASE["image_recipe_arn"]})
    assert (made.image_recipe_arn, made.retries) == (BASE["image_recipe_arn"], 2)


def test_every_argument_of_airflow_passes() -> None:
    import inspect

    from airflow.sdk import BaseOperator

    names = {
        name for name in inspect.signature(BaseOperator.__init__).parameters if name not in ("self", "kwargs")
    }
    assert not list(unknown_arguments(ImageBuilderCreateImageOperator, dict.fromkeys(names)))


def test_an_operator_that_a_user_derives_keeps_its_arguments() -> None:
    class Own(ImageBuilderCreateImageOperator):
        def __init__(self, *, colour: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.colour = colour

    assert Own(task_id="t", colour="red", **BASE).colour == "red"
    assert "did you mean colour?" in refused(Own, task_id="t", colour="red", color="red", **BASE)


@pytest.mark.parametrize("cls", [TestGroup, Workflow, ImageRequest])
def test_a_misspelt_argument_of_a_record_is_refused(cls: Any) -> None:
    with pytest.raises(InvalidRequestError, match=rf"(?s){cls.__name__}.*xyz: got 5; allowed: "):
        cls(xyz=5)
    assert "did you mean parallel_group?" in refused(Workflow, BOOT.arn, parallelGroup="a")


@pytest.mark.parametrize(
    ("cls", "given"), [(TestGroup, ["a"]), (Workflow, []), (Workflow, ["a", {}]), (ImageRequest, ["a"])]
)
def test_an_argument_too_few_or_too_many_is_refused(cls: Any, given: list[Any]) -> None:
    assert refused(cls, *given).startswith("arguments: got (")


# -- guard_args --------------------------------------------------------------------------------------------

NOT_FOR_THE_GUARD: list[tuple[str, Any, str]] = [
    ("pol", "image_builder", "did you mean pool?"),
    ("retires", 2, "did you mean retries?"),
    ("xyz", 2, "leave it out"),
    ("task_id", "submit", "the group names its tasks: give it a group_id"),
    ("trigger_rule", "all_done", "write trigger_rule=... beside guard_args"),
    ("timeout", 60, "write timeout=... beside guard_args"),
    ("aws_conn_id", "fleet", "write aws_conn_id=... beside guard_args"),
    ("outlets", [], "write outlets=... beside guard_args"),
    ("image_recipe_arn", "x", "write image_recipe_arn=... beside guard_args"),
    ("workflows", [], "give the group build_workflow, test_groups and distribution_workflow"),
    ("wait_for_completion", True, "the first task submits and image waits"),
    ("do_xcom_push", False, "the other tasks of the group read what these two push"),
    ("default_args", {}, "give default_args to the group for all of its tasks"),
    ("pool", "{{ params.pool }}", "Airflow does not render it: write it out"),
]


@pytest.mark.parametrize(("name", "value", "remedy"), NOT_FOR_THE_GUARD)
def test_what_the_guard_does_not_take_is_refused_with_the_way_out(
    dag: DAG, name: str, value: Any, remedy: str
) -> None:
    said = refused(bake, guard_args={name: value, "retries": 1})
    assert said.startswith(f"guard_args[{name!r}]")
    assert remedy in said


@pytest.mark.parametrize("given", ["{{ params.guard }}", ["pool"], 3])
def test_the_arguments_of_the_guard_are_a_mapping(dag: DAG, given: Any) -> None:
    assert "write a mapping that is known when the Dag is parsed" in refused(bake, guard_args=given)


def test_faults_of_the_guard_are_reported_with_the_others(dag: DAG) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        bake(guard_args={"pol": "a"}, timeout=3, tags={"": "x"})
    assert len(caught.value.faults) == 3
