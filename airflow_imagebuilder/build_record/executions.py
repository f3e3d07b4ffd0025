"""The workflows of an image in its record: those declared, and each execution with its attempt."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.build_record.values import (
    ARN,
    MESSAGE,
    NAME,
    count,
    iso_of,
    mappings,
    text,
    word,
)
from airflow_imagebuilder.service.arns.grammar import workflow_type_and_name
from airflow_imagebuilder.service.results.states import WorkflowStatus, is_workflow_terminal
from airflow_imagebuilder.service.results.workflow import PHASES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TESTS_FAILED = frozenset(
    {WorkflowStatus.FAILED, WorkflowStatus.ROLLBACK_IN_PROGRESS, WorkflowStatus.ROLLBACK_COMPLETED}
)
"""States of a test that failed. A CANCELLED one was cut off, most often because another one failed."""

_STAGES = tuple(PHASES)

Key = tuple[str | None, str | None, str | None]
"""What the attempts of one workflow have in common: type, name, parallel group."""


def declared_of(image: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the workflows that an image runs, in AWS's order: ``name``, ``type``, ``parallel_group``."""
    found = []
    for item in mappings(image.get("workflows")):
        kind, name = workflow_type_and_name(str(item.get("workflowArn") or ""))
        if kind:
            key = (kind.upper(), text(name), text(item.get("parallelGroup")))
            found.append(dict(zip(("type", "name", "parallel_group"), key, strict=True)))
    return found


def executions_of(
    executions: Iterable[Mapping[str, Any]], declared: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """
    Return the executions of an image, those that a repair superseded too: by stage, then by start.

    :param executions: ListWorkflowExecutions' ``workflowExecutions``, all of them.
    :param declared: what :func:`declared_of` returns, to number equal workflows of the same group.
    """
    found = sorted(map(execution_of, executions), key=_position)
    equal = Counter(_key(item) for item in declared)
    superseded: Counter[Key] = Counter()
    for item in found:
        key = _key(item)
        item["attempt"] = 1 + superseded[key] // max(equal[key], 1)
        superseded[key] += item["retried"]
    return found


def execution_of(execution: Mapping[str, Any]) -> dict[str, Any]:
    """Return one execution without its attempt, which only the others can show."""
    kind, name = workflow_type_and_name(str(execution.get("workflowBuildVersionArn") or ""))
    return {
        "execution_id": text(execution.get("workflowExecutionId")),
        "name": text(name) or text(execution.get("workflowBuildVersionArn"), ARN) or "",
        "type": word(execution.get("type")) or (kind or "").upper(),
        "parallel_group": text(execution.get("parallelGroup")),
        "status": word(execution.get("status")),
        "start": iso_of(execution.get("startTime")),
        "end": iso_of(execution.get("endTime")),
        "retried": bool(execution.get("retried")),
        "attempt": 1,
        "steps_total": count(execution.get("totalStepCount")),
        "steps_succeeded": count(execution.get("totalStepsSucceeded")),
        "steps_failed": count(execution.get("totalStepsFailed")),
        "steps_skipped": count(execution.get("totalStepsSkipped")),
        "message": text(execution.get("message"), MESSAGE),
    }


def steps_of(steps: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps of an execution in the order in which they began; those that have not, last."""
    found = [
        {
            "name": text(step.get("name")) or "",
            "action": text(step.get("action"), NAME),
            "status": word(step.get("status")) or "",
            "start": iso_of(step.get("startTime")),
            "end": iso_of(step.get("endTime")),
            "message": text(step.get("message"), MESSAGE),
        }
        for step in steps
    ]
    return sorted(found, key=lambda step: step["start"] or "~")


def counts_of(
    executions: Iterable[Mapping[str, Any]], declared: Iterable[Mapping[str, Any]]
) -> dict[str, int]:
    """
    Return how many tests an image has, and how many of them passed and failed in its present life.

    :param executions: what :func:`executions_of` returns.
    :param declared: what :func:`declared_of` returns: tests that have not begun count in ``tests_total``.
    """
    tests = [item for item in executions if item["type"] == "TEST" and not item["retried"]]
    known = sum(item["type"] == "TEST" for item in declared)
    return {
        "tests_passed": sum(item["status"] == WorkflowStatus.COMPLETED for item in tests),
        "tests_failed": sum(item["status"] in TESTS_FAILED for item in tests),
        "tests_total": max(known, len(tests)),
    }


def settled(executions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the executions of an earlier record that cannot have changed since: those that have ended."""
    return [dict(item) for item in executions if is_workflow_terminal(str(item.get("status")))]


def most_telling(executions: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Return at most so many executions, in their order: those of the present life before superseded ones."""
    by_worth = sorted(range(len(executions)), key=lambda n: (executions[n]["retried"], n))
    return [executions[number] for number in sorted(by_worth[:most])]


def _key(item: Mapping[str, Any]) -> Key:
    return item["type"], item["name"], item["parallel_group"]


def _position(item: Mapping[str, Any]) -> tuple[int, bool, str, str]:
    stage = _STAGES.index(item["type"]) if item["type"] in _STAGES else len(_STAGES)
    return stage, item["start"] is None, item["start"] or "", item["execution_id"] or ""
