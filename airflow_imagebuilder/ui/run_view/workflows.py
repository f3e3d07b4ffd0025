"""The workflows of an image: its executions, what monitors saw of them, and those that have not begun."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from airflow_imagebuilder.service.results.states import WORKFLOW_TERMINAL
from airflow_imagebuilder.ui.api.models import Step, Workflow
from airflow_imagebuilder.ui.run_view import values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_imagebuilder.ui.api.models import Outcome, TaskRef, WorkflowType
    from airflow_imagebuilder.ui.run_view.records import Stored

TYPES: tuple[WorkflowType, ...] = ("BUILD", "TEST", "DISTRIBUTION")

OUTCOMES: dict[str, Outcome] = {
    "PENDING": "pending",
    "RUNNING": "running",
    "ROLLBACK_IN_PROGRESS": "running",
    "COMPLETED": "passed",
    "FAILED": "failed",
    "ROLLBACK_COMPLETED": "failed",
    "SKIPPED": "skipped",
    "CANCELLED": "cancelled",
}

Key = tuple[str, str, "str | None"]
EARLIEST = datetime.min.replace(tzinfo=timezone.utc)


def key_of(member: Mapping[str, Any]) -> Key:
    """Return what names a workflow within an image: type, name and test group."""
    return (
        _type(member),
        values.text(member, "name") or "",
        values.text(member, "parallel_group"),
    )


def workflows_of(build: Stored, monitored: Sequence[Stored], *, ended: bool) -> list[Workflow]:
    """
    Return all workflows of an image, in AWS's order; those that a repair ran again once per attempt.

    :param build: the record of the image.
    :param monitored: records of its monitors.
    :param ended: whether the image has ended: what has not begun will not begin.
    """
    record = build.value
    by_execution = {values.text(one.value, "execution_id"): one for one in monitored}
    tasks = {key_of(one.value): one.place.task for one in monitored}
    executions = _executions(build, monitored)
    attempts: dict[Key, int] = {}
    for one in executions:
        attempts[key_of(one)] = max(attempts.get(key_of(one), 1), _attempt(one))
    made = []
    for one in executions:
        monitor = by_execution.get(values.text(one, "execution_id"))
        made.append(
            _workflow(
                _newer(one, build, monitor),
                _steps(monitor),
                tasks.get(key_of(one)),
                attempts[key_of(one)],
            )
        )
    made += [_not_begun(one, tasks.get(key_of(one)), ended=ended) for one in _waiting(record, executions)]
    return _in_order(made, record)


def _executions(build: Stored, monitored: Sequence[Stored]) -> list[Mapping[str, Any]]:
    """Return the executions of the record, and those that only a monitor has seen yet."""
    executions = [one for one in values.items(build.value, "workflows") if not _never_ran(one)]
    known = {values.text(one, "execution_id") for one in executions}
    return executions + [
        one.value
        for one in monitored
        if (values.text(one.value, "execution_id") or None) not in {*known, None}
    ]


def _never_ran(execution: Mapping[str, Any]) -> bool:
    """Return whether a repair replaced an execution that had not begun: its next attempt is the first one."""
    return execution.get("retried") is True and values.time(execution, "start") is None


def _newer(execution: Mapping[str, Any], build: Stored, monitor: Stored | None) -> Mapping[str, Any]:
    """Return the newer view of an execution; the record of an image that has ended wins always."""
    if monitor is None or build.is_final:
        return execution
    later = (monitor.observed_at or EARLIEST) > (build.observed_at or EARLIEST)
    # An execution that has stopped never runs again: a repair makes another one.
    stopped = values.text(execution, "status") in WORKFLOW_TERMINAL
    return {**execution, **monitor.value} if later and not stopped else execution


def _waiting(record: Mapping[str, Any], executions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the declared workflows without an execution. A name may be declared twice."""
    begun = Counter((key_of(one), _attempt(one)) for one in executions)
    seen: Counter[Key] = Counter()
    for (key, _), number in begun.items():
        seen[key] = max(seen[key], number)
    waiting = []
    for one in values.items(record, "declared"):
        if seen[key_of(one)]:
            seen[key_of(one)] -= 1
        else:
            waiting.append(one)
    return waiting


def _workflow(
    execution: Mapping[str, Any], steps: list[Step] | None, task: TaskRef | None, attempts: int
) -> Workflow:
    status = values.text(execution, "status")
    start = values.time(execution, "start")
    kind, name, group = key_of(execution)
    return Workflow(
        execution_id=values.text(execution, "execution_id"),
        name=name,
        type=kind,  # type: ignore[arg-type]
        parallel_group=group,
        status=status,
        # AWS adds states: one that is not known has begun, if it has a start.
        outcome=OUTCOMES.get(status or "PENDING", "running" if start else "pending"),
        start=values.written(start),
        end=values.written(values.time(execution, "end")),
        attempt=_attempt(execution),
        attempts=attempts,
        steps_total=values.count(execution, "steps_total"),
        steps_succeeded=values.count(execution, "steps_succeeded"),
        steps_failed=values.count(execution, "steps_failed"),
        steps_skipped=values.count(execution, "steps_skipped"),
        message=values.text(execution, "message"),
        steps=steps,
        task=task,
    )


def _not_begun(declared: Mapping[str, Any], task: TaskRef | None, *, ended: bool) -> Workflow:
    made = _workflow({**declared, "execution_id": None}, None, task, 1)
    return made.model_copy(update={"outcome": "skipped" if ended else "pending", "status": None})


def _steps(monitor: Stored | None) -> list[Step] | None:
    if monitor is None or not isinstance(monitor.value.get("steps"), list):
        return None
    return [
        Step(
            name=values.text(one, "name") or "",
            action=values.text(one, "action"),
            status=values.text(one, "status") or "PENDING",
            start=values.written(values.time(one, "start")),
            end=values.written(values.time(one, "end")),
            message=values.text(one, "message"),
        )
        for one in values.items(monitor.value, "steps")
    ]


def _in_order(workflows: list[Workflow], record: Mapping[str, Any]) -> list[Workflow]:
    places: dict[Key, int] = {}
    for place, one in enumerate(values.items(record, "declared")):
        places.setdefault(key_of(one), place)

    def order(one: Workflow) -> tuple[int, int, int, str]:
        place = places.get((one.type, one.name, one.parallel_group), len(places))
        return TYPES.index(one.type), place, one.attempt, one.start or "~"

    return sorted(workflows, key=order)


def _attempt(execution: Mapping[str, Any]) -> int:
    return max(1, values.count(execution, "attempt", 1))


def _type(member: Mapping[str, Any]) -> Literal["BUILD", "TEST", "DISTRIBUTION"]:
    kind = member.get("type")
    return next((one for one in TYPES if one == kind), "BUILD")
