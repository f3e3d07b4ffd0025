"""The record of one workflow of an image with its steps: docs/build-record.md documents its members."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.build_record import SCHEMA
from airflow_imagebuilder.build_record.bounds import WORKFLOW_BYTES, bounded, fitting, shorten
from airflow_imagebuilder.build_record.executions import execution_of, executions_of, steps_of
from airflow_imagebuilder.build_record.values import ARN, iso, latest, text
from airflow_imagebuilder.service.results.states import STEP_FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_imagebuilder.build_record.bounds import Cut
    from airflow_imagebuilder.service.monitoring import WorkflowSelector

STEPS = 50
"""The most steps of a record."""

_COPIED = (
    "execution_id", "status", "start", "end", "attempt", "steps_total", "steps_succeeded", "steps_failed",
    "steps_skipped", "message",
)  # fmt: skip


def workflow_record(
    arn: str,
    selector: WorkflowSelector,
    execution: Mapping[str, Any] | None,
    steps: Sequence[Mapping[str, Any]] = (),
    *,
    executions: Sequence[Mapping[str, Any]] = (),
    asked_at: float,
    now: float | None = None,
) -> dict[str, Any]:
    """
    Return the record of one workflow: a JSON-safe mapping of at most :data:`WORKFLOW_BYTES` as JSON in UTF-8.

    :param arn: image build version ARN.
    :param selector: which workflow the task monitors.
    :param execution: its execution; ``None`` while AWS shows none.
    :param steps: ListWorkflowStepExecutions' ``steps`` of this execution; none by default.
    :param executions: all executions of the image, also those that are ``retried``: they show which attempt
        this one is.
    :param asked_at: Unix time at which AWS was asked.
    :param now: Unix time at which the record is made; ``None`` (default) means now.
    """
    shown = _shown(execution, executions)
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "arn": text(arn, ARN),
        "name": text(selector.name) or (shown["name"] if execution else ""),
        "type": selector.type.value,
        "parallel_group": text(selector.parallel_group) or (shown["parallel_group"] if execution else None),
        "ordinal": selector.ordinal,
        **{member: shown[member] for member in _COPIED},
        "observed_at": latest(_times(execution, steps), asked_at),
        "written_at": iso(time.time() if now is None else now),
        "truncated": [],
    }
    if execution is None:
        record["status"] = None
    record["steps"] = fitting(record, "steps", steps_of(steps), STEPS)
    return bounded(record, WORKFLOW_BYTES, _CUTS)


def _shown(execution: Mapping[str, Any] | None, executions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    own = execution_of(execution or {})
    for item in executions_of(executions):
        if execution is not None and item["execution_id"] == own["execution_id"]:
            return item
    return own


def _times(execution: Mapping[str, Any] | None, steps: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [item.get(name) for item in (execution or {}, *steps) for name in ("startTime", "endTime")]


def _keep_steps(most: int) -> tuple[str, Cut]:
    """Return the cut that keeps so many steps, in their order: those that failed before the others."""

    def cut(record: dict[str, Any]) -> bool:
        steps = record["steps"]
        worth = sorted(range(len(steps)), key=lambda n: (steps[n]["status"] not in STEP_FAILED, n))
        record["steps"] = [steps[n] for n in sorted(worth[:most])]
        return len(steps) > most

    return "steps", cut


_CUTS = (
    *(shorten(path, most) for most in (300, 100, 40) for path in ("steps.message", "message")),
    shorten("steps.message", 0),
    *(_keep_steps(most) for most in (25, 10, 3, 0)),
    shorten("message", 0),
)
