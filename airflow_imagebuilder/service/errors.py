"""Everything that can go wrong, as one tree.

::

    ImageBuilderError
    ├── InvalidRequestError         refused before anything is sent (also a ValueError)
    │   ├── NoSuchTestsError        a task group draws no test group of this name (also a KeyError)
    │   └── OutdatedBoto3Error      the installed boto3 lacks an operation, or a member of the request
    ├── ImageFailedError            the image is FAILED
    ├── ImageCancelledError         the image is CANCELLED or DELETED
    ├── NotRepairableError          the image is FAILED or CANCELLED, and RetryImage cannot continue it
    ├── PipelineNotStartedError     a pipeline is missing, has no recipe, or is not what a task group draws
    ├── RequestChangedError         the image of an earlier try is building with other parameters
    ├── ImageNotFoundError          AWS does not find the image that a task is about
    ├── WorkflowFailedError         a watched workflow execution failed or was cancelled
    ├── TestsFailedError            the image is AVAILABLE, but tests failed and the task forbids that
    ├── ImageNotAvailableError      an image whose outputs are to be verified is not AVAILABLE
    ├── OutputsDifferError          outputs are not what the distribution configuration asks for
    ├── DeadlineExceededError       the image was still in progress at the deadline (also a TimeoutError)
    ├── WaitInterruptedError        the task could not observe its image any longer; it may still be building
    ├── UndecidedError              whether a build is needed could not be read, and the task forbids a guess
    ├── SearchDeadlineError         no image to wait for was found by the deadline (also a TimeoutError)
    ├── SearchInterruptedError      the lists that show the image to wait for could not be read
    ├── StateStoreError             Airflow's task state store did not answer, so nothing was sent to AWS
    └── AwsError                    AWS answered with an error, or in a shape that cannot be read
        ├── TransientError          another try may succeed
        │   └── ThrottledError      too many calls
        ├── QuotaExceededError      a service quota is used up
        ├── ForbiddenError          not allowed, or not known: credentials, region, endpoint
        ├── NotFoundError           no such resource
        ├── ParametersChangedError  the client token was used with other parameters
        ├── RefusedError            every other refusal
        └── MalformedAnswerError    success, but of a shape that cannot be read

Only :class:`TransientError` and what is below it may be retried as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_imagebuilder.service.results.failure import STAGES, ImageFailure
from airflow_imagebuilder.service.results.failure_text import failure_message, labelled
from airflow_imagebuilder.service.results.workflow import in_order
from airflow_imagebuilder.service.text import (
    CLEAR,
    NEW_IMAGE,
    answer_line,
    aws_command,
    cut_and_clean,
    image_name,
    one_line,
    what_continues,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MESSAGE, _NAME = 1000, 120  # characters that are shown of a message, and of a code or an id


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request, with what the user can do about it.

    :param field: the field as the user wrote it, e.g. ``workflows[2].parallel_group``.
    :param value: the value that the user gave; ``None`` if none was given.
    :param allowed: what is allowed there.
    :param remedy: what to do.
    """

    field: str
    value: object
    allowed: str
    remedy: str

    def __str__(self) -> str:
        # Repeated spaces may be the fault, so they stay.
        value = cut_and_clean(repr(self.value)).replace("\n", " ")
        got = "not given" if self.value is None else f"got {value}"
        field, allowed, remedy = (
            one_line(part, _MESSAGE) for part in (self.field, self.allowed, self.remedy)
        )
        return f"{field}: {got}; allowed: {allowed}; {remedy}"


class ImageBuilderError(Exception):
    """The root of every error that this package raises about Image Builder."""

    def without_next_step(self) -> str:
        """Return the message without advice on how to continue the image."""
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception.__reduce__ calls the class with the message alone, which no subclass here accepts.
        return _rebuild, (type(self), self.args, dict(self.__dict__))


class InvalidRequestError(ImageBuilderError, ValueError):
    """A request was refused before anything was sent to AWS.

    :param faults: all faults at once, each with its field, value, what is allowed and the remedy.
    :param of: whose request it is, e.g. ``task 'bake'``: Airflow's import errors do not show the Dag's line.
    """

    def __init__(self, faults: Sequence[Fault], of: str | None = None) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        head = f"Nothing was sent to AWS, the request{f' of {of}' if of else ''} has {count}:"
        super().__init__("\n".join([head, *(f"  - {fault}" for fault in self.faults)]))


class NoSuchTestsError(InvalidRequestError, KeyError):
    """A task group has no test group of the name that was asked for."""

    __str__ = Exception.__str__  # KeyError.__str__ shows the message in quotes, on one line


class OutdatedBoto3Error(InvalidRequestError):
    """The installed boto3 is older than an operation of AWS, or than a member of the request."""

    @property
    def why(self) -> str:
        """The faults as one clause, each with what it needs and what to do."""
        return "; ".join(f"{fault.field} needs {fault.allowed}: {fault.remedy}" for fault in self.faults)


