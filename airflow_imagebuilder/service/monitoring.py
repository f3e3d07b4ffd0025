"""The verdict on one workflow of an image, from AWS's records alone, and the log of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.grammar import workflow_type_and_name
from airflow_imagebuilder.service.request.workflows import Workflow, WorkflowType
from airflow_imagebuilder.service.results.cause import (
    cause_of_end,
    continues,
    failed_execution,
    failure_context,
)
from airflow_imagebuilder.service.results.states import (
    IMAGE_FAILED,
    IMAGE_SUCCEEDED,
    STAGE_TYPES,
    ImageStatus,
    WorkflowStatus,
)
from airflow_imagebuilder.service.results.workflow import seconds_between
from airflow_imagebuilder.service.submission.repair import repairable
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_imagebuilder.service.results.snapshot import ImageSnapshot

_FAILED_BY_ITSELF = frozenset({WorkflowStatus.FAILED, WorkflowStatus.ROLLBACK_COMPLETED})
_DROPPED = frozenset({WorkflowStatus.CANCELLED, WorkflowStatus.SKIPPED})
_ORDER: tuple[str, ...] = (WorkflowType.BUILD, WorkflowType.TEST, WorkflowType.DISTRIBUTION)


class Outcome(str, Enum):
    """How a workflow ended."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Verdict:
    """How a workflow ended, with the reason for the task's log."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class WorkflowSelector:
    """The workflow that a task monitors, by which it finds the workflow's execution.

    :param type: BUILD, TEST or DISTRIBUTION.
    :param name: the workflow's name; ``None`` (the default) selects any workflow of this type.
    :param parallel_group: the test's parallel group; ``None`` (the default) selects a test without one.
    :param ordinal: the position, from 0 (the default), among equal workflows of the same group.
    """

    type: WorkflowType
    name: str | None = None
    parallel_group: str | None = None
    ordinal: int = 0

    def execution(self, executions: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """Return the execution of this workflow, if AWS shows it yet.

        :param executions: ListWorkflowExecutions' ``workflowExecutions`` without those that are ``retried``.
        """
        found = [e for e in executions if self._selects_execution(e)]
        found.sort(key=lambda e: (str(e.get("startTime") or "~"), str(e.get("workflowExecutionId"))))
        return found[self.ordinal] if self.ordinal < len(found) else None

    def configured(self, workflows: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether an image runs this workflow.

        :param workflows: GetImage's ``workflows``.
        """
        same = [w for w in map(Workflow.from_api, workflows) if self._selects(w.arn, w.parallel_group)]
        return self.ordinal < len(same)

    def _selects_execution(self, execution: Mapping[str, Any]) -> bool:
        return self._selects(str(execution.get("workflowBuildVersionArn")), execution.get("parallelGroup"))

    def _selects(self, arn: str, group: str | None) -> bool:
        # An execution names the build version and the request may name x.x.x, so the version does not count.
        type_, name = workflow_type_and_name(arn)
        if type_ != self.type.value.lower():
            return False
        return self.name is None or (name == self.name and (group or None) == self.parallel_group)


def judge(
    snapshot: ImageSnapshot, selector: WorkflowSelector, *, failed_is_stale: bool = False
) -> Verdict | None:
    """Return how a workflow ended; ``None`` while it has not ended.

    The first record of AWS that decides counts: the image's list of workflows, the execution's own status,
    the final status of the image, the stage of the image.

    :param snapshot: the image with its workflow executions.
    :param selector: the workflow.
    :param failed_is_stale: whether a failure may be older than a repair, so that it does not count yet.
    """
    execution = selector.execution(snapshot.executions)
    if execution is None and _left_out(snapshot, selector):
        return Verdict(Outcome.SKIPPED, f"{selector.name} was left out of this image")
    verdict = _verdict(snapshot, selector, execution)
    succeeded = verdict is not None and verdict.outcome is Outcome.SUCCESS
    if failed_is_stale and not succeeded and snapshot.status not in IMAGE_SUCCEEDED:
        return None
    return verdict


