"""Which workflow execution failed an image, and why AWS ended the other ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.grammar import workflow_type_and_name
from airflow_imagebuilder.service.results.states import (
    STAGE_TYPES,
    WORKFLOW_FAILED,
    ImageStatus,
    WorkflowStatus,
)
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_imagebuilder.service.results.snapshot import ImageSnapshot

_FAILING = WORKFLOW_FAILED | {WorkflowStatus.ROLLBACK_IN_PROGRESS}
# Where there is no failureContext, the reason of an image names the execution (AWS user guide,
# troubleshooting; seen in aws-samples/immutable-server-pipeline#12).
_EXECUTION = re.compile(r"Workflow Execution ID:?\s*'?(wf-[0-9a-f-]+)", re.IGNORECASE)


def failure_context(image: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the ``failureContext`` of GetImage's ``image``; empty where AWS gives none."""
    return (image.get("state") or {}).get("failureContext") or {}


def failed_execution(
    image: Mapping[str, Any], executions: Iterable[Mapping[str, Any]], *, certain: bool = False
) -> Mapping[str, Any] | None:
    """Return the workflow execution that failed the image.

    AWS names it in failureContext or in the image's reason. Where AWS does not name it, it is the likeliest
    (see :func:`likeliest`) of the failed executions in the stage that failed; where only certain causes
    count, it is the first one of these.

    :param image: GetImage's ``image``.
    :param executions: ListWorkflowExecutions' ``workflowExecutions``; those that a retry superseded are left
        out.
    :param certain: whether to leave out executions that may not be the cause: cancelled ones, and those
        after whose failure the image continues.
    """
    context = failure_context(image)
    stage = STAGE_TYPES.get(context.get("imageStatus", ""))
    name = context.get("workflowExecutionId") or _named_in_reason(image)
    current = [item for item in executions if not item.get("retried")]
    for item in current:
        if name and item.get("workflowExecutionId") == name:
            return item
    possible = [item for item in current if stage in (None, item.get("type"))]
    if not certain:
        found = likeliest(image, possible)
        # Without a context, a distribution that has no execution may have failed the image.
        innocent = found is not None and not context and continues(image, found)
        return None if innocent else found
    failed = [i for i in possible if i.get("status") in _FAILING and not _is_doubtful(image, i)]
    # The first failure aborts the image. Those that follow may be a consequence.
    return min(failed, key=lambda item: str(item.get("endTime") or "~"), default=None)


def likeliest(image: Mapping[str, Any], executions: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the execution that most likely failed the image; ``None`` if none of them failed.

    An execution whose failure aborts the build goes before one after which the image continues, a failed one
    before a cancelled one, a late one before an early one.
    """

    def weight(item: Mapping[str, Any]) -> tuple[bool, bool, str]:
        cancelled = item.get("status") == WorkflowStatus.CANCELLED
        when = item.get("endTime") or item.get("startTime") or ""
        return not continues(image, item), not cancelled, when

    return max((item for item in executions if item.get("status") in _FAILING), key=weight, default=None)


def cause_of_end(snapshot: ImageSnapshot, execution: Mapping[str, Any] | None) -> str | None:
    """Return why AWS ended a workflow that had not failed; ``None`` where AWS does not say.

    :param execution: the workflow's execution; ``None`` for one that never began.
    """
    if snapshot.status == ImageStatus.CANCELLED:
        reason = snapshot.image["state"].get("reason")
        return f"the image was cancelled: {one_line(str(reason))}" if reason else "the image was cancelled"
    if snapshot.status == ImageStatus.DELETED:
        return "the image was deleted"
    failed = failed_execution(snapshot.image, snapshot.executions, certain=True)
    if failed is None or failed is execution:
        return None
    kind, name = type_and_name(failed)
    if kind is None:
        return f"the workflow execution {failed.get('workflowExecutionId')} failed"
    return f"the {kind} workflow {name} failed"


def continues(image: Mapping[str, Any], execution: Mapping[str, Any]) -> bool:
    """Return whether an image continues after a failure of this execution (``onFailure`` CONTINUE)."""
    return any(
        workflow.get("onFailure") == "CONTINUE" and _identity(workflow) == _identity(execution)
        for workflow in image.get("workflows") or ()
    )


def type_and_name(workflow: Mapping[str, Any]) -> tuple[str, str] | tuple[None, None]:
    """Return type and name of a workflow from its configuration or one of its executions."""
    arn = workflow.get("workflowBuildVersionArn") or workflow.get("workflowArn") or ""
    return workflow_type_and_name(str(arn))


def _is_doubtful(image: Mapping[str, Any], execution: Mapping[str, Any]) -> bool:
    return execution.get("status") == WorkflowStatus.CANCELLED or continues(image, execution)


def _named_in_reason(image: Mapping[str, Any]) -> str | None:
    found = _EXECUTION.search((image.get("state") or {}).get("reason") or "")
    return found[1] if found else None


def _identity(workflow: Mapping[str, Any]) -> tuple[tuple[str | None, str | None], str | None]:
    return type_and_name(workflow), workflow.get("parallelGroup") or None
