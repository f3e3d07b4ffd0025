"""The stages of an image's life: from its workflows; where there are none, from changes of its status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.ui.api.models import Stage
from airflow_imagebuilder.ui.run_view import values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from airflow_imagebuilder.ui.api.models import Outcome, StageName, Workflow, WorkflowType

OF_STATUS: dict[str, StageName] = {
    "PENDING": "build",
    "CREATING": "build",
    "BUILDING": "build",
    "TESTING": "test",
    "DISTRIBUTING": "distribution",
    "INTEGRATING": "integration",
}

OF_TYPE: dict[WorkflowType, StageName] = {"BUILD": "build", "TEST": "test", "DISTRIBUTION": "distribution"}

ENDED_BY: dict[str, Outcome] = {"FAILED": "failed", "CANCELLED": "cancelled"}
"""How a stage ended that one of these statuses followed; else it passed."""


def stages_of(record: Mapping[str, Any], workflows: Sequence[Workflow], *, ended: bool) -> list[Stage]:
    """
    Return the stages; a repaired image has some of them twice.

    AWS's times of workflows are exact. A change of the status has the time of the poll that showed it.

    :param record: the record of the image.
    :param workflows: its workflows.
    :param ended: whether the image has stopped changing.
    """
    now = None if ended else OF_STATUS.get(values.text(record, "status") or "")
    ran = list(_from_workflows(record, workflows, now))
    known = {stage.name for stage in ran}
    begun = max((stage.start for stage in ran), default="")
    changes = [
        stage
        for stage in _from_changes(record, ended=ended)
        # A status that was seen late, such as by a new try, says nothing of the stages before.
        if stage.name not in known and (stage.name != "build" or not ran) and stage.start >= begun
    ]
    return sorted([*ran, *changes], key=lambda stage: stage.start)


def _from_workflows(
    record: Mapping[str, Any], workflows: Sequence[Workflow], now: StageName | None
) -> Iterator[Stage]:
    created = values.written(values.time(record, "created_at"))
    for kind, name in OF_TYPE.items():
        lives = list(_lives(one for one in workflows if one.type == kind))
        for number, life in enumerate(lives, 1):
            start = min(one.start for one in life if one.start)
            lasts = number == len(lives) and (now == name or any(one.end is None for one in life))
            end = None if lasts and now else max((one.end or start for one in life), default=start)
            first = created if name == "build" and number == 1 and created else start
            outcome: Outcome = "running" if end is None else _outcome(life)
            yield Stage(name=name, start=min(first, start), end=end, outcome=outcome)


def _lives(workflows: Iterable[Workflow]) -> Iterator[list[Workflow]]:
    """Group what ran by the lives of the image: a repair begins with a next attempt of some workflow."""
    life: list[Workflow] = []
    attempt = 1
    for one in sorted(
        (one for one in workflows if one.start), key=lambda one: (one.start or "", one.attempt)
    ):
        if life and one.attempt > attempt:
            yield life
            life = []
        attempt = max(attempt, one.attempt)
        life.append(one)
    if life:
        yield life


def _outcome(life: Sequence[Workflow]) -> Outcome:
    outcomes = {one.outcome for one in life}
    if "failed" in outcomes:
        return "failed"
    return "cancelled" if outcomes & {"cancelled", "running"} else "passed"


def _from_changes(record: Mapping[str, Any], *, ended: bool) -> list[Stage]:
    stages: list[Stage] = []
    for change in values.items(record, "stages"):
        since = values.written(values.time(change, "since"))
        status = values.text(change, "status") or ""
        if since is None:
            continue
        name = OF_STATUS.get(status)
        if stages and stages[-1].end is None and name != stages[-1].name:
            _end(stages, since, ENDED_BY.get(status, "passed"))
        if name and not (stages and stages[-1].end is None):
            stages.append(Stage(name=name, start=since, end=None, outcome="running"))
    if ended and stages and stages[-1].end is None:
        last = values.written(values.time(record, "ended_at")) or stages[-1].start
        _end(stages, last, ENDED_BY.get(values.text(record, "status") or "", "passed"))
    return stages


def _end(stages: list[Stage], when: str, outcome: Outcome) -> None:
    stages[-1] = stages[-1].model_copy(update={"end": max(when, stages[-1].start), "outcome": outcome})