def may_be_undone(snapshot: ImageSnapshot, selector: WorkflowSelector, verdict: Verdict) -> bool:
    """Return whether a repair of the image (RetryImage) could still change how this workflow ended.

    :param snapshot: the image from which :func:`judge` had the verdict.
    :param selector: the workflow.
    :param verdict: how the workflow ended.
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
    return failed_execution(snapshot.image, snapshot.executions, certain=True) is not None


def _left_out(snapshot: ImageSnapshot, selector: WorkflowSelector) -> bool:
    workflows = snapshot.image.get("workflows") or ()
    return bool(workflows and selector.name) and not selector.configured(workflows)


def _verdict(
    snapshot: ImageSnapshot, selector: WorkflowSelector, execution: Mapping[str, Any] | None
) -> Verdict | None:
    status = str(execution.get("status")) if execution else None
    if execution and status in _FAILED_BY_ITSELF:
        return Verdict(Outcome.FAILED, f"ended {status}{_colon(execution.get('message'))}")
    if execution and status in _DROPPED:
        return _of_dropped(snapshot, execution)
    # After the distribution workflow the image may still fail while its outputs are configured.
    if status == WorkflowStatus.COMPLETED and selector.type is not WorkflowType.DISTRIBUTION:
        return Verdict(Outcome.SUCCESS, f"ended {status}")
    if snapshot.status in IMAGE_SUCCEEDED:
        return _of_good_image(snapshot, selector, execution)
    if snapshot.terminal:
        return _of_failed_image(snapshot, selector, execution)
    return _of_stage(snapshot, selector) if execution is None else None


def _of_dropped(snapshot: ImageSnapshot, execution: Mapping[str, Any]) -> Verdict | None:
    """Judge an execution that AWS ended or skipped although nothing in it had failed."""
    status, message = str(execution.get("status")), _colon(execution.get("message"))
    cause = cause_of_end(snapshot, execution)
    if cause is None and snapshot.status in IMAGE_FAILED:
        cause = _end_of_image(snapshot)
    if cause:
        return _cancelled(cause, began=bool(execution.get("startTime")))
    if status == WorkflowStatus.SKIPPED:
        return Verdict(Outcome.SKIPPED, f"AWS skipped it{message}")
    if not snapshot.terminal:
        return None  # the final status of the image will show why
    return Verdict(Outcome.FAILED, f"ended {status}{message}, and AWS gives no cause")


def _of_good_image(
    snapshot: ImageSnapshot, selector: WorkflowSelector, execution: Mapping[str, Any] | None
) -> Verdict:
    """Judge a workflow whose end AWS does not show, of an image that was built."""
    status = snapshot.status
    if selector.type is WorkflowType.TEST and selector.name and not _began(execution):
        return Verdict(Outcome.SKIPPED, f"the image is {status}, and AWS keeps no record of this test")
    return Verdict(Outcome.SUCCESS, f"the image is {status}")


def _of_failed_image(
    snapshot: ImageSnapshot, selector: WorkflowSelector, execution: Mapping[str, Any] | None
) -> Verdict:
    """Judge a workflow whose end AWS does not show, of an image that was not built."""
    end, began = _end_of_image(snapshot), _began(execution)
    # A stage has several tests, and any of them may have failed the image.
    if selector.type is not WorkflowType.TEST and _failed_in(snapshot) == selector.type.value:
        return Verdict(Outcome.FAILED, end)
    rolls_back = execution is not None and execution.get("status") == WorkflowStatus.ROLLBACK_IN_PROGRESS
    failed_itself = rolls_back and snapshot.status == ImageStatus.FAILED
    cause = None if failed_itself else cause_of_end(snapshot, execution)
    if cause or not began:
        return _cancelled(cause or end, began=began)
    return Verdict(Outcome.FAILED, end)


def _of_stage(snapshot: ImageSnapshot, selector: WorkflowSelector) -> Verdict | None:
    """Judge a workflow without an execution: an image in a later stage does not run it any more."""
    type_ = STAGE_TYPES.get(snapshot.status)
    if type_ is None or _ORDER.index(type_) <= _ORDER.index(selector.type) or not snapshot.executions:
        return None
    return Verdict(Outcome.SKIPPED, f"the image is {snapshot.status} and runs no such workflow")


def _end_of_image(snapshot: ImageSnapshot) -> str:
    return f"the image ended {snapshot.status}{_colon(snapshot.image['state'].get('reason'))}"


def _cancelled(cause: str, *, began: bool) -> Verdict:
    """Return the verdict on a workflow that did not fail: another event ended it, or prevented it."""
    return Verdict(Outcome.SKIPPED, f"cancelled, because {cause}{'' if began else '; it never began'}")


def _repairable(snapshot: ImageSnapshot) -> bool:
    """Return whether RetryImage accepts this image, now or once it has failed, as far as AWS shows."""
    final = snapshot.terminal and snapshot.status not in (ImageStatus.FAILED, ImageStatus.CANCELLED)
    return not final and repairable(snapshot.image)


def _failed_in(snapshot: ImageSnapshot) -> str | None:
    """Return the type of the workflows in whose stage the image failed."""
    if snapshot.status != ImageStatus.FAILED:
        return None
    return STAGE_TYPES.get(str(failure_context(snapshot.image).get("imageStatus")))


def _began(execution: Mapping[str, Any] | None) -> bool:
    return execution is not None and execution.get("status") != WorkflowStatus.PENDING


def _colon(message: object) -> str:
    return f": {one_line(str(message))}" if message else ""


class StepLog:
    """Log lines for the steps of a workflow as they change: name, action, state, duration, attempt."""

    def __init__(self) -> None:
        self._logged: dict[str, tuple[Any, ...]] = {}

    def news(self, steps: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return a line for each step that has started and has changed since the last call.

        :param steps: ListWorkflowStepExecutions' ``steps`` of one execution.
        """
        lines = []
        for step in sorted(steps, key=lambda s: str(s.get("startTime") or "~")):
            state = (step.get("status"), step.get("attemptNumber"), step.get("rollbackStatus"))
            if step.get("status") != "PENDING" and self._logged.get(step["stepExecutionId"]) != state:
                self._logged[step["stepExecutionId"]] = state
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
