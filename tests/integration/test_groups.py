"""Test workflows as tasks: runs that succeed, fail, are cancelled, cleared and restarted, all at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.compat import shows_plugin_pages
from airflow_imagebuilder.local.stack.airflow_client import TERMINAL, AirflowApiError
from airflow_imagebuilder.service.request.test_plan import WIDTH
from tests.integration.bakes import (
    ACTIVE,
    Run,
    add_recipes,
    add_workflow,
    changes,
    held,
    images,
    let_go,
    most_at_once,
    the_image,
    until,
)
from tests.integration.lacks import counted, has_failure_context, named, uncounted, unnamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.stack.airflow import AirflowStack
    from airflow_imagebuilder.local.stack.image_builder import LocalService

pytestmark = pytest.mark.integration

SPEED = 600
HELD = "step WaitForAction (WaitForAction): RUNNING"
# Real seconds that the workflows of dags/groups.py take.
WIDE = [f"wide-{n}" for n in range(1, 9)]
TESTS = dict.fromkeys(WIDE, 5.0) | {"last": 2, "probe-a": 1, "probe-b": 1, "probe-c": 1}
RUNS = {
    "wide": "group_wide",
    "continue": "group_continue",
    "gate": "group_gate",
    "abort": "group_abort",
    "unbuilt": "group_abort",
    "cancelled": "group_slow",
    "cleared": "group_slow",
    "restarted": "group_slow",
    "twice": "group_twice",
}
FAILURES = [
    {"workflow": "probe-a", "image": "groups-continue", "message": "no route to host"},
    {"workflow": "probe-a", "image": "groups-gate"},
    {"workflow": "probe-a", "image": "groups-abort", "message": "no route to host"},
    {"component": "golden-base", "phase": "build", "image": "groups-unbuilt", "message": "disk full"},
]


@dataclass
class Stage:
    """The runs, and what was seen of them while they ran."""

    service: LocalService
    runs: dict[str, Run]
    samples: list[dict[str, str | None]] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)

    def image(self, name: str) -> dict[str, Any]:
        return the_image(self.service, f"groups-{name}")

    def executions(self, name: str) -> dict[str, dict[str, Any]]:
        return {e["workflow"]: e for e in self.image(name)["executions"] if not e["retried"]}


@pytest.fixture(scope="module")
def stage(airflow: AirflowStack, local_service: LocalService) -> Iterator[Stage]:
    """Start all runs at once, meddle with some of them, and wait for their ends."""
    add_workflow(local_service, "BUILD", "dags-build", 4, SPEED)
    add_workflow(local_service, "HELD", "slow", 1, SPEED)
    for name, seconds in TESTS.items():
        add_workflow(local_service, "TEST", name, seconds, SPEED)
    add_recipes(local_service, [f"groups-{name}" for name in RUNS])
    local_service.control(failures=FAILURES)
    started = {
        name: Run.start(airflow.api, dag_id, {"recipe": f"groups-{name}"}) for name, dag_id in RUNS.items()
    }
    stage = Stage(local_service, started)
    with ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(sample, stage),
            pool.submit(cancel, stage),
            pool.submit(clear, stage),
            pool.submit(restart, stage, airflow),
        ]
        for job in jobs:
            job.result()
    for run in started.values():
        run.wait()
    yield stage
    local_service.control(clear_failures=True)


def sample(stage: Stage) -> None:
    """Read the states of the tasks of the wide run twice per second."""
    run, deadline = stage.runs["wide"], time.monotonic() + 150
    while run.state not in TERMINAL and time.monotonic() < deadline:
        stage.samples.append(run.states())
        time.sleep(0.5)


def cancel(stage: Stage) -> None:
    """Cancel an image on AWS in the middle of its test."""
    until(lambda: held(stage.service, "groups-cancelled"))
    arn = stage.image("cancelled")["arn"]
    client = stage.service.client("imagebuilder")
    client.cancel_image_creation(imageBuildVersionArn=arn, clientToken="by-hand")


def watching(run: Run) -> None:
    """Wait until guard and monitor are in the triggerer, and both have logged the test."""
    until(lambda: run.in_state("bake.slow.test[0]", "deferred") and run.in_state("bake.image", "deferred"))
    until(lambda: "1.0.0/1 is TESTING" in run.log("bake.image"))
    until(lambda: HELD in run.log("bake.slow.test", 0, run.task("bake.slow.test", 0)["try_number"]))


def clear(stage: Stage) -> None:
    """Clear a monitor by hand while it watches, and record what is visible before the image finishes."""
    run = stage.runs["cleared"]
    watching(run)
    stage.seen["arn"] = run.xcom("bake.image", "image_build_version_arn")
    stage.seen["links"] = run.links("bake.image")
    tasks = ("bake.create_image", "bake.image", "bake.build")
    stage.seen["all links"] = {task: run.links(task) for task in tasks}
    stage.seen["all links"]["bake.slow.test"] = run.links("bake.slow.test", 0)
    run.api.clear(run.dag_id, run.run_id, ["bake.slow.test"])
    until(lambda: run.task("bake.slow.test", 0)["try_number"] > 1)
    watching(run)
    stage.seen["calls"] = changes(stage.service, stage.seen["arn"])
    stage.seen["status"] = stage.image("cleared")["status"]
    let_go(stage.service, "groups-cleared")


def restart(stage: Stage, airflow: AirflowStack) -> None:
    """Restart the triggerer while a test is watched."""
    watching(stage.runs["restarted"])
    airflow.restart("triggerer")
    airflow.wait_ready()
    let_go(stage.service, "groups-restarted")


# -- five at a time ----------------------------------------------------------------------------------------


def most_wide(stage: Stage, *active: str) -> int:
    """Return how many tests of the wide group were in these states at once, at most."""
    return max(
        sum(name.startswith("bake.wide.test[") and state in active for name, state in states.items())
        for states in stage.samples
    )


@counted
def test_never_more_than_five_tests_of_a_group_are_active(stage: Stage) -> None:
    assert most_wide(stage, *ACTIVE) == WIDTH


@uncounted
def test_where_deferred_tests_are_not_counted_all_are_drawn_and_five_are_on_workers(stage: Stage) -> None:
    assert WIDTH < most_wide(stage, *ACTIVE) <= len(WIDE)
    assert most_wide(stage, "queued", "running") <= WIDTH


def test_the_second_group_begins_after_the_first_has_ended(stage: Stage) -> None:
    begun = [states for states in stage.samples if states.get("bake.last.test[0]")]
    assert begun
    for states in begun:
        first = [state for name, state in states.items() if name.startswith("bake.wide.test[")]
        assert set(first) == {"success"}
        assert len(first) == 8


def test_the_local_service_ran_five_at_once_and_the_groups_in_order(stage: Stage) -> None:
    executions = stage.executions("wide")
    wide = [(e["start"], e["end"]) for e in executions.values() if e["group"] == "wide"]
    assert len(wide) == 8
    assert most_at_once(wide) == WIDTH
    assert executions["last"]["start"] >= max(end for _, end in wide)
    assert executions["dags-build"]["end"] <= min(start for start, _ in wide)


@named
def test_the_map_indexes_are_named_by_their_workflows(stage: Stage) -> None:
    assert stage.runs["wide"].names("bake.wide.test") == WIDE


@unnamed
def test_where_the_map_indexes_are_numbers_they_have_the_order_of_the_group(stage: Stage) -> None:
    run = stage.runs["wide"]
    assert run.names("bake.wide.test") == [str(n) for n in range(8)]
    for number, name in enumerate(WIDE):
        assert f"{name} ended COMPLETED" in run.log("bake.wide.test", number)


def test_a_successful_run_has_only_successful_tasks(stage: Stage) -> None:
    run = stage.runs["wide"]
    assert run.state == "success"
    assert set(run.states().values()) == {"success"}
    assert len(run.states()) == 6 + 8 + 1


def test_a_successful_monitor_has_one_worker_process_only(stage: Stage) -> None:
    log = stage.runs["wide"].log("bake.wide.test", map_index=0, try_number=1)
    assert log.count("DAG bundles loaded") == 1  # each worker process logs it once, in every version
    assert "Trigger fired event" in log


# -- failures ----------------------------------------------------------------------------------------------


def test_a_test_that_fails_with_on_failure_continue_fails_its_monitor_alone(stage: Stage) -> None:
    run = stage.runs["continue"]
    assert run.states() == {
        "bake.create_image": "success",
        "bake.image": "success",
        "bake.build": "success",
        "bake.pair.test[0]": "failed",
        "bake.pair.test[1]": "success",
        "bake.probe-c.test[0]": "success",
        "bake.distribute": "success",
        "bake.monitored": "success",
        "bake.ready": "success",
        "after": "success",
    }
    assert run.state == "success"
    result = run.xcom("bake.image")
    assert result["status"] == "AVAILABLE"
    assert {w["name"]: w["status"] for w in result["workflows"]} == {
        "dags-build": "COMPLETED",
        "probe-a": "FAILED",
        "probe-b": "COMPLETED",
        "probe-c": "COMPLETED",
    }


def test_a_failed_monitor_names_the_failed_step_its_message_and_the_log(stage: Stage) -> None:
    run = stage.runs["continue"]
    log = run.log("bake.pair.test", map_index=0)
    for part in ("probe-a", "ExecuteComponents", "no route to host", "/aws/imagebuilder/groups-continue"):
        assert part in log


def test_fail_on_test_failure_makes_the_group_a_quality_gate(stage: Stage) -> None:
    run = stage.runs["gate"]
    assert run.states() == {
        "bake.create_image": "success",
        "bake.image": "failed",
        "bake.build": "success",
        "bake.pair.test[0]": "failed",
        "bake.pair.test[1]": "success",
        "bake.distribute": "success",
        "bake.monitored": "success",
        "bake.ready": "upstream_failed",
        "after": "upstream_failed",
    }
    assert run.state == "failed"
    assert stage.image("gate")["status"] == "AVAILABLE"
    assert "is AVAILABLE, but this test failed: probe-a" in run.log("bake.image")


def test_a_test_that_fails_with_on_failure_abort_fails_the_image_with_its_cause(stage: Stage) -> None:
    run = stage.runs["abort"]
    states = run.states()
    assert states.pop("bake.pair.test[1]") in {"success", "skipped"}  # AWS may cancel it, or it was done
    assert states == {
        "bake.create_image": "success",
        "bake.image": "failed",
        "bake.build": "success",
        "bake.pair.test[0]": "failed",
        "bake.probe-c.test[0]": "skipped",
        "bake.distribute": "skipped",
        "bake.monitored": "success",
        "bake.ready": "upstream_failed",
        "after": "upstream_failed",
    }
    assert run.state == "failed"
    log = run.log("bake.image")
    for part in ("failed in TESTING: ", "probe-a", "ExecuteComponents", "no route to host"):
        assert part in log


def test_a_failed_build_names_component_and_step_and_skips_what_never_began(stage: Stage) -> None:
    run = stage.runs["unbuilt"]
    assert run.states() == {
        "bake.create_image": "success",
        "bake.image": "failed",
        "bake.build": "failed",
        "bake.pair.test[0]": "skipped",
        "bake.pair.test[1]": "skipped",
        "bake.probe-c.test[0]": "skipped",
        "bake.distribute": "skipped",
        "bake.monitored": "success",
        "bake.ready": "upstream_failed",
        "after": "upstream_failed",
    }
    assert run.state == "failed"
    for task_id in ("bake.image", "bake.build"):
        log = run.log(task_id)
        for part in (
            "dags-build",
            "ExecuteComponents",
            "golden-base",
            "disk full" if has_failure_context() else "its log says why",
            "aws/imagebuilder/groups-",
        ):
            assert part in log, (task_id, part)
    log = run.log("bake.pair.test", map_index=0)
    assert "cancelled, because the build workflow dags-build failed; it never began" in log


def test_an_image_cancelled_on_aws_fails_the_run_and_skips_what_was_running(stage: Stage) -> None:
    run = stage.runs["cancelled"]
    assert run.states() == {
        "bake.create_image": "success",
        "bake.image": "failed",
        "bake.build": "success",
        "bake.slow.test[0]": "skipped",
        "bake.distribute": "skipped",
        "bake.monitored": "success",
        "bake.ready": "upstream_failed",
    }
    assert run.state == "failed"
    assert "ended CANCELLED" in run.log("bake.image")
    assert "cancelled, because the image was cancelled" in run.log("bake.slow.test", map_index=0)
    assert changes(stage.service, stage.image("cancelled")["arn"]) == ["CreateImage", "CancelImageCreation"]


# -- a pool for the guard ----------------------------------------------------------------------------------


def test_a_pool_of_one_slot_holds_the_second_image_back_and_lets_monitors_pass(
    airflow: AirflowStack, local_service: LocalService, stage: Stage
) -> None:
    names = [f"groups-pooled-{name}" for name in "ab"]
    add_recipes(local_service, names)
    airflow.airflow("pools", "set", "one_image", "1", "images at once", "--include-deferred")
    first = Run.start(airflow.api, "group_pooled", {"recipe": names[0]})
    until(lambda: first.in_state("bake.image", "deferred") and held(local_service, names[0]))
    until(lambda: first.in_state("bake.slow.test[0]", "deferred"))  # beside image, which has the slot
    second = Run.start(airflow.api, "group_pooled", {"recipe": names[1]})
    until(lambda: second.in_state("bake.create_image", "scheduled"))
    let_go(local_service, names[0])
    assert first.wait() == "success"
    until(lambda: held(local_service, names[1]))
    let_go(local_service, names[1])
    assert second.wait() == "success"
    assert second.task("bake.create_image")["start_date"] >= first.task("bake.image")["end_date"]
    assert {first.task(f"bake.{one}")["pool"] for one in ("create_image", "image")} == {"one_image"}


# -- links -------------------------------------------------------------------------------------------------


def test_each_task_has_its_links_while_it_is_deferred(stage: Stage) -> None:
    console = {"Image build", "Image Builder images", "Image Builder build log"}
    for task, links in stage.seen["all links"].items():
        assert {name for name, address in links.items() if address} == console, task
    own = stage.seen["all links"]["bake.slow.test"]["Image build"]
    if shows_plugin_pages():
        assert own.endswith("/tasks/bake.slow.test/mapped/0/plugin/image-build-task")


# -- interference ------------------------------------------------------------------------------------------


def test_the_arn_and_the_links_are_there_while_the_image_is_built(stage: Stage) -> None:
    assert stage.seen["status"] == "TESTING"
    assert stage.seen["arn"] == stage.image("cleared")["arn"]
    links = stage.seen["links"]
    assert links["Image Builder images"].endswith("/imagebuilder/home?region=us-east-1#/images")
    assert "groups-cleared/log-events/1.0.0$252F1" in links["Image Builder build log"]


def test_a_monitor_that_is_cleared_reads_again_and_changes_nothing_on_aws(stage: Stage) -> None:
    run = stage.runs["cleared"]
    assert stage.seen["calls"] == ["CreateImage"]
    assert run.state == "success"
    assert set(run.states().values()) == {"success"}
    assert "step WaitForAction (WaitForAction): COMPLETED" in run.log("bake.slow.test", 0, try_number=2)
    assert [op for op in changes(stage.service, stage.seen["arn"]) if "Step" not in op] == ["CreateImage"]


def test_the_steps_of_a_test_are_logged_as_they_run(stage: Stage) -> None:
    log = stage.runs["restarted"].log("bake.slow.test", map_index=0)
    assert "step LaunchInstance (LaunchInstance): COMPLETED" in log
    assert HELD in log
    assert "step TerminateInstance (TerminateInstance): COMPLETED" in log


def test_the_guard_logs_each_state_of_the_image(stage: Stage) -> None:
    log = stage.runs["restarted"].log("bake.image")
    places = [log.find(f"1.0.0/1 is {status}") for status in ("TESTING", "AVAILABLE")]
    assert -1 not in places
    assert places == sorted(places)


def test_a_restarted_triggerer_continues_to_watch_and_cancels_nothing(stage: Stage) -> None:
    run = stage.runs["restarted"]
    assert run.state == "success"
    assert set(run.states().values()) == {"success"}
    assert "CancelImageCreation" not in changes(stage.service, stage.image("restarted")["arn"])
    assert len(images(stage.service, "groups-restarted")) == 1


def test_two_groups_in_a_plain_task_group_each_bake_their_image(stage: Stage) -> None:
    run = stage.runs["twice"]
    names = ("create_image", "image", "build", "probe-a.test[0]", "distribute", "monitored", "ready")
    expected = {f"fleet.{group}.{name}": "success" for group in ("first", "second") for name in names}
    assert run.states() == {**expected, "fleet.after": "success"}
    arns = {run.xcom(f"fleet.{group}.image")["arn"] for group in ("first", "second")}
    assert arns == {image["arn"] for image in images(stage.service, "groups-twice")}
    assert len(arns) == 2


def test_each_run_but_one_submitted_exactly_one_image(stage: Stage) -> None:
    counts = {name: len(images(stage.service, f"groups-{name}")) for name in RUNS}
    assert counts == {**dict.fromkeys(RUNS, 1), "twice": 2}


def test_a_monitor_returns_nothing(stage: Stage) -> None:
    with pytest.raises(AirflowApiError) as error:
        stage.runs["wide"].xcom("bake.build")
    assert error.value.status == 404
