"""What one workflow of an image is doing, judged from AWS's records and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.request.workflows import Workflow, WorkflowType
from airflow_imagebuilder.service.results.cause import cause_of_end, continues, culprit
from airflow_imagebuilder.service.results.workflow import seconds_between
from airflow_imagebuilder.service.states import IMAGE_FAILED, IMAGE_SUCCEEDED, WorkflowStatus
from airflow_imagebuilder.service.submission.repair import repairable
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_imagebuilder.service.results.snapshot import ImageSnapshot

_STAGE = {
    "BUILDING": WorkflowType.BUILD,
    "CREATING": WorkflowType.BUILD,
    "PENDING": WorkflowType.BUILD,
    "TESTING": WorkflowType.TEST,
    "DISTRIBUTING": WorkflowType.DISTRIBUTION,
    "INTEGRATING": WorkflowType.DISTRIBUTION,
}
_FAILED_BY_ITSELF = frozenset({WorkflowStatus.FAILED, WorkflowStatus.ROLLBACK_COMPLETED})
_DROPPED = frozenset({WorkflowStatus.CANCELLED, WorkflowStatus.SKIPPED})
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
class WorkflowSelector:
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


def judge(
    snapshot: ImageSnapshot, selector: WorkflowSelector, *, failed_is_stale: bool = False
) -> Verdict | None:
    """
    Say how a workflow ended; ``None`` while it has not.

    :param snapshot: the image with its workflow executions.
    :param failed_is_stale: a failure may be the one before a repair, so it does not count yet.
    """
    execution = selector.execution(snapshot.executions)
    if execution is None and _left_out(snapshot, selector):
        return Verdict(Outcome.SKIPPED, f"{selector.name} was left out of this image")
    verdict = _verdict(snapshot, selector, execution)
    if failed_is_stale and snapshot.status not in IMAGE_SUCCEEDED and verdict is not None:
        return verdict if verdict.outcome is Outcome.SUCCESS else None
    return verdict


def may_be_undone(snapshot: ImageSnapshot, selector: WorkflowSelector, verdict: Verdict) -> bool:
    """
    Say whether a repair of the image (RetryImage) could still change how this workflow ended.

    :param snapshot: the image from which :func:`judge` had the verdict.
    """
    execution = selector.execution(snapshot.executions)
    settled = verdict.outcome is Outcome.SUCCESS or (execution is None and _left_out(snapshot, selector))
    # RetryImage never runs the build workflow again.
    if settled or selector.type is WorkflowType.BUILD or not _repairable(snapshot):
        return False
    if snapshot.terminal:
        return True
    if verdict.outcome is Outcome.FAILED:
        return execution is None or not continues(snapshot.image, execution)
    return culprit(snapshot) is not None


def _left_out(snapshot: ImageSnapshot, selector: WorkflowSelector) -> bool:
    workflows = snapshot.image.get("workflows") or ()
    return bool(workflows and selector.name) and not selector.configured(workflows)


def _verdict(
    snapshot: ImageSnapshot, selector: WorkflowSelector, execution: Mapping[str, Any] | None
) -> Verdict | None:
    status = str(execution.get("status")) if execution else None
    if execution and status in _FAILED_BY_ITSELF:
        return Verdict(Outcome.FAILED, f"ended {status}{_said(execution.get('message'))}")
    if execution and status in _DROPPED:
        return _dropped(snapshot, execution)
    # After the distribution workflow the image may still fail while its outputs are configured.
    if status == WorkflowStatus.COMPLETED and selector.type is not WorkflowType.DISTRIBUTION:
        return Verdict(Outcome.SUCCESS, f"ended {status}")
    if snapshot.terminal:
        return _of_image(snapshot, selector, execution)
    return _passed_by(snapshot, selector) if execution is None else None


def _dropped(snapshot: ImageSnapshot, execution: Mapping[str, Any]) -> Verdict | None:
    """Judge an execution that AWS ended, or passed over, though nothing in it had failed."""
    status, message = str(execution.get("status")), execution.get("message")
    failed = snapshot.status in IMAGE_FAILED
    if cause := cause_of_end(snapshot, execution) or (_end(snapshot) if failed else None):
        return _cancelled(cause, began=bool(execution.get("startTime")))
    if status == WorkflowStatus.SKIPPED:
        return Verdict(Outcome.SKIPPED, f"AWS skipped it{_said(message)}")
    if not snapshot.terminal:
        return None  # the end of the image says why
    return Verdict(Outcome.FAILED, f"ended {status}{_said(message)}, and AWS gives no cause")


def _of_image(
    snapshot: ImageSnapshot, selector: WorkflowSelector, execution: Mapping[str, Any] | None
) -> Verdict:
    """Judge from the end of the image, where AWS shows no end of the workflow."""
    status, began = snapshot.status, execution is not None and _began(execution)
    if status in IMAGE_SUCCEEDED:
        if selector.type is WorkflowType.TEST and selector.name and not began:
            return Verdict(Outcome.SKIPPED, f"the image is {status}, and AWS keeps no record of this test")
        return Verdict(Outcome.SUCCESS, f"the image is {status}")
    if _failed_in(snapshot) is selector.type and selector.type is not WorkflowType.TEST:
        return Verdict(Outcome.FAILED, _end(snapshot))
    rolls_back = execution is not None and execution.get("status") == WorkflowStatus.ROLLBACK_IN_PROGRESS
    cause = None if rolls_back and status == "FAILED" else cause_of_end(snapshot, execution)
    if cause or not began:
        return _cancelled(cause or _end(snapshot), began=began)
    return Verdict(Outcome.FAILED, _end(snapshot))


def _passed_by(snapshot: ImageSnapshot, selector: WorkflowSelector) -> Verdict | None:
    """An image in a later stage that never showed this workflow does not run it."""
    stage = _STAGE.get(snapshot.status)
    if stage is None or _ORDER.index(stage) <= _ORDER.index(selector.type) or not snapshot.executions:
        return None
    return Verdict(Outcome.SKIPPED, f"the image is {snapshot.status} and runs no such workflow")


def _end(snapshot: ImageSnapshot) -> str:
    return f"the image ended {snapshot.status}{_said(snapshot.image['state'].get('reason'))}"


def _cancelled(cause: str, *, began: bool) -> Verdict:
    """No failure of this workflow: something else ended it, or kept it from beginning."""
    return Verdict(Outcome.SKIPPED, f"cancelled, because {cause}{'' if began else '; it never began'}")


def _repairable(snapshot: ImageSnapshot) -> bool:
    """Whether RetryImage takes this image, now or once it has failed, as far as AWS's answer says."""
    gone = snapshot.terminal and snapshot.status not in ("FAILED", "CANCELLED")
    return not gone and repairable(snapshot.image)


def _failed_in(snapshot: ImageSnapshot) -> WorkflowType | None:
    """Return the type of the workflow in whose stage the image failed."""
    if snapshot.status != "FAILED":
        return None
    return _STAGE.get(str(snapshot.image["state"].get("failureContext", {}).get("imageStatus")))


def _began(execution: Mapping[str, Any]) -> bool:
    return str(execution.get("status")) != WorkflowStatus.PENDING


def _said(message: object) -> str:
    return f": {one_line(str(message))}" if message else ""


class StepLog:
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
        parts.append(one_line(str(step["message"])))
    return ", ".join(parts)


__all__ = ["Outcome", "StepLog", "Verdict", "WorkflowSelector", "judge", "may_be_undone"]
