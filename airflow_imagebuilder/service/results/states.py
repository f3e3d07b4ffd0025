"""The states of images, workflow executions and steps: which of them are final, and why.

AWS adds states to its APIs, so every function accepts any string: an unknown state counts as in progress.
"""

from __future__ import annotations

from enum import Enum


class _State(str, Enum):
    """A state whose ``str()`` is AWS's own word on every version of Python."""

    def __str__(self) -> str:
        return str(self.value)


class ImageStatus(_State):
    """The status of an image build version (API reference, ``ImageState.status``)."""

    PENDING = "PENDING"
    CREATING = "CREATING"
    BUILDING = "BUILDING"
    TESTING = "TESTING"
    DISTRIBUTING = "DISTRIBUTING"
    INTEGRATING = "INTEGRATING"
    AVAILABLE = "AVAILABLE"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    DEPRECATED = "DEPRECATED"
    DELETED = "DELETED"
    DISABLED = "DISABLED"


class WorkflowStatus(_State):
    """The status of a workflow execution (API reference, ``WorkflowExecutionMetadata.status``)."""

    PENDING = "PENDING"
    SKIPPED = "SKIPPED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_COMPLETED = "ROLLBACK_COMPLETED"
    CANCELLED = "CANCELLED"


class StepStatus(_State):
    """The status of a workflow step execution (API reference, ``WorkflowStepMetadata.status``)."""

    PENDING = "PENDING"
    SKIPPED = "SKIPPED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    # The user guide ("Manage image workflows") names these two; the API's enum does not.
    WAITING = "WAITING"
    TIMED_OUT = "TIMED_OUT"


IMAGE_IN_PROGRESS: frozenset[str] = frozenset(
    {
        ImageStatus.PENDING,
        ImageStatus.CREATING,
        ImageStatus.BUILDING,
        ImageStatus.TESTING,
        ImageStatus.DISTRIBUTING,
        ImageStatus.INTEGRATING,
    }
)

STAGE_TYPES: dict[str, str] = {
    ImageStatus.PENDING.value: "BUILD",
    ImageStatus.CREATING.value: "BUILD",
    ImageStatus.BUILDING.value: "BUILD",
    ImageStatus.TESTING.value: "TEST",
    ImageStatus.DISTRIBUTING.value: "DISTRIBUTION",
    ImageStatus.INTEGRATING.value: "DISTRIBUTION",
}
"""The type of the workflows that run while an image has each status."""

# A successful build is AVAILABLE. A lifecycle policy may mark the image DEPRECATED or DISABLED before a late
# poll. Such an image was AVAILABLE, so its build succeeded, but its output may no longer be meant for use.
IMAGE_SUCCEEDED: frozenset[str] = frozenset(
    {ImageStatus.AVAILABLE, ImageStatus.DEPRECATED, ImageStatus.DISABLED}
)

# FAILED and CANCELLED are final until RetryImage puts the same ARN back in progress. DELETED is not the
# result of a build, but a deleted image will never be AVAILABLE.
IMAGE_FAILED: frozenset[str] = frozenset({ImageStatus.FAILED, ImageStatus.CANCELLED, ImageStatus.DELETED})

# A workflow that failed and then cleaned up after itself is ROLLBACK_COMPLETED.
WORKFLOW_FAILED: frozenset[str] = frozenset(
    {WorkflowStatus.FAILED, WorkflowStatus.ROLLBACK_COMPLETED, WorkflowStatus.CANCELLED}
)

# SKIPPED is final without a result: the workflow neither passed nor failed.
WORKFLOW_TERMINAL: frozenset[str] = WORKFLOW_FAILED | {WorkflowStatus.COMPLETED, WorkflowStatus.SKIPPED}

STEP_FAILED: frozenset[str] = frozenset({StepStatus.FAILED, StepStatus.TIMED_OUT, StepStatus.CANCELLED})

STEP_TERMINAL: frozenset[str] = STEP_FAILED | {StepStatus.COMPLETED, StepStatus.SKIPPED}


def is_image_terminal(status: str) -> bool:
    """Return whether an image of this status has stopped changing.

    :param status: ``state.status`` of GetImage; an unknown one counts as in progress.
    """
    return status in IMAGE_SUCCEEDED or status in IMAGE_FAILED


def is_workflow_terminal(status: str) -> bool:
    """Return whether a workflow execution of this status has stopped changing.

    :param status: ``status`` of ListWorkflowExecutions; an unknown one counts as in progress.
    """
    return status in WORKFLOW_TERMINAL


def is_step_terminal(status: str) -> bool:
    """Return whether a step execution of this status has stopped changing.

    :param status: ``status`` of ListWorkflowStepExecutions; an unknown one counts as in progress.
    """
    return status in STEP_TERMINAL
