"""Every way of killing a bake cancels it on AWS, once and within seconds; deferred and on a worker."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

from airflow_imagebuilder.service.submission.recovery import KILL_GRACE
from tests.faults.scene import Scene, Task, until

if TYPE_CHECKING:
    from tests.faults.report import Report

LIMIT = timedelta(seconds=45)
"""As in ``dags/victims.py``."""
WITHIN = 10.0
"""Seconds from the kill to the cancellation on AWS."""
BUSY = 3
"""How many times slower than usual a machine may be."""

Act = Callable[[Scene, Task], None]

BY_HAND: dict[str, Act] = {
    "task marked failed": lambda s, t: s.api.set_task_state(t.dag_id, t.run_id, t.task_id, "failed"),
    "task marked success": lambda s, t: s.api.set_task_state(t.dag_id, t.run_id, t.task_id, "success"),
    "task cleared": lambda s, t: s.api.clear(t.dag_id, t.run_id, [t.task_id]),
    "run marked failed": lambda s, t: s.api.set_run_state(t.dag_id, t.run_id, "failed"),
    "run cleared": lambda s, t: s.api.clear_run(t.dag_id, t.run_id),
}
OF_A_PIPELINE = "of a pipeline: "
BY_HAND_OF_A_PIPELINE = ("task marked failed", "task cleared", "run marked failed")
BY_TIME = ("dagrun_timeout", "execution_timeout", "deadline")
RESTARTS = "RESTARTING" in inspect.getsource(SchedulerJobRunner.process_executor_events)
"""Whether Airflow starts a task again that was cleared while it ran. In 3.0 its state stays restarting."""
MODES = {"deferred": "deferred", "on_worker": "running"}
_TAKEN = re.compile("trigger .+ starting")
"""What Airflow logs when a triggerer has taken a wait."""


@dataclass(frozen=True)
class Victim:
    """A bake that is about to be killed, or was."""

    way: str
    mode: str
    task: Task
    arn: str


@dataclass(frozen=True)
class Verdict:
    """What became of a victim's image."""

    victim: Victim
    status: str
    cancels: int
    seconds: float


@pytest.mark.matrix
def test_every_way_of_killing_a_bake_cancels_its_image_once(scene: Scene, report: Report) -> None:
    timed = [v for mode in MODES for v in _victims(scene, mode, BY_TIME)]
    by_hand = [v for mode in MODES for v in _victims(scene, mode, BY_HAND)]
    of_pipelines = [v for mode in MODES for v in _victims_of_a_pipeline(scene, mode)]
    verdicts = []
    for victim in by_hand:
        _await_wait(scene, victim)
        killed = time.time()
        BY_HAND[victim.way](scene, victim.task)
        verdicts.append(_verdict(scene, victim, killed))
    verdicts += _killed_at_once(scene, of_pipelines)
    verdicts += [_verdict(scene, victim, _due(scene, victim)) for victim in timed]
    _end(scene, [*by_hand, *of_pipelines])
    verdicts.sort(key=lambda verdict: verdict.victim.mode)
    _add_figures(verdicts, report)
    _assert_verdicts(verdicts, report)


def test_a_kill_during_create_image_cancels_the_image_once(scene: Scene, report: Report) -> None:
    # Longer than the five seconds that a killed task gets after the next heartbeat, five seconds away.
    slow = {"operation": "CreateImage", "kind": "delay", "seconds": 20, "times": 1}
    before = {call["arn"] for call in scene.calls("CreateImage")}
    dag_id = "victim_by_hand__deferred"
    run_id = scene.start(dag_id)[0]
    scene.service.control(faults=[slow])
    arn = until(lambda: _new(scene, before), 180, lambda: scene.api.states(dag_id, run_id))
    victim = Victim(
        "task marked failed while it awaits CreateImage", "on_worker", Task(dag_id, run_id, "bake"), arn
    )
    killed = time.time()
    scene.api.set_task_state(dag_id, run_id, "bake", "failed")
    _assert_verdicts([_verdict(scene, victim, killed)], report)


def test_a_throttled_cancel_is_accepted_in_the_end(scene: Scene, report: Report) -> None:
    # A killed worker has five seconds; a triggerer has more, though Airflow stops on_kill after one.
    throttled = {"operation": "CancelImageCreation", "kind": "error", "status": 429}
    verdicts = []
    for mode, times in (("on_worker", 1), ("deferred", 4)):
        [victim] = _victims(scene, mode, ["task marked failed"])
        _await_wait(scene, victim)
        fault = {**throttled, "code": "CallRateLimitExceededException", "times": times}
        scene.service.control(faults=[fault])
        killed = time.time()
        BY_HAND[victim.way](scene, victim.task)
        verdict = _verdict(scene, victim, killed)
        way = f"{victim.way}, CancelImageCreation throttled {times} times"
        verdicts.append(replace(verdict, victim=replace(victim, way=way)))
    _assert_verdicts(verdicts, report)


def test_a_clear_while_no_triggerer_runs_cancels_the_image_too(scene: Scene, report: Report) -> None:
    scene.airflow.kill("triggerer")
    try:
        [victim] = _victims(scene, "deferred", ["task cleared"])
        scene.await_state(victim.task, "deferred")
        killed = time.time()
        BY_HAND[victim.way](scene, victim.task)
        verdict = _verdict(scene, victim, killed)
        scene.arn(victim.task, but=victim.arn)
    finally:
        scene.airflow.launch("triggerer")
    _await_wait(scene, victim, try_number=2)
    _end(scene, [victim])
    # The new try waits for KILL_GRACE seconds before it cancels the image itself.
    named = replace(verdict, victim=replace(victim, way="task cleared, no triggerer runs"))
    _assert_verdicts([named], report, grace=KILL_GRACE)


