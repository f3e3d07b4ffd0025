"""Pipelines that exist, on a real Airflow: started alone, mapped, as a task group, and in trouble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.aws_model import has_retry_image
from tests.integration.bakes import Run, add_recipes, add_workflow, changes, held, images, let_go, until
from tests.integration.lacks import named, refusal
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from airflow_imagebuilder.local.stack.airflow import AirflowStack
    from airflow_imagebuilder.local.stack.image_builder import LocalService

pytestmark = pytest.mark.integration

SPEED = 600
REGIONS = {"us-east-1", "eu-west-1"}


@dataclass
class Pipelines:
    """The runs, and the service that they call."""

    service: LocalService
    one: Run
    several: Run
    shown: Run
    alone: Run
    groups: Run


def add_pipeline(service: LocalService, name: str, *tests: str, **members: Any) -> str:
    """Create a pipeline of a recipe of its own."""
    add_recipes(service, [name])
    made = service.client("imagebuilder").create_image_pipeline(
        name=name,
        imageRecipeArn=f"{PREFIX}:image-recipe/{name}/1.0.0",
        infrastructureConfigurationArn=f"{PREFIX}:infrastructure-configuration/golden-build",
        executionRole="ImageBuilderExecution",
        workflows=[
            {"workflowArn": f"{PREFIX}:workflow/build/golden-build/1.0.0/1"},
            *({"workflowArn": f"{PREFIX}:workflow/test/{test}/1.0.0/1"} for test in tests),
        ],
        **members,
    )
    return str(made["imagePipelineArn"])


@pytest.fixture(scope="module")
def pipelines(airflow: AirflowStack, local_service: LocalService) -> Pipelines:
    """Start all Dags at once, delete a pipeline while its image builds, and wait until all have finished."""
    api, service = airflow.api, local_service
    add_workflow(service, "HELD", "pipe-held", 1, SPEED)
    add_workflow(service, "TEST", "pipe-probe", 1, SPEED)
    add_pipeline(service, "pipe-disabled", status="DISABLED")
    add_pipeline(service, "pipe-differs", "boot")
    deleted = add_pipeline(service, "pipe-deleted", "pipe-held", "pipe-probe")
    if has_retry_image():
        service.control(failures=[{"workflow": "pipe-probe", "times": 1, "per": "image"}])
    started = Pipelines(
        service,
        one=Run.start(api, "run_my_pipeline"),
        several=Run.start(api, "run_my_pipelines"),
        shown=Run.start(api, "show_my_pipeline"),
        alone=Run.start(api, "pipelines_alone"),
        groups=Run.start(api, "pipelines_groups"),
    )
    building = until(lambda: held(service, "pipe-deleted"))
    service.client("imagebuilder").delete_image_pipeline(imagePipelineArn=deleted)
    let_go(service, "pipe-deleted")
    if has_retry_image():
        until(lambda: (step := held(service, "pipe-deleted")) and step != building)
        let_go(service, "pipe-deleted")
    for run in (started.one, started.several, started.shown, started.alone, started.groups):
        run.wait()
    return started


def test_a_pipeline_is_started_and_its_amis_are_the_result(pipelines: Pipelines) -> None:
    assert pipelines.one.states() == {"bake": "success", "use": "success"}
    image = pipelines.one.xcom("bake")
    assert (image["status"], {ami["region"] for ami in image["amis"]}) == ("AVAILABLE", REGIONS)
    assert changes(pipelines.service, image["arn"]) == ["StartImagePipelineExecution"]
    found = pipelines.service.client("imagebuilder").get_image(imageBuildVersionArn=image["arn"])["image"]
    assert found["sourcePipelineArn"] == f"{PREFIX}:image-pipeline/golden-web"


def test_the_task_links_to_the_pipelines_of_its_region(pipelines: Pipelines) -> None:
    link = pipelines.one.links("bake")["Image Builder pipelines"]
    assert link == "https://console.aws.amazon.com/imagebuilder/home?region=us-east-1#/viewPipelines"


def test_a_mapped_operator_starts_a_pipeline_per_index(pipelines: Pipelines) -> None:
    assert pipelines.several.states() == {"bake[0]": "success", "bake[1]": "success"}
    results = [pipelines.several.xcom("bake", map_index=number) for number in range(2)]
    assert [result["name"] for result in results] == ["golden-web", "golden-web-container"]
    assert results[1]["containers"]


@named
def test_a_mapped_operator_is_named_by_its_pipeline(pipelines: Pipelines) -> None:
    assert pipelines.several.names("bake") == ["golden-web", "golden-web-container"]


def test_a_group_shows_the_tests_of_its_pipeline(pipelines: Pipelines) -> None:
    states = pipelines.shown.states()
    assert states["golden_web.start_pipeline"] == states["golden_web.ready"] == "success"
    # The seeded pipeline has no distribution workflow: AWS distributes without one.
    assert {state for task, state in states.items() if task != "golden_web.distribute"} == {"success"}
    assert {task for task in states if "[" in task} == {
        *(f"golden_web.functional.test[{number}]" for number in range(3)),
        "golden_web.performance.test[0]",
        *(f"golden_web.security.test[{number}]" for number in range(2)),
    }


def test_a_pipeline_without_workflows_runs_aws_own_ones(pipelines: Pipelines) -> None:
    states = pipelines.groups.states()
    assert {
        states[f"by_default.{task}"] for task in ("start_pipeline", "build", "test", "image", "ready")
    } == {"success"}


def test_a_group_that_draws_what_the_pipeline_does_not_run_starts_nothing(pipelines: Pipelines) -> None:
    states = pipelines.groups.states()
    assert states["differs.start_pipeline"] == "failed"
    assert {states[f"differs.{task}"] for task in ("image", "build", "ready")} == {"upstream_failed"}
    log = pipelines.groups.log("differs.start_pipeline")
    assert "Pipeline pipe-differs was not started" in log
    assert "the pipeline runs boot alone; declared: functional (boot, users)" in log
    reasons = pipelines.groups.reasons("differs.start_pipeline")
    assert refusal(log, reasons) == "another try would be refused in the same way"
    assert images(pipelines.service, "pipe-differs") == []


def test_a_disabled_pipeline_is_started_all_the_same(pipelines: Pipelines) -> None:
    assert pipelines.alone.task("disabled")["state"] == "success"
    assert "is DISABLED: its schedule is off. AWS starts it all the same." in pipelines.alone.log("disabled")
    (image,) = images(pipelines.service, "pipe-disabled")
    assert image["status"] == "AVAILABLE"


def test_a_pipeline_that_is_deleted_in_mid_build_harms_neither_the_wait_nor_the_repair(
    pipelines: Pipelines,
) -> None:
    found = pipelines.alone.task("deleted")
    assert (found["state"], found["try_number"]) == ("success", 2 if has_retry_image() else 1)
    (image,) = images(pipelines.service, "pipe-deleted")
    assert image["status"] == "AVAILABLE"
    repairs = ["RetryImage", "SendWorkflowStepAction"] if has_retry_image() else []
    assert changes(pipelines.service, image["arn"]) == [
        "StartImagePipelineExecution",
        "SendWorkflowStepAction",
        *repairs,
    ]


def test_a_pipeline_that_does_not_exist_is_named(pipelines: Pipelines) -> None:
    found = pipelines.alone.task("missing")
    assert (found["state"], found["try_number"]) == ("failed", 1)
    assert "Pipeline pipe-nowhere was not started: AWS does not find it" in pipelines.alone.log("missing")
