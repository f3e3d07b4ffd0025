"""A run succeeds if its image does: a test fails once, twice or always, or the image is cancelled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.dags.verdicts import SEVEN
from tests.faults.scene import SPEED, Scene, Task, until
from tests.integration.bakes import add_recipes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.stack.image_builder import LocalService
    from tests.faults.report import Report

HEADING = "how the run of a task group ends"
FAILING = {"verdict-once": 1, "verdict-twice": 2, "verdict-always": None}
"""How often the test cis-level-1 of an image of each recipe fails."""
# The test fails while its neighbour runs, which AWS then cancels.
SECONDS = {"cis-level-1": 1, "package-audit": 8}
SECONDS_OF_FIRST = 340
GOOD = {
    "roll_out": "success",
    "none_failed": "success",
    "all_done": "success",
    "one_failed": "skipped",
    "notify": "success",
    "bake.security.test[0]": "success",
    "bake.security.test[1]": "success",
}
BAD = {
    "roll_out": "upstream_failed",
    "none_failed": "upstream_failed",
    "all_done": "success",
    "one_failed": "success",
    "bake.security.test[0]": "failed",
    "bake.security.test[1]": "skipped",
}


@dataclass(frozen=True)
class Case:
    """An image whose test fails so often, and the retries of its group."""

    recipe: str
    retries: int
    good: bool
    repairs: int

    def __str__(self) -> str:
        return f"{self.recipe.removeprefix('verdict-')}, retries={self.retries}"


CASES = (
    Case("verdict-once", 0, good=False, repairs=0),
    Case("verdict-once", 1, good=True, repairs=1),
    Case("verdict-once", 2, good=True, repairs=1),
    Case("verdict-twice", 1, good=False, repairs=1),
    Case("verdict-twice", 2, good=True, repairs=2),
    Case("verdict-always", 1, good=False, repairs=1),
    Case("verdict-always", 2, good=False, repairs=2),
)


@dataclass
class Stage:
    """The runs, and the states of those that a test interfered with."""

    scene: Scene
    runs: dict[Any, Task] = field(default_factory=dict)
    before: dict[str, str | None] = field(default_factory=dict)

    def start(self, key: object, dag_id: str, recipe: str, guard: str = "bake.image") -> None:
        self.scene.api.wait_for_dag(dag_id)
        run_id = self.scene.api.trigger(dag_id, {"recipe": recipe})
        self.runs[key] = Task(dag_id, run_id, guard)

    def ended(self, key: object) -> str:
        run = self.runs[key]
        return str(self.scene.api.wait_for_run(run.dag_id, run.run_id, 400)["state"])

    def states(self, key: object) -> dict[str, str | None]:
        return self.scene.api.states(self.runs[key].dag_id, self.runs[key].run_id)

    def watching(self, key: object) -> int:
        """Count the monitors of a run that watch a test workflow."""
        return sum(s == "deferred" for name, s in self.states(key).items() if ".test[" in name)

    def last(self, seconds: dict[str, float], **more: Any) -> None:
        """Set how long workflows take, in real seconds."""
        workflows = {name: value * SPEED for name, value in seconds.items()}
        self.scene.service.control(workflows=workflows, **more)

    def log(self, key: object, task_id: str, map_index: int) -> str:
        run = self.runs[key]
        return self.scene.api.task_log(run.dag_id, run.run_id, task_id, map_index=map_index)

    def calls(self, key: object) -> dict[str, int]:
        """Count the calls that changed the image of a run."""
        arn = self.scene.arn(self.runs[key])
        names = ("CreateImage", "RetryImage", "CancelImageCreation")
        return {name: len(self.scene.calls(name, arn)) for name in names}

    def status(self, key: object) -> str:
        (status,) = self.scene.statuses([self.scene.arn(self.runs[key])])
        return status


@pytest.fixture(scope="module")
def stage(scene: Scene, service: LocalService) -> Iterator[Stage]:
    """Start all runs at once, cancel one image, kill and clear another, and wait for the ends."""
    add_recipes(service, [*FAILING, "verdict-seven"])
    failures: list[dict[str, Any]] = [
        {"workflow": "cis-level-1", "image": recipe, "per": "image", "message": "weak password rules"}
        | ({"times": times} if times else {})
        for recipe, times in FAILING.items()
    ]
    # A monitor that starts after the repair never meets the failure: the first life waits for all of them.
    seconds = {name: value + SECONDS_OF_FIRST for name, value in SECONDS.items()}
    stage = Stage(scene)
    stage.last(
        {**seconds, **dict.fromkeys(SEVEN, 2 * SECONDS_OF_FIRST)}, clear_failures=True, failures=failures
    )
    for key in ("cancelled", "killed"):
        stage.start(key, "verdict_seven", "verdict-seven")
    for case in CASES:
        stage.start(case, f"verdict_{case.retries}", case.recipe)
    for recipe in ("verdict-once", "verdict-always"):
        stage.start(recipe, "verdict_chain", recipe, "fleet.first.image")
    with ThreadPoolExecutor() as pool:
        for job in [pool.submit(cancel, stage), pool.submit(kill, stage)]:
            job.result()
    await_monitors(stage)
    # Only the first life of an image is long. The cleared run must finish; the cancelled one has finished.
    stage.last({**SECONDS, **dict.fromkeys(SEVEN, 1)}, advance=SECONDS_OF_FIRST * SPEED)
    clear(stage)
    for key in stage.runs:
        stage.ended(key)
    yield stage
    service.control(clear_failures=True, workflows=dict.fromkeys([*SECONDS, *SEVEN], 240))


def await_monitors(stage: Stage) -> None:
    """Wait until two monitors of each case watch its image."""
    until(
        lambda: all(stage.watching(case) == 2 for case in CASES),
        240,
        lambda: {str(case): stage.states(case) for case in CASES},
    )


def while_testing(stage: Stage, key: str) -> Task:
    """Wait until five monitors watch a test that runs, and return the guard."""
    run = stage.runs[key]
    until(lambda: stage.watching(key) == 5, 240, lambda: stage.states(key))
    until(lambda: stage.status(key) == "TESTING", 60, lambda: stage.status(key))
    stage.scene.await_state(run, "deferred")
    return run


def cancel(stage: Stage) -> None:
    """Cancel an image on AWS, as a person may do."""
    arn = stage.scene.arn(while_testing(stage, "cancelled"))
    client = stage.scene.service.client("imagebuilder")
    client.cancel_image_creation(imageBuildVersionArn=arn, clientToken="by-hand")
    stage.ended("cancelled")


def kill(stage: Stage) -> None:
    """Kill the guard of an image."""
    run = while_testing(stage, "killed")
    stage.scene.api.set_task_state(run.dag_id, run.run_id, run.task_id, "failed")
    stage.ended("killed")
    stage.before = stage.states("killed")


def clear(stage: Stage) -> None:
    """Clear the killed group, with its downstream tasks."""
    run = stage.runs["killed"]
    tasks = sorted({task["task_id"] for task in stage.scene.api.tasks(run.dag_id, run.run_id)})
    stage.scene.api.clear(run.dag_id, run.run_id, tasks)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_run_and_the_tasks_after_the_group_follow_the_image(
    case: Case, stage: Stage, report: Report
) -> None:
    ended, states, calls, status = (
        stage.ended(case),
        stage.states(case),
        stage.calls(case),
        stage.status(case),
    )
    followers = ", ".join(f"{name} {states[name]}" for name in GOOD if not name.startswith("bake."))
    outcome = f"run in {ended}, image {status}, {calls['RetryImage']} RetryImage; {followers}"
    report.add(HEADING, f"the test fails {case}", outcome)
    # Which of the two tests ends first decides between these; it does not run in either.
    not_run = {"skipped", "upstream_failed"}
    assert case.good or states["notify"] in not_run
    wanted = GOOD if case.good else BAD
    assert {name: states[name] for name in wanted} == wanted
    assert (ended, status) == (("success", "AVAILABLE") if case.good else ("failed", "FAILED"))
    assert calls == {"CreateImage": 1, "RetryImage": case.repairs, "CancelImageCreation": 0}


@pytest.mark.parametrize("case", [case for case in CASES if not case.good], ids=str)
def test_a_test_that_was_cancelled_names_the_test_that_failed(case: Case, stage: Stage) -> None:
    log = stage.log(case, "bake.security.test", 1)
    assert "package-audit cancelled, because the test workflow cis-level-1 failed" in log


@pytest.mark.parametrize("case", [case for case in CASES if case.good], ids=str)
def test_a_monitor_whose_failure_is_repaired_waited_for_the_repair(case: Case, stage: Stage) -> None:
    log = stage.log(case, "bake.security.test", 0)
    assert "Waiting: bake.image has not ended, and may still repair the image" in log


def test_the_scheduler_ends_the_leaves_of_a_group_without_a_worker(stage: Stage) -> None:
    ends = [
        stage.scene.api.task(run.dag_id, run.run_id, f"bake.{name}")
        for key, run in stage.runs.items()
        if isinstance(key, Case)
        for name in ("monitored", "ready")
    ]
    assert {task["hostname"] for task in ends} <= {None, ""}


def test_a_group_that_follows_a_repaired_one_bakes_its_image(stage: Stage, report: Report) -> None:
    ended, states = stage.ended("verdict-once"), stage.states("verdict-once")
    report.add(HEADING, "two groups in a group, one after the other, a test fails once", f"run in {ended}")
    assert (ended, states["after"]) == ("success", "success")
    assert states["fleet.first.image"] == states["fleet.second.image"] == "success"
    assert stage.calls("verdict-once") == {"CreateImage": 1, "RetryImage": 1, "CancelImageCreation": 0}


def test_a_group_that_follows_a_failed_one_bakes_nothing(stage: Stage, report: Report) -> None:
    ended, states = stage.ended("verdict-always"), stage.states("verdict-always")
    report.add(HEADING, "two groups in a group, one after the other, a test always fails", f"run in {ended}")
    assert (ended, states["after"]) == ("failed", "upstream_failed")
    assert states["fleet.second.create_image"] == "upstream_failed"


def test_an_image_that_is_cancelled_on_aws_fails_the_run_and_no_test(stage: Stage, report: Report) -> None:
    ended, states = stage.ended("cancelled"), stage.states("cancelled")
    tests = {state for name, state in states.items() if ".test[" in name}
    report.add(HEADING, "CancelImageCreation in another place, seven tests", f"run in {ended}, tests {tests}")
    assert (ended, states["bake.image"], states["roll_out"]) == ("failed", "failed", "upstream_failed")
    assert tests == {"skipped"}
    assert (states["bake.build"], states["bake.distribute"]) == ("success", "skipped")
    assert "cancelled, because the image was cancelled" in stage.log("cancelled", "bake.functional.test", 0)
    assert stage.calls("cancelled") == {"CreateImage": 1, "RetryImage": 0, "CancelImageCreation": 1}


def test_a_killed_group_that_is_cleared_succeeds_with_the_tasks_that_follow(
    stage: Stage, report: Report
) -> None:
    ended, states, calls = stage.ended("killed"), stage.states("killed"), stage.calls("killed")
    report.add(
        HEADING, "killed, seven tests; then cleared", f"run in {ended}, {calls['RetryImage']} RetryImage"
    )
    assert {state for name, state in stage.before.items() if ".test[" in name} == {"skipped"}
    assert (stage.before["bake.ready"], stage.before["roll_out"]) == ("upstream_failed", "upstream_failed")
    assert (ended, set(states.values())) == ("success", {"success"})
    assert stage.status("killed") == "AVAILABLE"
    assert calls == {"CreateImage": 1, "RetryImage": 1, "CancelImageCreation": 1}


def test_no_run_built_a_second_image(stage: Stage) -> None:
    names = [image["name"] for image in stage.scene.service.records()["images"]]
    built = {recipe: names.count(recipe) for recipe in (*FAILING, "verdict-seven")}
    of_cases = {recipe: sum(case.recipe == recipe for case in CASES) for recipe in FAILING}
    chains = {"verdict-once": 2, "verdict-twice": 0, "verdict-always": 1}
    assert built == {**{recipe: of_cases[recipe] + chains[recipe] for recipe in FAILING}, "verdict-seven": 2}