def _new(scene: Scene, before: set[str]) -> str | None:
    arns = {call["arn"] for call in scene.calls("CreateImage")} - before
    return arns.pop() if arns else None


def _victims(scene: Scene, mode: str, ways: Any) -> list[Victim]:
    """Start one run per way, and wait until each has submitted its image."""
    started = {}
    for way in ways:
        dag_id = f"victim_{way if way in BY_TIME else 'by_hand'}__{mode}"
        started[way] = Task(dag_id, scene.start(dag_id)[0], "bake")
    return [Victim(way, mode, task, scene.arn(task)) for way, task in started.items()]


def _victims_of_a_pipeline(scene: Scene, mode: str) -> list[Victim]:
    """Start one run per way, and wait until each has started its pipeline."""
    dag_id = f"victim_of_a_pipeline__{mode}"
    started = {way: Task(dag_id, scene.start(dag_id)[0], "bake") for way in BY_HAND_OF_A_PIPELINE}
    return [Victim(OF_A_PIPELINE + way, mode, task, scene.arn(task)) for way, task in started.items()]


def _killed_at_once(scene: Scene, victims: list[Victim]) -> list[Verdict]:
    """Kill victims one after another, and only then wait for their cancels: this takes less time."""
    for victim in victims:
        _await_wait(scene, victim)
    killed = {}
    for victim in victims:
        killed[victim.arn] = time.time()
        BY_HAND[victim.way.removeprefix(OF_A_PIPELINE)](scene, victim.task)
    return [_verdict(scene, victim, killed[victim.arn]) for victim in victims]


def _await_wait(scene: Scene, victim: Victim, try_number: int = 1) -> None:
    """
    Wait until a victim waits where its mode says.

    Airflow can report a kill only to a triggerer that has taken the trigger (docs/operations.md): these tests
    kill deferred tasks that a triggerer watches.
    """
    task = victim.task
    scene.await_state(task, MODES[victim.mode])
    if victim.mode == "deferred":
        log = (task.dag_id, task.run_id, task.task_id, try_number)
        until(lambda: _TAKEN.search(scene.api.task_log(*log)), 120, lambda: scene.api.task_log(*log))


def _due(scene: Scene, victim: Victim) -> float:
    """Return the Unix time at which Airflow or the deadline ends a victim."""
    task = victim.task
    if victim.way == "deadline":
        begin = float(scene.calls("CreateImage", victim.arn)[0]["real"])
    else:
        run = scene.api.run(task.dag_id, task.run_id)
        of_task = victim.way == "execution_timeout"
        row = scene.api.task(task.dag_id, task.run_id, task.task_id) if of_task else run
        begin = datetime.fromisoformat(row["start_date"].replace("Z", "+00:00")).timestamp()
    return begin + LIMIT.total_seconds()


def _verdict(scene: Scene, victim: Victim, killed: float) -> Verdict:
    """Wait until AWS has cancelled the victim's image."""
    until(
        lambda: scene.statuses([victim.arn])["CANCELLED"],
        LIMIT.total_seconds() + 120,
        lambda: (victim, scene.statuses([victim.arn]), scene.state(victim.task)),
    )
    calls = scene.calls("CancelImageCreation", victim.arn)
    return Verdict(victim, "CANCELLED", len(calls), calls[0]["real"] - killed)


def _end(scene: Scene, victims: list[Victim]) -> None:
    """Stop what a clear has started again, and wait until its images are cancelled."""
    arns = {victim.arn for victim in victims}
    for victim in victims:
        if victim.way.endswith("cleared"):
            if victim.mode == "deferred" or RESTARTS:
                arns.add(scene.arn(victim.task, but=victim.arn))
                _await_wait(scene, victim, try_number=2)
            scene.api.set_run_state(victim.task.dag_id, victim.task.run_id, "failed")
    until(lambda: scene.statuses(arns)["CANCELLED"] == len(arns), 120, lambda: scene.statuses(arns))


def _add_figures(verdicts: list[Verdict], report: Report) -> None:
    for mode, where in (("deferred", "deferred"), ("on_worker", "on a worker")):
        of_pipelines = tuple(OF_A_PIPELINE + way for way in BY_HAND_OF_A_PIPELINE)
        for ways in (tuple(BY_HAND), BY_TIME, of_pipelines):
            found = [
                next(v for v in verdicts if (v.victim.way, v.victim.mode) == (way, mode)) for way in ways
            ]
            seconds = ", ".join(f"{v.seconds:.1f}" for v in found)
            cancels = sum(v.cancels for v in found)
            what = f"seconds to the cancel, {where}: {', '.join(ways)}"
            report.figures[what] = f"{seconds}; {cancels} cancels of {len(found)}"


def _assert_verdicts(verdicts: list[Verdict], report: Report, *, grace: float = 0.0) -> None:
    for verdict in verdicts:
        where = "deferred" if verdict.victim.mode == "deferred" else "on a worker"
        report.add(
            f"killed while {where}",
            verdict.victim.way,
            f"{verdict.status} on AWS, cancel call after {verdict.seconds:.1f} s, {verdict.cancels} call",
        )
    assert [v for v in verdicts if v.cancels != 1] == []
    assert [v for v in verdicts if v.seconds > grace + WITHIN * BUSY] == []
