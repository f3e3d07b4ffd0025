"""What one workflow of an image is doing, judged from AWS's records and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.executions import seconds_between
from airflow_imagebuilder.service.states import (
    IMAGE_SUCCEEDED,
    WORKFLOW_FAILED,
    WorkflowStatus,
    is_workflow_terminal,
)
from airflow_imagebuilder.service.workflows import Workflow, WorkflowType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_imagebuilder.service.waits import ImageSnapshot

_STAGE = {
    "BUILDING": WorkflowType.BUILD,
    "CREATING": WorkflowType.BUILD,
    "PENDING": WorkflowType.BUILD,
    "TESTING": WorkflowType.TEST,
    "DISTRIBUTING": WorkflowType.DISTRIBUTION,
    "INTEGRATING": WorkflowType.DISTRIBUTION,
}
_ORDER = (WorkflowType.BUILD, WorkflowType.TEST, WorkflowType.DISTRIBUTION)


class Outcome(str, Enum):
    """How a workflow ended."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Verdict:
    """How a workflow ended, and why, in a sentence for the task's log."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Sought:
    """
    Which workflow execution of an image is meant.

    :param type: BUILD, TEST or DISTRIBUTION.
    :param name: the workflow's name; ``None`` means any of its type.
    :param parallel_group: the test's parallel group.
    :param ordinal: which one, where an image runs the same workflow in the same group more than once.
    """

    type: WorkflowType
    name: str | None = None
    parallel_group: str | None = None
    ordinal: int = 0

    def execution(self, executions: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """Find it among the executions that AWS shows (those with ``retried`` must be left out)."""
        found = [e for e in executions if self._is(e)]
        found.sort(key=lambda e: (str(e.get("startTime") or "~"), str(e.get("workflowExecutionId"))))
        return found[self.ordinal] if self.ordinal < len(found) else None

    def configured(self, workflows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether an image with these workflows (GetImage's ``workflows``) runs it."""
        same = [w for w in map(Workflow.from_api, workflows) if self._means(w.arn, w.parallel_group)]
        return self.ordinal < len(same)

    def _is(self, execution: Mapping[str, Any]) -> bool:
        return self._means(str(execution.get("workflowBuildVersionArn")), execution.get("parallelGroup"))

    def _means(self, arn: str, group: str | None) -> bool:
        # An execution names the build version; the request may have said x.x.x. Type and name are the same.
        found = re.search(r":workflow/(build|test|distribution)/([^/]+)/", arn)
        if not found or found[1].upper() != self.type.value:
            return False
        return self.name is None or (found[2] == self.name and (group or None) == self.parallel_group)


def judge(snapshot: ImageSnapshot, sought: Sought, *, failed_is_stale: bool = False) -> Verdict | None:
    """
    Say how a workflow ended; ``None`` while it has not.

    :param snapshot: the image with its workflow executions.
    :param failed_is_stale: a failure may be the one before a repair, so it does not count yet.
    """
    execution = sought.execution(snapshot.executions)
    if execution is not None and (verdict := _of_execution(execution)):
        stale = failed_is_stale and verdict.outcome is Outcome.FAILED
        waits = sought.type is WorkflowType.DISTRIBUTION and verdict.outcome is Outcome.SUCCESS
        # After the distribution workflow the image may still fail while its outputs are configured.
        if not stale and not (waits and not snapshot.terminal):
            return verdict if not waits else _of_image(snapshot, sought, begun=True)
        return None
    if failed_is_stale and snapshot.terminal and snapshot.status not in IMAGE_SUCCEEDED:
        return None
    workflows = snapshot.image.get("workflows") or ()
    if workflows and sought.name and not sought.configured(workflows):
        return Verdict(Outcome.SKIPPED, f"{sought.name} was left out of this image")
    if snapshot.terminal:
        return _of_image(snapshot, sought, begun=execution is not None and _begun(execution))
    return _passed_by(snapshot, sought) if execution is None else None


def _of_execution(execution: Mapping[str, Any]) -> Verdict | None:
    status, message = str(execution.get("status")), execution.get("message") or ""
    if not is_workflow_terminal(status):
        return None
    if status in WORKFLOW_FAILED:
        return Verdict(Outcome.FAILED, f"ended {status}: {message}" if message else f"ended {status}")
    if status == WorkflowStatus.SKIPPED:
        return Verdict(Outcome.SKIPPED, f"AWS skipped it: {message}" if message else "AWS skipped it")
    return Verdict(Outcome.SUCCESS, f"ended {status}")


def _begun(execution: Mapping[str, Any]) -> bool:
    return str(execution.get("status")) != WorkflowStatus.PENDING


def _of_image(snapshot: ImageSnapshot, sought: Sought, *, begun: bool) -> Verdict:
    """Judge from the end of the image, where AWS shows no end of the workflow."""
    status = snapshot.status
    if status in IMAGE_SUCCEEDED:
        if sought.type is WorkflowType.TEST and sought.name and not begun:
            return Verdict(Outcome.SKIPPED, f"the image is {status}, and AWS keeps no record of this test")
        return Verdict(Outcome.SUCCESS, f"the image is {status}")
    state = snapshot.image["state"]
    failed_in = state.get("failureContext", {}).get("imageStatus")
    mine = _STAGE.get(str(failed_in)) is sought.type and sought.type is not WorkflowType.TEST
    if begun or (status == "FAILED" and mine):
        return Verdict(
            Outcome.FAILED, f"the image ended {status}: {state.get('reason') or 'no reason given'}"
        )
    return Verdict(Outcome.SKIPPED, f"the image ended {status} before this began")


def _passed_by(snapshot: ImageSnapshot, sought: Sought) -> Verdict | None:
    """An image in a later stage that never showed this workflow does not run it."""
    stage = _STAGE.get(snapshot.status)
    if stage is None or _ORDER.index(stage) <= _ORDER.index(sought.type) or not snapshot.executions:
        return None
    return Verdict(Outcome.SKIPPED, f"the image is {snapshot.status} and runs no such workflow")


class StepTeller:
    """Tells the steps of a workflow as they change: name, action, state, duration, attempt."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Any, ...]] = {}

    def news(self, steps: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return a line for each step that is not as it was."""
        lines = []
        for step in sorted(steps, key=lambda s: str(s.get("startTime") or "~")):
            state = (step.get("status"), step.get("attemptNumber"), step.get("rollbackStatus"))
            if step.get("status") != "PENDING" and self._told.get(step["stepExecutionId"]) != state:
                self._told[step["stepExecutionId"]] = state
                lines.append(_line(step))
        return lines


def _line(step: Mapping[str, Any]) -> str:
    took = seconds_between(step.get("startTime"), step.get("endTime"))
    parts = [f"step {step.get('name')} ({step.get('action')}): {step.get('status')}"]
    if took is not None:
        parts.append(f"{took:.0f} s")
    if step.get("attemptNumber"):
        parts.append(f"attempt {step['attemptNumber']} of {step.get('maxAttempts') or step['attemptNumber']}")
    if step.get("message"):
        parts.append(str(step["message"]))
    return ", ".join(parts)


__all__ = ["Outcome", "Sought", "StepTeller", "Verdict", "judge"]
