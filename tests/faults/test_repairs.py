"""A test that fails once: RetryImage repairs the image, and the build phase runs once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.aws_model import has_retry_image
from airflow_imagebuilder.service.submission.recovery import KILL_GRACE
from tests.faults.scene import SPEED, Scene, Task, needs_retry_image, until

if TYPE_CHECKING:
    from airflow_imagebuilder.local.stack.image_builder import LocalService
    from tests.faults.report import Report

HEADING = "a test that fails once"
ONCE = {"builds": 1, "failed test runs": 2, "RetryImage calls": 1, "status": "AVAILABLE"}


@pytest.fixture(scope="module")
def started(scene: Scene, service: LocalService) -> dict[str, str]:
    """Let the test cis-level-1 fail once per image, start one run per Dag, and return their ids."""
    service.control(
        clear_failures=True,
        failures=[{"workflow": "cis-level-1", "times": 1, "per": "image", "message": "weak password rules"}],
    )
    return {
        dag_id: scene.start(dag_id)[0]
        for dag_id in ("repair_task", "repair_group_retry", "repair_group_clear")
    }


@needs_retry_image
@pytest.mark.matrix
def test_the_second_try_of_a_task_repairs_its_image(
    started: dict[str, str], scene: Scene, report: Report
) -> None:
    run_id = started["repair_task"]
    ended = scene.api.wait_for_run("repair_task", run_id, 300)["state"]
    found = {}
    for mode in ("deferred", "on_worker", "pipeline"):
        task = Task("repair_task", run_id, mode)
        found[mode] = _history(scene, scene.arn(task))
        report.add(
            HEADING, f"a task with one retry, {mode.replace('_', ' a ')}", _summary(ended, found[mode])
        )
    assert ended == "success"
    assert found == dict.fromkeys(found, ONCE)


@needs_retry_image
@pytest.mark.matrix
def test_an_automatic_retry_of_the_guard_of_a_group_repairs_the_image(
    started: dict[str, str], scene: Scene, report: Report
) -> None:
    run_id = started["repair_group_retry"]
    ended = scene.api.wait_for_run("repair_group_retry", run_id, 300)["state"]
    found = _history(scene, scene.arn(Task("repair_group_retry", run_id, "bake.image")))
    report.add(HEADING, "a task group, whose `image` has one retry", _summary(ended, found))
    report.figures["a test fails once: task group with one retry"] = _summary(ended, found)
    states = scene.api.states("repair_group_retry", run_id)
    assert (found, states["bake.image"], states["bake.create_image"]) == (ONCE, "success", "success")


@needs_retry_image
@pytest.mark.matrix
def test_clearing_a_group_repairs_the_image_and_shows_the_new_tests(
    started: dict[str, str], scene: Scene, report: Report
) -> None:
    dag_id = "repair_group_clear"
    run_id = started[dag_id]
    assert scene.api.wait_for_run(dag_id, run_id, 300)["state"] == "failed"
    before = scene.api.states(dag_id, run_id)
    scene.api.clear(dag_id, run_id, sorted({task["task_id"] for task in scene.api.tasks(dag_id, run_id)}))
    ended = scene.api.wait_for_run(dag_id, run_id, 300)["state"]
    found = _history(scene, scene.arn(Task(dag_id, run_id, "bake.image")))
    report.add(HEADING, "a task group without retries, cleared by a user", _summary(ended, found))
    report.figures["a test fails once: task group, cleared by a user"] = _summary(ended, found)
    after = scene.api.states(dag_id, run_id)
    assert Counter(before.values())["failed"] >= 2, before
    assert found == ONCE
    assert set(after.values()) <= {"success", "skipped"}, after
    assert after["bake.cis-level-1.test[0]"] == "success"


@needs_retry_image
def test_clearing_a_killed_group_repairs_the_image_and_does_not_cancel_the_repair(
    scene: Scene, service: LocalService, report: Report
) -> None:
    # The repaired phase outlasts the time after which a guard that is cleared alone cancels the build.
    service.control(clear_failures=True, workflows={"cis-level-1": (KILL_GRACE + 20) * SPEED})
    dag_id = "repair_group_clear"
    run_id = scene.start(dag_id)[0]
    guard = Task(dag_id, run_id, "bake.image")
    arn = scene.arn(guard)
    until(lambda: "is TESTING" in scene.api.task_log(dag_id, run_id, "bake.image"), 120, lambda: arn)
    scene.api.set_task_state(dag_id, run_id, "bake.image", "failed")
    until(lambda: scene.statuses([arn])["CANCELLED"], 120, lambda: scene.statuses([arn]))
    assert scene.api.wait_for_run(dag_id, run_id, 300)["state"] == "failed"
    scene.api.clear(dag_id, run_id, sorted({task["task_id"] for task in scene.api.tasks(dag_id, run_id)}))
    ended = scene.api.wait_for_run(dag_id, run_id, 300)["state"]
    service.control(workflows={"cis-level-1": 240})
    cancels, found = len(scene.calls("CancelImageCreation", arn)), _history(scene, arn)
    outcome = f"{_summary(ended, found)}, {cancels} cancel"
    report.add(HEADING, "a task group, killed while it tests, cleared", outcome)
    assert (ended, found["status"]) == ("success", "AVAILABLE")
    assert (found["builds"], found["RetryImage calls"], cancels) == (1, 1, 1)


@pytest.mark.skipif(has_retry_image(), reason="this boto3 has RetryImage")
@pytest.mark.matrix
def test_without_retry_image_a_new_try_builds_a_new_image(
    scene: Scene, service: LocalService, report: Report
) -> None:
    before = len(scene.calls("CreateImage"))
    service.control(clear_failures=True, failures=[{"workflow": "cis-level-1", "times": 3}])
    run_id = scene.start("repair_task")[0]
    retried = scene.api.wait_for_run("repair_task", run_id, 300)["state"]
    by_retry = len(scene.calls("CreateImage")) - before
    service.control(clear_failures=True, failures=[{"workflow": "cis-level-1", "times": 1}])
    dag_id = "repair_group_clear"
    run_id = scene.start(dag_id)[0]
    failed = scene.api.wait_for_run(dag_id, run_id, 300)["state"]
    scene.api.clear(dag_id, run_id, sorted({task["task_id"] for task in scene.api.tasks(dag_id, run_id)}))
    cleared = scene.api.wait_for_run(dag_id, run_id, 300)["state"]
    by_clear = len(scene.calls("CreateImage")) - before - by_retry
    what = "a test fails once, boto3 without RetryImage"
    report.figures[f"{what}: two tasks with one retry"] = f"run in {retried}, {by_retry} images"
    report.figures[f"{what}: task group, cleared by a user"] = f"run in {cleared}, {by_clear} images"
    report.add(HEADING, what, f"retried: {retried}, {by_retry} images; cleared: {cleared}, {by_clear} images")
    assert (retried, by_retry) == ("success", 4)
    assert (failed, cleared, by_clear) == ("failed", "success", 2)


def _history(scene: Scene, arn: str) -> dict[str, Any]:
    image = next(i for i in scene.service.records()["images"] if i["arn"] == arn)
    runs = image["executions"]
    return {
        "builds": sum(1 for run in runs if run["type"] == "BUILD"),
        "failed test runs": sum(1 for run in runs if run["workflow"] == "cis-level-1"),
        "RetryImage calls": len(scene.calls("RetryImage", arn)),
        "status": image["status"],
    }


def _summary(ended: str, history: dict[str, Any]) -> str:
    return (
        f"run in {ended}, image {history['status']}: build phase run {history['builds']} time, "
        f"the test {history['failed test runs']} times, {history['RetryImage calls']} RetryImage"
    )