class ImageFailedError(ImageBuilderError):
    """An image is FAILED.

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

    :param arn: the ARN of the pipeline.
    :param why: why it was not started, as a clause.
    :param remedy: what to do, as sentences.
    :param differences: where it is not what was declared, a line each; none by default.
    """

    def __init__(self, arn: str, why: str, remedy: str, differences: Sequence[str] = ()) -> None:
        self.arn, self.why, self.differences = arn, why, tuple(differences)
        lines = [f"  - {one_line(line, _MESSAGE)}" for line in self.differences]
        head = f"Pipeline {one_line(arn.rpartition('/')[2])} was not started: {why}{':' if lines else '.'}"
        super().__init__("\n".join([head, *lines, labelled("pipeline", arn), remedy]))


class ImageNotFoundError(ImageBuilderError):
    """AWS does not find the image that a task is about. The task did not start another image.

    :param arn: the image build version ARN.
    :param cause: the last answer of GetImage; the error keeps it as one line of text.
    """

    def __init__(self, arn: str, cause: BaseException | str) -> None:
        self.arn = arn
        self.cause = _cause_line(cause)
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


class ImageNotAvailableError(ImageBuilderError):
    """An image is not AVAILABLE, so its outputs cannot be verified.

    :param arn: the image build version ARN.
    :param status: the image's status.
    :param reason: the image's ``state.reason``, if AWS gives one.
    """

    def __init__(self, arn: str, status: str, reason: str | None = None) -> None:
        self.arn, self.status, self.reason = arn, status, reason
        why = f": {one_line(reason)}" if reason else ""
        super().__init__(
            f"Image {image_name(arn)} is {one_line(status)}, not AVAILABLE{why}\n"
            f"{labelled('image', arn)}\n"
            "Its outputs were not read. If it is still in progress, let this task run after the task that "
            "waits for it. An image that ended otherwise has no golden AMI, although AMIs may exist: build "
            "another one."
        )


class OutputsDifferError(ImageBuilderError):
    """Outputs of an image are not what its distribution configuration asks for, or could not be read.

    :param arn: the image build version ARN.
    :param differences: the differences as JSON-safe mappings, 100 at most: ``kind``, ``region``, ``account``,
        ``resource``, ``asked``, ``found``.
    :param count: how many differences there are.
    :param table: the first of them as text.
    :param remedies: what to do about each kind.
    """

    def __init__(
        self,
        arn: str,
        differences: Sequence[Mapping[str, str]],
        *,
        count: int,
        table: str,
        remedies: Sequence[str] = (),
    ) -> None:
        self.arn, self.count = arn, count
        self.differences = tuple(dict(difference) for difference in differences)
        what = "1 difference" if count == 1 else f"{count} differences"
        super().__init__(
            "\n".join(
                [
                    f"Image {image_name(arn)} is AVAILABLE, but its outputs are not as asked for: {what}.",
                    labelled("image", arn),
                    table,
                    *remedies,
                    "This task changed nothing. When the outputs are corrected, clear it.",
                ]
            )
        )


class DeadlineExceededError(ImageBuilderError, TimeoutError):
    """An image was still in progress at the deadline.

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

    :param arn: the image build version ARN.
    :param cause: the error that interrupted the wait; this error keeps it as one line of text.
    """

    def __init__(self, arn: str, cause: BaseException | str) -> None:
        self.arn = arn
        self.cause = _cause_line(cause)
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


class UndecidedError(ImageBuilderError):
    """Whether a build is needed could not be read, and ``when_unknown`` is ``fail``.

    :param unknown: what could not be read, each with the answer of AWS.
    """

    def __init__(self, unknown: Sequence[str]) -> None:
        self.unknown = tuple(unknown)
        lines = "\n".join(f"  - {one_line(text, _MESSAGE)}" for text in unknown)
        super().__init__(
            f"Whether a build is needed could not be decided:\n{lines}\n"
            "Nothing was built, and what follows did not start. Give the connection's policy the missing "
            "permissions, leave the check out (checks), or set when_unknown to build or skip. Then clear "
            "this task."
        )


class SearchDeadlineError(ImageBuilderError, TimeoutError):
    """There was no image to wait for by the deadline.

    :param wanted: the image, as a message names it.
    :param deadline: the deadline in seconds since the epoch.
    :param shown: the images that AWS shows, as text; empty (default) where they are not known.
    """

    def __init__(self, wanted: str, deadline: float, shown: str = "") -> None:
        self.wanted, self.deadline = wanted, deadline
        when = datetime.fromtimestamp(deadline, timezone.utc).isoformat(timespec="seconds")
        known = f"AWS shows: {shown}.\n" if shown else ""
        super().__init__(
            f"There was no image to wait for by {when}: {one_line(wanted, _MESSAGE)}.\n{known}"
            "Check that a build was started, that since is not later than that, and that the Airflow "
            "connection uses the account and region of the images. If builds start later, raise timeout."
        )


