"""The stages of an image's life, from the changes of its status."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_imagebuilder.ui.api.models import Stage
from airflow_imagebuilder.ui.run_view import values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from airflow_imagebuilder.ui.api.models import Outcome, StageName, Workflow, WorkflowType

STAGES: dict[str, StageName] = {
    "PENDING": "build",
    "CREATING": "build",
    "BUILDING": "build",
    "TESTING": "test",
    "DISTRIBUTING": "distribution",
    "INTEGRATING": "integration",
}

TYPES: dict[WorkflowType, StageName] = {"TEST": "test", "DISTRIBUTION": "distribution"}
"""The stages that begin with a workflow of their own type."""

ENDED_BY: dict[str, Outcome] = {"FAILED": "failed", "CANCELLED": "cancelled"}
"""How a stage ended that one of these statuses followed; else it passed."""


def stages_of(record: Mapping[str, Any], workflows: Sequence[Workflow], *, ended: bool) -> list[Stage]:
    """
    Return the stages; a repaired image has some of them twice.

    :param record: the record of the image.
    :param workflows: its workflows: a stage with a failed test has failed, also where the build went further.
    :param ended: whether the image has stopped changing.
    """
    stages: list[Stage] = []
    for change in values.items(record, "stages"):
        since = values.written(values.time(change, "since"))
        status = values.text(change, "status") or ""
        if since is None:
            continue
        name = STAGES.get(status)
        if stages and stages[-1].end is None and name != stages[-1].name:
            _end(stages, since, ENDED_BY.get(status, "passed"))
        if name and not (stages and stages[-1].end is None):
            stages.append(Stage(name=name, start=since, end=None, outcome="running"))
    if ended and stages and stages[-1].end is None:
        last = values.written(values.time(record, "ended_at")) or stages[-1].start
        _end(stages, last, ENDED_BY.get(values.text(record, "status") or "", "passed"))
    return [_judged(stage, workflows) for stage in _begun_with(stages, workflows)]


def _begun_with(stages: Sequence[Stage], workflows: Sequence[Workflow]) -> list[Stage]:
    """Return the stages with the starts of their first workflows, where a task saw the change later."""
    exact: list[Stage] = []
    for stage in stages:
        before = exact[-1] if exact else None
        begun = stage
        if before is not None and before.end == stage.start:
            since = _first_start(before, stage, workflows)
            exact[-1] = before.model_copy(update={"end": since})
            begun = stage.model_copy(update={"start": since})
        exact.append(begun)
    return exact


def _first_start(before: Stage, stage: Stage, workflows: Sequence[Workflow]) -> str:
    starts = [one.start for one in workflows if one.start and TYPES.get(one.type) == stage.name]
    return min((start for start in starts if before.start <= start <= stage.start), default=stage.start)


def _end(stages: list[Stage], when: str, outcome: Outcome) -> None:
    stages[-1] = stages[-1].model_copy(update={"end": when, "outcome": outcome})


def _judged(stage: Stage, workflows: Sequence[Workflow]) -> Stage:
    """Return a test stage with the outcome of its tests: the last attempt that began in it counts."""
    if stage.name != "test" or stage.outcome != "passed":
        return stage
    last: dict[tuple[str, str | None, int], Outcome] = {}
    seen: Counter[tuple[str, str | None, int]] = Counter()
    tests = [one for one in workflows if one.type == "TEST" and _began_in(stage, one)]
    for one in sorted(tests, key=lambda one: one.attempt):
        # The same test may run more than once in one group.
        seen[one.name, one.parallel_group, one.attempt] += 1
        last[one.name, one.parallel_group, seen[one.name, one.parallel_group, one.attempt]] = one.outcome
    return stage.model_copy(update={"outcome": "failed"}) if "failed" in last.values() else stage


def _began_in(stage: Stage, one: Workflow) -> bool:
    return one.start is not None and stage.start <= one.start <= (stage.end or one.start)
