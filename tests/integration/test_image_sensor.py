"""The sensor on a real scheduler, triggerer and local service; boto3 starts the images, as AWS would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.bakes import Run, add_recipes, add_workflow, changes, held, let_go, the_image, until
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from airflow_imagebuilder.local.stack.airflow import AirflowStack
    from airflow_imagebuilder.local.stack.image_builder import LocalService

pytestmark = pytest.mark.integration

SPEED = 600
INFRASTRUCTURE = f"{PREFIX}:infrastructure-configuration/golden-build"
HELD = f"{PREFIX}:image/sensed-held/1.0.0/1"
KILLED = ("killed", "killed_on_worker")


@dataclass
class Sensed:
    """The runs, the service, and the calls of CancelImageCreation after the kills."""

    service: LocalService
    run: Run
    example: Run


def start(service: LocalService, name: str, **members: Any) -> str:
    """Start an image as a colleague does."""
    recipe = f"{PREFIX}:image-recipe/sensed-{name}/1.0.0"
    answer = service.client("imagebuilder").create_image(
        imageRecipeArn=recipe, infrastructureConfigurationArn=INFRASTRUCTURE, clientToken=f"sensed-{name}",
        **members,
    )  # fmt: skip
    return str(answer["imageBuildVersionArn"])


def start_pipeline(service: LocalService, name: str) -> None:
    service.client("imagebuilder").start_image_pipeline_execution(
        imagePipelineArn=f"{PREFIX}:image-pipeline/{name}", clientToken=f"sensed-{name}"
    )


@pytest.fixture(scope="module")
def sensed(airflow: AirflowStack, local_service: LocalService) -> Sensed:
    """Start the sensors, kill two, start a pipeline after its sensors, and wait until all have ended."""
    service = local_service
    add_recipes(service, [f"sensed-{name}" for name in ("there", "fails", "held", "later")])
    add_workflow(service, "HELD", "sensed-held", 1, SPEED)
    service.control(
        failures=[{"component": "golden-agent", "image": "sensed-fails", "message": "exit status 1"}]
    )
    service.client("imagebuilder").create_image_pipeline(
        name="sensed-later",
        imageRecipeArn=f"{PREFIX}:image-recipe/sensed-later/1.0.0",
        infrastructureConfigurationArn=INFRASTRUCTURE,
    )
    start(service, "there")
    start(service, "fails")
    workflows = [{"workflowArn": f"{PREFIX}:workflow/test/sensed-held/1.0.0/1"}]
    start(service, "held", workflows=workflows, executionRole="ImageBuilderExecution")
    sensed = Sensed(service, Run.start(airflow.api, "image_sensors"), Run.start(airflow.api, "image_sensor"))
    kill(sensed)
    until(lambda: sensed.run.in_state("by_pipeline", "deferred"))
    until(lambda: sensed.run.in_state("rescheduled", "up_for_reschedule"))
    start_pipeline(service, "sensed-later")
    until(lambda: sensed.example.in_state("find", "deferred", "success"))
    start_pipeline(service, "golden-web")
    until(lambda: held(service, "sensed-held"))
    let_go(service, "sensed-held")
    for run in (sensed.run, sensed.example):
        run.wait(200)
    return sensed


def kill(sensed: Sensed) -> None:
    run = sensed.run
    until(lambda: run.in_state("killed", "deferred"))
    until(
        lambda: (
            run.in_state("killed_on_worker", "running") and "waits for image" in run.log("killed_on_worker")
        )
    )
    for task in KILLED:
        run.api.set_task_state(run.dag_id, run.run_id, task, "failed")


def test_an_image_in_progress_is_awaited_by_its_arn(sensed: Sensed) -> None:
    assert sensed.run.task("by_arn")["state"] == "success"
    result = sensed.run.xcom("by_arn")
    assert (result["arn"], result["status"]) == (HELD, "AVAILABLE")
    assert sensed.run.xcom("by_arn", "image_build_version_arn") == HELD
    assert sensed.run.links("by_arn")["Image Builder images"]


@pytest.mark.parametrize("task", ["by_pipeline", "on_worker", "rescheduled"])
def test_an_image_that_its_pipeline_starts_after_the_sensor_is_found(sensed: Sensed, task: str) -> None:
    arn = the_image(sensed.service, "sensed-later")["arn"]
    assert sensed.run.task(task)["state"] == "success"
    assert sensed.run.xcom(task)["arn"] == arn
    assert sensed.run.xcom(task, "image_build_version_arn") == arn


def test_a_sensor_that_is_deferrable_uses_no_worker_while_it_waits(sensed: Sensed) -> None:
    assert "Pausing task as DEFERRED" in sensed.run.log("by_pipeline")
    assert "Pausing task as DEFERRED" not in sensed.run.log("on_worker")


def test_the_asset_event_of_a_sensor_has_the_image(sensed: Sensed) -> None:
    run = sensed.run
    events = run.api.call("GET", "assets/events", params={"source_run_id": run.run_id})["asset_events"]
    assert [event["extra"]["image_arn"] for event in events] == [run.xcom("by_pipeline")["arn"]]


def test_an_image_that_exists_is_found_by_its_name(sensed: Sensed) -> None:
    assert sensed.run.xcom("by_name")["arn"] == the_image(sensed.service, "sensed-there")["arn"]


def test_a_failed_image_fails_its_sensor_and_says_what_failed(sensed: Sensed) -> None:
    assert sensed.run.task("fails")["state"] == "failed"
    log = sensed.run.log("fails")
    assert "golden-agent" in log
    assert "This task only observes" in log


def test_with_soft_fail_a_failed_image_skips_its_sensor(sensed: Sensed) -> None:
    assert sensed.run.task("skips")["state"] == "skipped"


def test_a_sensor_without_an_image_times_out_with_what_it_waited_for(sensed: Sensed) -> None:
    assert sensed.run.task("none")["state"] == "failed"
    assert "There was no image to wait for" in sensed.run.log("none")


@pytest.mark.parametrize("task", KILLED)
def test_a_killed_sensor_cancels_nothing(sensed: Sensed, task: str) -> None:
    assert sensed.run.task(task)["state"] == "failed"
    assert "CancelImageCreation" not in changes(sensed.service, HELD)
    assert sensed.service.client("imagebuilder").get_image(imageBuildVersionArn=HELD)["image"]["state"] == {
        "status": "AVAILABLE"
    }


def test_no_sensor_has_cancelled_any_image(sensed: Sensed) -> None:
    ours = [c for c in sensed.service.records()["changes"] if ":image/sensed-" in str(c["arn"])]
    by_hand = {"CreateImage", "StartImagePipelineExecution", "SendWorkflowStepAction"}
    assert {c["operation"] for c in ours} == by_hand


def test_the_example_watches_the_tests_of_an_image_that_a_pipeline_started(sensed: Sensed) -> None:
    assert sensed.example.state == "success"
    states = sensed.example.states()
    assert {states[f"functional[{n}]"] for n in range(3)} == {"success"}
    assert {states[f"security[{n}]"] for n in range(2)} == {"success"}
    assert set(sensed.example.xcom("amis")) == {"us-east-1", "eu-west-1"}
