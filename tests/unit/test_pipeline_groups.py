"""A task group that starts a pipeline: the graph that it draws, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, Asset

from airflow_imagebuilder import (
    ImageBuilderMonitorWorkflowOperator,
    ImageBuilderStartPipelineOperator,
    ImageBuilderTaskGroup,
    PipelineRequest,
    TestGroup,
    Workflow,
)
from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator
from airflow_imagebuilder.service.errors import InvalidRequestError
from tests.support.airflow_names import serialized
from tests.support.arns import BOOT, BUILD, CIS, INFRASTRUCTURE, PIPELINE, PREFIX, RECIPE, USERS

if TYPE_CHECKING:
    from collections.abc import Iterator

FUNCTIONAL = TestGroup("functional", (Workflow(BOOT), Workflow(USERS)))


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d", schedule=None) as dag:
        yield dag


def run(*groups: TestGroup | Workflow, **options: Any) -> ImageBuilderTaskGroup:
    return ImageBuilderTaskGroup("g", **{"pipeline_arn": PIPELINE, "test_groups": groups, **options})


def edges(dag: DAG) -> set[tuple[str, str]]:
    return {(t.task_id, below) for t in dag.tasks for below in t.downstream_task_ids}


def fields(**options: Any) -> list[str]:
    """Return the fields of the faults of a group that is refused."""
    with DAG("refused", schedule=None), pytest.raises(InvalidRequestError) as error:
        run(**options)
    return [fault.field for fault in error.value.faults]


def test_an_empty_pipeline_arn_is_named_where_the_request_lacks_something() -> None:
    assert "pipeline_arn" in fields(pipeline_arn=" ")
    assert "pipeline_arn" not in fields(pipeline_arn=None)


def test_the_graph_is_that_of_create_image_with_another_first_task(dag: DAG) -> None:
    run(FUNCTIONAL, Workflow(CIS), build_workflow=Workflow(BUILD))
    assert edges(dag) == {
        ("g.start_pipeline", "g.image"),
        ("g.start_pipeline", "g.build"),
        ("g.build", "g.functional.test"),
        ("g.functional.test", "g.cis.test"),
        ("g.cis.test", "g.distribute"),
        ("g.distribute", "g.monitored"),
        ("g.image", "g.ready"),
        ("g.monitored", "g.ready"),
    }
    assert set(serialized(dag).task_dict) == set(dag.task_dict)


def test_the_first_task_starts_the_pipeline_and_expects_what_is_drawn(dag: DAG) -> None:
    group = run(FUNCTIONAL, Workflow(CIS), tags={"team": "a"}, on_retry="fail", cancel_on_kill=False)
    first = group.submitter
    assert group.create_image is first
    assert type(first) is ImageBuilderStartPipelineOperator
    assert (first.pipeline_arn, first.tags) == (PIPELINE, {"team": "a"})
    assert (first.wait_for_completion, first.on_retry, first.cancel_on_kill) == (False, "fail", False)
    assert first.expected_workflows == [
        {"workflowArn": BOOT, "parallelGroup": "functional"},
        {"workflowArn": USERS, "parallelGroup": "functional"},
        {"workflowArn": CIS},
    ]
    assert group.request == PipelineRequest(pipeline_arn=PIPELINE, tags={"team": "a"})
    assert "g.start_pipeline" in str(group.image.image_build_version_arn)
    assert group.image.submitter == "g.start_pipeline"


def test_of_create_image_the_submitter_is_create_image(dag: DAG) -> None:
    group = ImageBuilderTaskGroup(
        "g", image_recipe_arn=RECIPE, infrastructure_configuration_arn=INFRASTRUCTURE
    )
    assert group.submitter is group.create_image
    assert group.submitter.task_id == "g.create_image"


def test_without_workflows_awss_default_test_is_drawn_by_its_stage(dag: DAG) -> None:
    group = run()
    monitor: Any = dag.get_task("g.test")
    assert type(monitor) is ImageBuilderMonitorWorkflowOperator
    assert (monitor.workflow_type, monitor.workflow) == ("TEST", None)
    assert {("g.build", "g.test"), ("g.test", "g.distribute")} <= edges(dag)
    assert (group.tests, group.submitter.expected_workflows) == ({}, [])


def test_a_build_workflow_alone_draws_no_tests(dag: DAG) -> None:
    run(build_workflow=Workflow(BUILD))
    assert ("g.build", "g.distribute") in edges(dag)


@pytest.mark.parametrize("late", ["{{ params.pipeline }}", "output"])
def test_the_pipeline_may_be_known_later(dag: DAG, late: str) -> None:
    arn = ImageBuilderBaseOperator(task_id="up").output if late == "output" else late
    group = run(Workflow(BOOT), pipeline_arn=arn)
    assert group.submitter.pipeline_arn == arn
    if late == "output":
        assert dag.get_task("g.start_pipeline").upstream_task_ids == {"up"}


def test_options_of_the_guard_reach_it(dag: DAG) -> None:
    golden = Asset("golden")
    group = run(Workflow(BOOT), outlets=[golden], fail_on_test_failure=True)
    assert (group.image.outlets, group.image.fail_on_test_failure) == ([golden], True)
    assert group.submitter.outlets == []


def test_a_test_group_named_like_the_first_task_does_not_clash(dag: DAG) -> None:
    group = run(TestGroup("start_pipeline", (Workflow(BOOT),)))
    assert group.tests["start_pipeline"].group_id == "g.start_pipeline_2"


def test_a_group_of_create_image_may_have_a_test_group_of_this_name_as_before(dag: DAG) -> None:
    group = ImageBuilderTaskGroup(
        "g",
        image_recipe_arn=RECIPE,
        infrastructure_configuration_arn=INFRASTRUCTURE,
        execution_role="r",
        test_groups=[TestGroup("start_pipeline", (Workflow(BOOT),))],
    )
    assert group.tests["start_pipeline"].group_id == "g.start_pipeline"


# -- what is refused at parse ------------------------------------------------------------------------------

OVERRIDES: dict[str, Any] = {
    "image_recipe_arn": RECIPE,
    "infrastructure_configuration_arn": INFRASTRUCTURE,
    "execution_role": "ImageBuilderExecution",
    "image_tests_configuration": {"imageTestsEnabled": False},
    "enhanced_image_metadata_enabled": False,
    "logging_configuration": {"logGroupName": "/aws/imagebuilder/x"},
    "run_tests": ["functional"],
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_a_pipeline_takes_no_overrides(dag: DAG, name: str) -> None:
    with pytest.raises(InvalidRequestError, match="UpdateImagePipeline") as error:
        run(FUNCTIONAL, **{name: OVERRIDES[name]})
    (fault,) = error.value.faults
    assert fault.field == name
    assert "a pipeline takes no overrides" in fault.allowed


def test_a_request_and_a_pipeline_at_once_are_refused(dag: DAG) -> None:
    assert fields(request={"imageRecipeArn": RECIPE}) == ["request"]


def test_empty_text_of_a_form_does_not_override(dag: DAG) -> None:
    run(FUNCTIONAL, image_recipe_arn="", run_tests="", tags="")


def test_all_faults_are_reported_together(dag: DAG) -> None:
    found = fields(
        pipeline_arn=RECIPE,
        tags={},
        image_recipe_arn=RECIPE,
        run_tests=["a"],
        timeout=5,
        test_groups=[Workflow(BUILD), Workflow("boot")],
    )
    assert set(found) == {
        "timeout",
        "pipeline_arn",
        "tags",
        "image_recipe_arn",
        "run_tests",
        "test_groups[0].arn",
        "test_groups[1].arn",
    }


def test_what_no_pipeline_can_have_is_refused(dag: DAG) -> None:
    eleven = [Workflow(f"{PREFIX}:workflow/test/t{n}/1.0.0/1") for n in range(11)]
    assert fields(test_groups=eleven) == ["workflows"]
    elsewhere = [Workflow(BOOT.replace("us-east-1", "eu-west-1"))]
    assert fields(test_groups=elsewhere) == ["pipeline_arn and test_groups[0].arn"]
    assert "region_name" in fields(region_name="eu-west-1")
