"""How an image ends badly, and how the wait for it does."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_imagebuilder.service.errors.base import (
    MESSAGE,
    ImageBuilderError,
    cause_line,
)
from airflow_imagebuilder.service.results.failure import STAGES, ImageFailure
from airflow_imagebuilder.service.results.failure_text import failure_message, labelled
from airflow_imagebuilder.service.results.workflow import in_order
from airflow_imagebuilder.service.text import (
    CLEAR,
    NEW_IMAGE,
    aws_command,
    image_name,
    one_line,
    what_continues,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ImageFailedError(ImageBuilderError):
    """An image is FAILED.

    Cause: A workflow, a step, a component or a copy to a region failed. The message names it, quotes AWS, and
    has the address of the log. Where the reason is known, it says what to do.

    Way out: Correct the reason, then clear the task: the new try repairs the image where AWS allows it, and
    otherwise builds another one.

    :param arn: the image build version ARN.
    :param failure: what failed, and where its log is.
    """

    def __init__(self, arn: str, failure: ImageFailure) -> None:
        self.arn = arn
        self.failure = failure
        super().__init__(failure_message(failure, arn))

    def without_next_step(self) -> str:
        """Return the message without advice on how to continue the image."""
        return failure_message(self.failure, self.arn, repairable=False)


class ImageCancelledError(ImageBuilderError):
    """An image is CANCELLED or DELETED.

    Cause: A task was killed or cleared, its time ran out, or a person or program called CancelImageCreation.

    Way out: Clear the task that submitted the image: the new try repairs it where AWS allows it, and
    otherwise builds another one.

    :param arn: the image build version ARN.
    :param reason: the image's ``state.reason``, if AWS gives one.
    :param stage: the status in which it was cancelled, e.g. ``TESTING``, where that is known.
    :param status: the image's status: ``CANCELLED`` (the default) or ``DELETED``.
    """

    def __init__(
        self, arn: str, reason: str | None = None, *, stage: str | None = None, status: str = "CANCELLED"
    ) -> None:
        self.arn = arn
        self.reason = reason
        self.stage = stage
        self.status = status
        then = what_continues() if status == "CANCELLED" else NEW_IMAGE
        super().__init__(f"{self.without_next_step()}\nTo continue, {CLEAR}: {then}")

    def without_next_step(self) -> str:
        """Return the message without advice on how to continue the image."""
        by_cancel = self.status == "CANCELLED"
        where = f" in {one_line(self.stage)}" if self.stage else ""
        head = f"Image {image_name(self.arn)} ended {one_line(self.status)}{where}"
        reason = self.reason or (_USUAL_CANCELS if by_cancel else "")
        lines = [f"{head}: {one_line(reason)}" if reason else head, labelled("image", self.arn)]
        return "\n".join([*lines, _AFTER_CANCEL] if by_cancel else lines)


class NotRepairableError(ImageBuilderError):
    """An image is FAILED or CANCELLED, and RetryImage cannot continue it, so another try would not help.

    Cause: The image is a container image, or failed before its tests; or RetryImage is not permitted or not
    known to the installed boto3.

    Way out: Clear the task that submitted the image, with its downstream tasks; in a task group clear the
    whole group. That builds a new image.

    :param arn: the image build version ARN.
    :param ended: the error for the image's final status.
    :param why: why this task does not put the image back in progress.
    """

    def __init__(
        self,
        arn: str,
        ended: ImageBuilderError,
        why: str = "RetryImage accepts AMIs only, from the test phase on, and needs the permission "
        "imagebuilder:RetryImage",
    ) -> None:
        self.arn = arn
        self.ended = ended
        super().__init__(
            f"{ended.without_next_step()}\n"
            f"This task does not repair the image ({why}). Another try of this task would fail in the same "
            "way.\n"
            "To build a new image, clear the task that submitted this one, with its downstream tasks. In a "
            "task group, clear the whole group."
        )


class RequestChangedError(ImageBuilderError):
    """The image of an earlier try is still building, with other parameters than this try has.

    Cause: The parameters of the task were changed while an image of an earlier try was building.

    Way out: Clear the task to cancel that image and build with the new parameters. To keep it, restore the
    earlier parameters and set ``cancel_on_kill=False`` before.

    :param arn: the image build version ARN of that image.
    :param changed: the members of CreateImage that differ.
    """

    def __init__(self, arn: str, changed: Sequence[str]) -> None:
        self.arn, self.changed = arn, tuple(changed)
        super().__init__(
            f"Image {arn} of an earlier try is still building with other parameters (now different: "
            f"{', '.join(changed)}). This try does not cancel it.\n"
            "To build with the new parameters, clear this task: the clear cancels this image and builds "
            "another. With cancel_on_kill=False, cancel it first: "
            f"{aws_command('cancel-image-creation', arn)}\n"
            "To keep this image, restore the earlier parameters and set cancel_on_kill=False before you "
            "clear this task: it then waits for the image."
        )


class PipelineNotStartedError(ImageBuilderError):
    """A pipeline was read before its start, and not started. Nothing was changed on AWS.

    Cause: The pipeline was deleted, has no recipe, or its workflows are not those that the task group draws.
    The message lists the differences.

    Way out: Change the pipeline or the declaration, as the message says, then clear the task.

    :param arn: the ARN of the pipeline.
    :param why: why it was not started, as a clause.
    :param remedy: what to do, as sentences.
    :param differences: where it is not what was declared, a line each; none by default.
    """

    def __init__(self, arn: str, why: str, remedy: str, differences: Sequence[str] = ()) -> None:
        self.arn, self.why, self.differences = arn, why, tuple(differences)
        lines = [f"  - {one_line(line, MESSAGE)}" for line in self.differences]
        head = f"Pipeline {one_line(arn.rpartition('/')[2])} was not started: {why}{':' if lines else '.'}"
        super().__init__("\n".join([head, *lines, labelled("pipeline", arn), remedy]))


class ImageNotFoundError(ImageBuilderError):
    """AWS does not find the image that a task is about. The task did not start another image.

    Cause: The image was deleted, or the connection has another account or region than its ARN.

    Way out: Correct the connection and clear this task, which then waits for the image. If the image was
    deleted, clear the task that submits it.

    :param arn: the image build version ARN.
    :param cause: the last answer of GetImage; the error keeps it as one line of text.
    """

    def __init__(self, arn: str, cause: BaseException | str) -> None:
        self.arn = arn
        self.cause = cause_line(cause)
        super().__init__(
            f"AWS does not find image {image_name(arn)}: {one_line(self.cause)}\n"
            f"{labelled('image', arn)}\n"
            "It may still be building, so this task started no other image. Check the name, version, account "
            "and region of the ARN, and that the Airflow connection uses this account and region: the next "
            "try then waits for the image.\n"
            "If the image was deleted, clear the task that submits it, with its downstream tasks, to build "
            "another one."
        )


class WorkflowFailedError(ImageBuilderError):
    """A watched workflow execution is FAILED, ROLLBACK_COMPLETED or CANCELLED.

    Cause: A step of the workflow failed, or AWS stopped it. The message names the step and quotes AWS.

    Way out: See the error of the task that waits for the image, and clear that task: the monitor itself
    repairs nothing.

    :param workflow: the workflow's name.
    :param status: the status of the execution.
    :param arn: the image build version ARN.
    :param execution_id: the id of the workflow execution, ``wf-...``.
    :param failure: what failed in it, where that is known.
    """

    def __init__(
        self,
        workflow: str,
        status: str,
        arn: str,
        execution_id: str | None = None,
        failure: ImageFailure | None = None,
    ) -> None:
        self.workflow = workflow
        self.status = status
        self.arn = arn
        self.execution_id = execution_id
        self.failure = failure
        head = f"Workflow {one_line(workflow)} of image {image_name(arn)} ended {one_line(status)}"
        super().__init__(
            failure_message(failure, arn, head=head)
            if failure
            else "\n".join([f"{head}.", labelled("image", arn), labelled("execution", execution_id)]).rstrip()
        )


class TestsFailedError(ImageBuilderError):
    """An image is AVAILABLE, but tests failed, and the task does not accept images with failed tests.

    Cause: A test with ``on_failure`` CONTINUE failed, and ``fail_on_test_failure`` is on.

    Way out: Correct the test or the recipe, then clear the task to build another image. Do not use the
    outputs of this one.

    :param arn: the image build version ARN.
    :param tests: the names of the failed test workflows.
    """

    __test__: ClassVar[bool] = False  # the name would make pytest collect it

    def __init__(self, arn: str, tests: Sequence[str]) -> None:
        self.arn = arn
        self.tests = tuple(tests)
        count = "this test" if len(self.tests) == 1 else "these tests"
        super().__init__(
            f"Image {image_name(arn)} is AVAILABLE, but {count} failed: {one_line(', '.join(self.tests))}.\n"
            f"{labelled('image', arn)}\n"
            "Its outputs exist and are distributed: do not use them.\n"
            "The log of each test's task says what failed. RetryImage does not accept an AVAILABLE image: to "
            f"build another one, {CLEAR}. To accept images with failed tests, set fail_on_test_failure=False."
        )


class DeadlineExceededError(ImageBuilderError, TimeoutError):
    """An image was still in progress at the deadline.

    Cause: The build takes longer than ``timeout`` (or the task's ``execution_timeout``), or it hangs.

    Way out: If builds like this one need more time, raise ``timeout``. Otherwise the log of the workflow that
    ran last shows what it waited for.

    :param arn: the image build version ARN.
    :param deadline: the deadline in seconds since the epoch.
    :param status: the last status that AWS reported.
    :param cancelled: whether AWS accepted the cancel that this task submitted at the deadline; default False.
    """

    def __init__(
        self, arn: str, deadline: float, status: str | None = None, *, cancelled: bool = False
    ) -> None:
        self.arn = arn
        self.deadline = deadline
        self.status = status
        when = datetime.fromtimestamp(deadline, timezone.utc).isoformat(timespec="seconds")
        now = (
            f"AWS accepted its cancel. Its status after that: {status or 'CANCELLED'}."
            if cancelled
            else f"It was still {status or 'in progress'}, and keeps building unless it is cancelled."
        )
        super().__init__(
            f"Image {image_name(arn)} did not finish before its deadline, {when}. {now}\n"
            f"{labelled('image', arn)}\n"
            "If images like this one need more time, raise timeout (and execution_timeout, if it is set). If "
            "not, the log of the workflow that ran last shows what it waited for."
        )


class WaitInterruptedError(ImageBuilderError):
    """The task could not observe its image any longer. The image may still be building.

    Cause: AWS, the network, the credentials or their permissions failed for longer than the wait resumes by
    itself.

    Way out: Nothing, while tries are left: the next one watches the same image. Without one, do not clear the
    task while the image builds, since a clear cancels it; in a task group wait until it is AVAILABLE, then
    clear ``image``.

    :param arn: the image build version ARN.
    :param cause: the error that interrupted the wait; this error keeps it as one line of text.
    """

    def __init__(self, arn: str, cause: BaseException | str) -> None:
        self.arn = arn
        self.cause = cause_line(cause)
        super().__init__(
            f"Image {image_name(arn)} could not be observed any longer, and may still be building: "
            f"{one_line(self.cause)}\n"
            f"{labelled('image', arn)}\n"
            "Airflow's next try of this task resumes watching this image, and builds no other. If no try is "
            "left, do not clear the task while the image is building: with cancel_on_kill=True a clear "
            "cancels it. In a task group, wait until it is AVAILABLE, then clear `image` with its downstream "
            "tasks.\n"
            f"To see it now: {aws_command('get-image', arn)}"
        )


def error_for_image(
    arn: str,
    image: Mapping[str, Any],
    executions: Sequence[Mapping[str, Any]] = (),
    steps: Sequence[Mapping[str, Any]] = (),
) -> ImageBuilderError:
    """Return the error for an image that is FAILED, CANCELLED or DELETED.

    :param arn: the image build version ARN.
    :param image: GetImage's ``image``.
    :param executions: ListWorkflowExecutions' ``workflowExecutions``; none by default.
    :param steps: ListWorkflowStepExecutions' ``steps`` of the execution that failed; none by default.
    """
    status = image["state"]["status"]
    if status == "FAILED":
        failure = ImageFailure.from_api(image, executions, steps)
        return ImageFailedError(arn=arn, failure=failure)
    begun = [execution.type for execution in in_order(executions) if execution.start]
    stage = STAGES.get(begun[-1]) if begun else None
    return ImageCancelledError(arn, image["state"].get("reason"), stage=stage, status=status)


_AFTER_CANCEL = (
    "AMIs and snapshots made before that are still there.\n"
    "Airflow's audit log shows a kill of the task or its run; AWS CloudTrail shows who called "
    "CancelImageCreation."
)
_USUAL_CANCELS = "cancelled by a person, or by a task that was killed, cleared or past its deadline"
