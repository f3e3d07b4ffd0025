"""Processes that stop for a while and come back: what another process has taken over is not cancelled."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from airflow.configuration import conf

from airflow_imagebuilder.compat import stores_in_variables
from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.image_builder import LocalService
from tests.faults.scene import (
    ENDLESS,
    IN_PROGRESS,
    SECONDS_OF_ENDLESS,
    SPEED,
    Scene,
    Task,
    add_pipeline,
    needs_retry_image,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.report import Report

HERE = Path(__file__).parent
HEADING = "a process stops for a while and comes back"
SETTINGS = {
    "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "60",
    # Seconds until Airflow takes a silent triggerer, event loop or worker for dead; the defaults are up to
    # some minutes. No shorter: the first question of a triggerer keeps its supervisor busy for up to ten.
    "TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "18",
    "TRIGGERER__RUNNER_HEALTH_CHECK_THRESHOLD": "10",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    # How often a worker asks an API server that does not answer.
    "WORKERS__EXECUTION_API_RETRIES": "2",
    "IMAGEBUILDER__POLL_INTERVAL": "2",
    "IMAGEBUILDER__FIRST_LOOK": "10",
}
GUARDS = ("single", "group.image", "pipeline")
"""The tasks of a run of ``taken_over`` that wait for an image and cancel it."""
FIRST, SECOND = "triggerer", "triggerer-2"
TAKEN = r"trigger \S+ \(ID \d+\) starting"
"""What Airflow logs when a triggerer has taken a wait."""
FAILED_TRY = "state failed for task instance TaskInstanceKey(dag_id='store_away'"
"""What the scheduler logs when a try has failed without a word to the API server."""
LEFT = "trigger completed"
"""What Airflow logs when a triggerer has left a wait, after on_kill."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A local Image Builder with a build and a test that take half an hour of real time."""
    with LocalService(speed=SPEED, home=tmp_path_factory.mktemp("imagebuilder")) as service:
        for name, kind in {"endless": "BUILD", "endless-test": "TEST"}.items():
            steps = f"steps:{ENDLESS}\n"
            service.client("imagebuilder").create_workflow(
                name=name,
                semanticVersion="1.0.0",
                type=kind,
                data=f"name: {name}\nschemaVersion: 1.0\n{steps}",
            )
        service.control(workflows=dict.fromkeys(("endless", "endless-test"), SECONDS_OF_ENDLESS))
        add_pipeline(service, "endless", "build/endless")
        yield service


