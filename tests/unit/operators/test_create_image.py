"""The operator that bakes an image: what it refuses, renders and sends."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator
from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.operators.retry_policy import ImageBuilderRetryPolicy
from airflow_imagebuilder.service.errors import (
    InvalidRequestError,
)
from airflow_imagebuilder.service.request.image_request import FIELDS, ImageRequest
from airflow_imagebuilder.service.request.workflows import Workflow
from tests.support.arns import BOOT, BUILD, PREFIX, RECIPE
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import (
    MEMBERS,
    TESTS,
    create,
    with_hook,
)
from tests.support.task import context

# -- what is refused, and when ---------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], str]] = [
    ({"container_recipe_arn": f"{PREFIX}:container-recipe/golden/1.0.0"}, "container_recipe_arn"),
    ({"image_recipe_arn": None}, "image_recipe_arn"),
    ({"image_recipe_arn": f"{PREFIX}:container-recipe/golden/1.0.0"}, "image_recipe_arn"),
    ({"image_recipe_arn": f"{PREFIX}:image-recipe/Golden/1.0.0"}, "image_recipe_arn"),
    ({"workflows": [Workflow(BOOT)] * 11, "execution_role": "r"}, "workflows"),
    ({"workflows": [Workflow(BUILD, parallel_group="f")], "execution_role": "r"}, "parallel_group"),
    ({"workflows": [Workflow(BOOT, parallel_group="f" * 101)], "execution_role": "r"}, "parallel_group"),
    ({"workflows": [Workflow(BOOT, on_failure="IGNORE")], "execution_role": "r"}, "on_failure"),  # type: ignore[arg-type]
    ({"workflows": [Workflow(BOOT)]}, "execution_role"),
    ({"tags": {}}, "tags"),
]


@pytest.mark.parametrize(("options", "field"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_input_is_refused_at_parse(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        create(FakeImageBuilder("BUILDING"), **options)
    assert any(field in fault.field for fault in error.value.faults), error.value


def test_all_faults_are_reported_together() -> None:
    with pytest.raises(InvalidRequestError) as error:
        create(FakeImageBuilder("BUILDING"), tags={}, workflows=[Workflow(BUILD, parallel_group="f")])
    assert {fault.field for fault in error.value.faults} == {
        "tags",
        "workflows[0].parallel_group",
        "execution_role",
    }


def test_templated_members_are_refused_once_rendered_and_before_the_call() -> None:
    hook = FakeImageBuilder("BUILDING")
    operator = create(hook, image_recipe_arn="{{ params.recipe }}", tags="{{ params.tags | tojson }}")
    operator.render_template_fields({"params": {"recipe": "golden", "tags": {}}})
    with pytest.raises(InvalidRequestError) as error:
        operator.execute(context())
    assert {fault.field for fault in error.value.faults} == {"image_recipe_arn", "tags"}
    assert hook.requests == []


def test_members_without_a_template_are_checked_at_parse() -> None:
    with pytest.raises(InvalidRequestError, match="tags"):
        create(FakeImageBuilder("BUILDING"), image_recipe_arn="{{ params.recipe }}", tags={})


def test_the_output_of_another_task_makes_that_task_upstream() -> None:
    with DAG("d", schedule=None) as dag:
        first = ImageBuilderBaseOperator(task_id="first")
        create(FakeImageBuilder("BUILDING"), image_recipe_arn=first.output, tags=first.output)
    assert dag.get_task("t").upstream_task_ids == {"first"}


@pytest.mark.parametrize(
    "request_", [ImageRequest(**MEMBERS), ImageRequest(**MEMBERS).to_api()], ids=["record", "api"]
)
def test_a_request_is_spread_over_the_members(request_: Any) -> None:
    operator = ImageBuilderCreateImageOperator(task_id="t", request=request_)
    assert {name: getattr(operator, name) for name in MEMBERS} == MEMBERS


def test_a_request_and_members_at_once_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="either request or single members") as error:
        ImageBuilderCreateImageOperator(task_id="t", request=ImageRequest(**MEMBERS), image_recipe_arn=RECIPE)
    assert [fault.field for fault in error.value.faults] == ["image_recipe_arn"]


def test_a_request_that_another_task_returns_is_refused_with_the_remedy() -> None:
    with DAG("d", schedule=None):
        first = ImageBuilderBaseOperator(task_id="first")
        with pytest.raises(InvalidRequestError, match="give single members instead"):
            ImageBuilderCreateImageOperator(task_id="t", request=first.output)


def test_every_member_of_create_image_is_a_template() -> None:
    assert set(FIELDS) <= set(ImageBuilderCreateImageOperator.template_fields)


# -- templates -------------------------------------------------------------------------------------------


def test_templates_inside_workflows_are_rendered() -> None:
    hook = FakeImageBuilder("AVAILABLE")
    arn = BOOT.replace(PREFIX, "{{ params.prefix }}")
    workflows = [Workflow(arn, parameters={"level": ["{{ params.level }}"]}, parallel_group="f")]
    operator = create(hook, workflows=workflows, execution_role="r")
    operator.render_template_fields({"params": {"prefix": PREFIX, "level": "1"}})
    operator.execute(context())
    assert hook.requests[0]["workflows"] == [
        {"workflowArn": BOOT, "parallelGroup": "f", "parameters": [{"name": "level", "value": ["1"]}]}
    ]


def test_a_template_may_render_json() -> None:
    hook = FakeImageBuilder("AVAILABLE")
    operator = create(
        hook,
        tags="{{ params.tags | tojson }}",
        workflows="{{ params.workflows | tojson }}",
        execution_role="r",
        enhanced_image_metadata_enabled="{{ params.metadata }}",
    )
    params = {"tags": {"team": "a"}, "workflows": [{"workflowArn": BOOT}], "metadata": False}
    operator.render_template_fields({"params": params})
    operator.execute(context())
    (sent,) = hook.requests
    assert sent["tags"] == {"team": "a"}
    assert sent["workflows"] == [{"workflowArn": BOOT}]
    assert sent["enhancedImageMetadataEnabled"] is False


def test_a_template_that_does_not_render_to_json_is_refused_with_the_remedy() -> None:
    operator = create(FakeImageBuilder("BUILDING"), tags="{{ params.tags }}")
    operator.render_template_fields({"params": {"tags": {"team": "a"}}})
    with pytest.raises(InvalidRequestError, match="tojson"):
        operator.execute(context())


# -- run_tests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rendered",
    [["security"], "['security']", '["security"]', "security", " security ,", "'security'"],
    ids=repr,
)
def test_chosen_tests_may_be_rendered_to_text(rendered: Any) -> None:
    hook = FakeImageBuilder("AVAILABLE")
    operator = with_hook(
        ImageBuilderCreateImageOperator(task_id="t", request=TESTS, run_tests=rendered), hook
    )
    operator.execute(context())
    arns = [workflow["workflowArn"] for workflow in hook.requests[0]["workflows"]]
    assert arns == [BUILD, f"{PREFIX}:workflow/test/cis/1.0.0/1"]


def test_an_unknown_test_is_refused_before_the_call() -> None:
    hook = FakeImageBuilder("BUILDING")
    run_tests = "{{ params.tests }}"
    operator = with_hook(
        ImageBuilderCreateImageOperator(task_id="t", request=TESTS, run_tests=run_tests), hook
    )
    operator.render_template_fields({"params": {"tests": "smoke,security"}})
    with pytest.raises(InvalidRequestError, match=r"smoke.*functional, performance, security"):
        operator.execute(context())
    assert hook.requests == []


# -- mapped tasks ----------------------------------------------------------------------------------------


def test_mapped_operators_have_the_retry_policy_too() -> None:
    with DAG("d", schedule=None):
        mapped = ImageBuilderCreateImageOperator.partial(task_id="t", **MEMBERS).expand(tags=[{"a": "b"}])
    unmapped: Any = mapped.unmap({"tags": {"a": "b"}})
    assert isinstance(unmapped.retry_policy, ImageBuilderRetryPolicy)
    assert isinstance(create(FakeImageBuilder("BUILDING")).retry_policy, ImageBuilderRetryPolicy)


def test_the_retry_policy_of_the_dag_replaces_the_default_for_mapped_operators_too() -> None:
    class Own(ImageBuilderRetryPolicy):
        """A user's policy."""

    own = Own()
    with DAG("d", schedule=None):
        mapped = ImageBuilderCreateImageOperator.partial(task_id="t", retry_policy=own, **MEMBERS)
        unmapped: Any = mapped.expand(tags=[{"a": "b"}]).unmap({"tags": {"a": "b"}})
    with DAG("e", schedule=None, default_args={"retry_policy": own}):
        by_default = create(FakeImageBuilder("BUILDING"))
    assert unmapped.retry_policy is own
    assert by_default.retry_policy is own
    assert create(FakeImageBuilder("BUILDING"), retry_policy=own).retry_policy is own
