"""Why AWS ended, or never began, a workflow execution that had not failed: the image, or a neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.results.failure import type_and_name
from airflow_imagebuilder.service.states import ImageStatus, WorkflowStatus
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.service.results.snapshot import ImageSnapshot

_FAILING = frozenset(
    {WorkflowStatus.FAILED, WorkflowStatus.ROLLBACK_COMPLETED, WorkflowStatus.ROLLBACK_IN_PROGRESS}
)


def cause_of_end(snapshot: ImageSnapshot, execution: Mapping[str, Any] | None) -> str | None:
    """
    Return why AWS ended a workflow that had not failed; ``None`` where AWS does not say.

    :param execution: the workflow's execution; ``None`` for one that never began.
    """
    if snapshot.status == ImageStatus.CANCELLED:
        reason = snapshot.image["state"].get("reason")
        return f"the image was cancelled: {one_line(str(reason))}" if reason else "the image was cancelled"
    if snapshot.status == ImageStatus.DELETED:
        return "the image was deleted"
    failed = culprit(snapshot)
    if failed is None or failed is execution:
        return None
    kind, name = type_and_name(failed)
    if kind is None:
        return f"the workflow execution {failed.get('workflowExecutionId')} failed"
    return f"the {kind} workflow {name} failed"


def culprit(snapshot: ImageSnapshot) -> Mapping[str, Any] | None:
    """Return the workflow execution whose failure fails the image, as soon as AWS shows it."""
    named = snapshot.image["state"].get("failureContext", {}).get("workflowExecutionId")
    executions = snapshot.executions
    if found := [e for e in executions if named and e.get("workflowExecutionId") == named]:
        return found[0]
    failing = [e for e in executions if e.get("status") in _FAILING and not continues(snapshot.image, e)]
    return min(failing, key=lambda e: str(e.get("endTime") or "~"), default=None)


def continues(image: Mapping[str, Any], execution: Mapping[str, Any]) -> bool:
    """Say whether an image continues after a failure of this execution (``onFailure`` CONTINUE)."""
    return any(
        workflow.get("onFailure") == "CONTINUE" and _identity(workflow) == _identity(execution)
        for workflow in image.get("workflows") or ()
    )


def _identity(workflow: Mapping[str, Any]) -> tuple[tuple[str | None, str | None], str | None]:
    return type_and_name(workflow), workflow.get("parallelGroup") or None