@pytest.fixture(scope="module")
def scene(service: LocalService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An Airflow of its own, which takes a stopped process for dead within seconds."""
    env = {**service.env, **{f"AIRFLOW__{name}": value for name, value in SETTINGS.items()}}
    env["PYTHONPATH"] = str(HERE.parents[1])
    home = tmp_path_factory.mktemp("airflow")
    with AirflowStack(home, HERE / "dags", env, parallelism=12) as airflow:
        yield Scene(airflow, service)


@pytest.fixture
def second(scene: Scene) -> Iterator[None]:
    """No second triggerer is left to the next test, and the first one runs."""
    yield
    if FIRST in scene.airflow.pids:
        scene.airflow.resume(FIRST)
    scene.airflow.kill(SECOND)


@dataclass
class Held:
    """Two runs of a bake and a group, all of whose waits the first triggerer holds."""

    scene: Scene
    lives: str
    dies: str
    triggerer: int

    @classmethod
    def begin(cls, scene: Scene) -> Held:
        lives, dies = scene.start("taken_over", 2)
        held = cls(scene, lives, dies, 0)
        guards = [task for run in (lives, dies) for task in held.guards(run)]
        for task in guards:
            scene.arn(task)
            scene.await_state(task, "deferred")
        until(lambda: len(held.holders()) == 1 and None not in held.holders(), 60, held.holders)
        (held.triggerer,) = held.holders()
        for task in guards:
            _await_log(scene, task, TAKEN)
        return held

    def guards(self, run: str) -> list[Task]:
        """Return the tasks whose kill cancels."""
        return [Task("taken_over", run, task_id) for task_id in GUARDS]

    def arns(self, run: str) -> list[str]:
        return [self.scene.arn(task) for task in self.guards(run)]

    def holders(self) -> set[Any]:
        """Return the ids of the triggerer jobs that hold the waits, ``None`` for a wait that none holds."""
        rows = [row for run in (self.lives, self.dies) for row in self.scene.api.tasks("taken_over", run)]
        return {(row["triggerer_job"] or {}).get("id") for row in rows if row["state"] == "deferred"}

    def await_taken(self) -> float:
        """Wait until another triggerer holds all waits; return how long it took."""
        began = time.monotonic()
        until(lambda: self.holders().isdisjoint({self.triggerer, None}), 180, self.holders)
        return time.monotonic() - began

    def await_left(self) -> None:
        """Wait until the first triggerer has left its copies of the waits."""
        for run in (self.lives, self.dies):
            for task in self.guards(run):
                _await_log(self.scene, task, LEFT)

    def cancels(self) -> Counter[str]:
        arns = [*self.arns(self.lives), *self.arns(self.dies)]
        return Counter(c["arn"] for c in self.scene.calls("CancelImageCreation") if c["arn"] in arns)

    def kill(self) -> None:
        """Mark what is to be killed failed, and wait until AWS has cancelled it."""
        for task in self.guards(self.dies):
            self.scene.api.set_task_state(task.dag_id, task.run_id, task.task_id, "failed")
        arns = self.arns(self.dies)
        until(
            lambda: self.scene.statuses(arns)["CANCELLED"] == len(arns),
            60,
            lambda: self.scene.statuses(arns),
        )

    def end(self) -> str:
        """Let the builds end, and return how the run that was not killed ended."""
        self.scene.service.control(advance=3600 * SPEED)
        return str(self.scene.api.wait_for_run("taken_over", self.lives, 240)["state"])


def _assert_take_over(held: Held, report: Report, injected: str, seconds: float) -> None:
    """See that a take-over cancelled nothing, and that a kill afterwards still cancels."""
    held.await_left()
    after = held.cancels()
    statuses = held.scene.statuses([*held.arns(held.lives), *held.arns(held.dies)])
    report.add(
        HEADING,
        injected,
        f"taken over after {seconds:.0f} s; {sum(after.values())} cancels; images {dict(statuses)}",
    )
    assert after == {}
    assert set(statuses) <= IN_PROGRESS
    for task in held.guards(held.lives):
        assert "another triggerer watches it now" in _log(held.scene, task)
    held.kill()
    ended, kills = held.end(), held.cancels()
    report.add(HEADING, f"{injected}; then a kill", f"{dict(kills)}; the other run in {ended}")
    assert kills == dict.fromkeys(held.arns(held.dies), 1)
    assert ended == "success"
    assert held.scene.statuses(held.arns(held.lives)) == {"AVAILABLE": len(GUARDS)}


def test_a_suspended_triggerer_that_comes_back_cancels_nothing(
    scene: Scene, report: Report, second: None
) -> None:
    held = Held.begin(scene)
    scene.airflow.launch(FIRST, name=SECOND)
    scene.airflow.suspend(FIRST)
    seconds = held.await_taken()
    scene.airflow.resume(FIRST)
    _assert_take_over(held, report, "triggerer suspended (SIGSTOP, SIGCONT)", seconds)


# Before 3.2 the supervisor of a blocked loop keeps its heartbeat: its waits are not taken over.
@pytest.mark.skipif(
    not conf.has_option("triggerer", "runner_health_check_threshold"),
    reason="this Airflow does not notice a blocked event loop",
)
def test_a_triggerer_whose_event_loop_was_blocked_cancels_nothing(
    scene: Scene, report: Report, second: None, tmp_path: Path
) -> None:
    held = Held.begin(scene)
    scene.api.wait_for_dag("blocking")
    scene.api.trigger("blocking", {"folder": str(tmp_path)})
    until((tmp_path / "blocked").exists, 60, lambda: scene.airflow.log(FIRST).read_text()[-2000:])
    scene.airflow.launch(FIRST, name=SECOND)
    seconds = held.await_taken()
    (tmp_path / "free").touch()
    _assert_take_over(held, report, "event loop blocked by another package's trigger", seconds)


def test_a_suspended_worker_that_comes_back_cancels_nothing(scene: Scene, report: Report) -> None:
    task = Task("cut_off", scene.start("cut_off")[0], "bake")
    arn = scene.arn(task)
    _await_log(scene, task, "is BUILDING")
    pid = int(scene.api.task(task.dag_id, task.run_id, task.task_id)["pid"])
    process = psutil.Process(pid)
    suspended = [
        process,
        psutil.Process(process.ppid()),
    ]  # the task, and the supervisor that sends heartbeats
    for one in suspended:
        one.send_signal(signal.SIGSTOP)
    try:
        scene.await_state(task, "up_for_retry", seconds=120)
    finally:
        for one in suspended:
            one.send_signal(signal.SIGCONT)
    until(lambda: _is_gone(process), 60, lambda: _log(scene, task))
    cancels = len(scene.calls("CancelImageCreation", arn))
    report.add(HEADING, "worker suspended past its heartbeat timeout", f"{cancels} cancels")
    assert cancels == 0
    until(lambda: _row(scene, task)["try_number"] == 2, 120, lambda: scene.state(task))
    _await_log(scene, task, "attached by this try", try_number=2)
    scene.service.control(advance=3600 * SPEED)
    ended = scene.api.wait_for_run(task.dag_id, task.run_id, 240)["state"]
    cancels = len(scene.calls("CancelImageCreation", arn))
    report.add(HEADING, "the same, then the build ends", f"{cancels} cancels; run in {ended}")
    assert (cancels, ended, scene.arn(task)) == (0, "success", arn)


def test_an_api_server_that_is_away_at_the_first_store_costs_no_second_image(
    scene: Scene, report: Report, tmp_path: Path
) -> None:
    scene.api.wait_for_dag("store_away")
    before = len(scene.calls("CreateImage"))
    task = Task("store_away", scene.api.trigger("store_away", {"folder": str(tmp_path)}), "bake")
    until((tmp_path / "here").exists, 60, lambda: scene.api.states(task.dag_id, task.run_id))
    process = psutil.Process(int(_row(scene, task)["pid"]))
    scene.airflow.kill("api-server")
    try:
        (tmp_path / "on").touch()
        until(lambda: _has_failed(process, scene), 180, lambda: len(scene.calls("CreateImage")) - before)
        sent_without = len(scene.calls("CreateImage")) - before
    finally:
        scene.airflow.launch("api-server")
        scene.airflow.wait_ready()
    ended = scene.api.wait_for_run(task.dag_id, task.run_id, 240)["state"]
    images = len({call["arn"] for call in scene.calls("CreateImage")}) - before
    outcome = f"{sent_without} sent meanwhile; {images} image in the end; run in {ended}"
    report.add(HEADING, "API server away when the first token is stored", outcome)
    assert (sent_without, images, ended) == (0, 1, "success")


@needs_retry_image
def test_a_late_cancel_spares_what_a_new_try_has_repaired(scene: Scene, report: Report) -> None:
    run = scene.start("late_cancel")[0]
    tasks = [Task("late_cancel", run, "single", number) for number in range(3)]
    tasks += [Task("late_cancel", run, f"group_{number}.image") for number in range(2)]
    arns = [scene.arn(task) for task in tasks]
    until(lambda: scene.statuses(arns)["TESTING"] == len(arns), 120, lambda: scene.statuses(arns))
    for task in tasks:
        scene.await_state(task, "deferred")
        _await_log(scene, task, TAKEN)
    throttled = {"operation": "CancelImageCreation", "kind": "error", "status": 429, "lasts": 30}
    scene.service.control(faults=[{**throttled, "code": "CallRateLimitExceededException"}])
    scene.api.clear(
        "late_cancel", run, sorted({row["task_id"] for row in scene.api.tasks("late_cancel", run)})
    )
    until(
        lambda: set(arns) <= {call["arn"] for call in scene.calls("RetryImage")},
        240,
        lambda: scene.statuses(arns),
    )
    for task in tasks:  # the old kill has come through or was given up
        _await_log(scene, task, LEFT)
    last = {call["arn"]: call["real"] for call in scene.calls("RetryImage")}
    late = [c for c in scene.calls("CancelImageCreation") if c["arn"] in arns and c["real"] > last[c["arn"]]]
    given_up = sum("is given up after" in _log(scene, task) for task in tasks)
    scene.service.control(advance=3600 * SPEED)
    ended = scene.api.wait_for_run("late_cancel", run, 240)["state"]
    outcome = f"{len(late)} cancels after RetryImage, {given_up} given up; run in {ended}"
    report.add(HEADING, "cleared while CancelImageCreation is throttled for 30 s", outcome)
    assert late == []
    assert (ended, scene.statuses(arns)) == ("success", {"AVAILABLE": len(arns)})


def _is_gone(process: psutil.Process) -> bool:
    """Whether a task's process has ended; before 3.1 its executor leaves it as a zombie."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _has_failed(process: psutil.Process, scene: Scene) -> bool:
    """Whether the try of ``store_away`` has failed; 3.0 and 3.1 may leave its process without an answer."""
    left_behind = stores_in_variables() and FAILED_TRY in scene.airflow.log("scheduler").read_text()
    return left_behind or _is_gone(process)


def _row(scene: Scene, task: Task) -> dict[str, Any]:
    return scene.api.task(task.dag_id, task.run_id, task.task_id, task.map_index)


def _log(scene: Scene, task: Task, try_number: int = 1) -> str:
    return scene.api.task_log(task.dag_id, task.run_id, task.task_id, try_number, task.map_index)


def _await_log(scene: Scene, task: Task, text: str, *, try_number: int = 1) -> None:
    until(
        lambda: re.search(text, _log(scene, task, try_number)),
        120,
        lambda: (task, text, _log(scene, task, try_number)),
    )