class SearchInterruptedError(ImageBuilderError):
    """The lists that show the image to wait for could not be read.

    :param wanted: what was read, as a message names it.
    :param cause: the error of the last call; this error keeps it as one line of text.
    """

    def __init__(self, wanted: str, cause: BaseException | str) -> None:
        self.wanted, self.cause = wanted, _cause_line(cause)
        super().__init__(
            f"{one_line(wanted, _MESSAGE)} could not be read: {one_line(self.cause)}\n"
            "Check the name or the ARN, that the Airflow connection uses this account and region, and that "
            "its policy allows the calls. Then clear this task. It only observes: no build is affected."
        )


class StateStoreError(ImageBuilderError):
    """What a task keeps between its tries could not be read or written, so this try started no build.

    :param reason: the error of the store, or of the connection to it.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            "This try started no build: Airflow did not read or store what this task keeps between its tries "
            f"(before Airflow 3.3, a Variable imagebuilder-...): {one_line(reason)}\n"
            "Without that record a later try could not find the image, and would build a second one. An "
            "image of an earlier try, or of the task that submits, may still be building.\n"
            "The next try of this task reads the store again. If no try is left, check that Airflow's API "
            "server answers its workers, then clear this task, with its downstream tasks. The clear cancels "
            "an image of this task that is still building, unless cancel_on_kill is False."
        )


class AwsError(ImageBuilderError):
    """AWS answered with an error.

    :param operation: the API operation, e.g. ``GetImage``.
    :param code: AWS's error code, or the name of the client's error where no answer came.
    :param status: the HTTP status; None where no answer came.
    :param message: AWS's message, kept as one line of at most 1,000 characters.
    :param request_id: AWS's id of the request, which AWS Support asks for.
    """

    retryable: ClassVar[bool] = False
    remedy: ClassVar[str] = ""
    attempts: int = 1
    """The number of attempts of the call, all of which failed."""

    def __init__(
        self,
        operation: str,
        code: str = "",
        status: int | None = None,
        message: str = "",
        request_id: str | None = None,
    ) -> None:
        self.operation = one_line(operation, _NAME)
        self.code = one_line(code, _NAME)
        self.status = status
        self.message = answer_line(message, _MESSAGE)
        self.request_id = one_line(request_id, _NAME) if request_id else None
        answer = " ".join(str(part) for part in (status, self.code) if part)
        head = ": ".join(part for part in (self.operation, answer, self.message) if part)
        request = f" (request id {self.request_id})" if self.request_id else ""
        super().__init__(f"{head}{request}" + (f"\n{self.remedy}" if self.remedy else ""))


class TransientError(AwsError):
    """An error that may pass: throttling, 5xx, the connection, credentials that have just expired."""

    retryable = True
    remedy = "If it lasts, check region, endpoint_url, network, credentials and this machine's clock."


class ThrottledError(TransientError):
    """Too many calls: to Image Builder, or from Image Builder to EC2 and SSM."""

    remedy = "Call less often: a longer poll interval, fewer builds at once."


class QuotaExceededError(AwsError):
    """A service quota is used up (ServiceQuotaExceededException, HTTP 402)."""

    remedy = "Wait until running builds finish, or ask for a higher quota in the Service Quotas console."


class ForbiddenError(AwsError):
    """The caller may not do this, or AWS does not recognize the caller."""

    remedy = (
        "Check the Airflow connection: its credentials and role, its region, "
        "and that its policy allows this imagebuilder action (CreateImage also needs iam:PassRole)."
    )


class NotFoundError(AwsError):
    """No resource has this ARN, in this account and region."""

    remedy = "Check name, version, account and region of the ARN; wildcards match existing versions only."


class ParametersChangedError(AwsError):
    """The client token was used before, with other parameters (IdempotentParameterMismatchException)."""

    remedy = "Send the parameters of the first request, or take a new client token to build a new image."


class RefusedError(AwsError):
    """AWS refused the request for another reason, which the message names."""


class MalformedAnswerError(AwsError):
    """AWS answered with success, but in a shape that cannot be read."""

    remedy = "Another server may have answered in place of AWS: check endpoint_url and proxies."


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


def _cause_line(cause: BaseException | str) -> str:
    """Return a cause as one line, with the class of an error that is not ours."""
    if isinstance(cause, str):
        return cause
    line = str(cause).partition("\n")[0]
    if isinstance(cause, ImageBuilderError):
        return line
    return f"{type(cause).__name__}: {line}" if line else type(cause).__name__


def _rebuild(
    kind: type[ImageBuilderError], args: tuple[Any, ...], state: dict[str, Any]
) -> ImageBuilderError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
