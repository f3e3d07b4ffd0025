"""Everything that can go wrong, as one tree.

::

    ImageBuilderError
    ├── InvalidRequestError         refused before anything is sent (also a ValueError)
    │   └── NoSuchTestsError        a task group draws no test group of this name (also a KeyError)
    ├── ImageFailedError            the image ended FAILED
    ├── ImageCancelledError         the image ended CANCELLED
    ├── NotRepairableError          the image ended badly, and RetryImage cannot run it on
    ├── RequestChangedError         the image of an earlier try is building with other parameters
    ├── ImageNotFoundError          AWS does not find the image that a task is about
    ├── WorkflowFailedError         a watched workflow execution failed or was cancelled
    ├── TestsFailedError            the image is AVAILABLE, but tests failed and were to stop it
    ├── DeadlineExceededError       the image was still in progress at the deadline (also a TimeoutError)
    ├── WaitInterruptedError        an image could not be observed any longer, and may still be building
    ├── StateStoreError             Airflow's task state store did not answer, so nothing was sent to AWS
    └── AwsError                    AWS answered an error, or something that is no answer
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

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_imagebuilder.service.results.failure import STAGES, ImageFailure
from airflow_imagebuilder.service.results.failure_text import describe, headline, labelled
from airflow_imagebuilder.service.results.workflow import in_order
from airflow_imagebuilder.service.text import (
    CLEAR,
    MAY_CONTINUE,
    answer_line,
    aws_command,
    cut_and_clean,
    image_name,
    one_line,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MESSAGE, _NAME = 1000, 120  # characters that are shown of a message, and of a code or an id


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request, told so that it can be put right.

    :param field: the field as the user wrote it, e.g. ``workflows[2].parallel_group``.
    :param value: the value got; None where there is none.
    :param allowed: what is allowed there.
    :param way_out: what to do.
    """

    field: str
    value: object
    allowed: str
    way_out: str

    def __str__(self) -> str:
        got = "not given" if self.value is None else f"got {_value(self.value)}"
        field, allowed, way_out = (
            one_line(part, _MESSAGE) for part in (self.field, self.allowed, self.way_out)
        )
        return f"{field}: {got}; allowed: {allowed}; {way_out}"


class ImageBuilderError(Exception):
    """The root of every error that this package raises about Image Builder."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way calls the class with the message alone, which no subclass here takes.
        return _revive, (type(self), self.args, dict(self.__dict__))


class InvalidRequestError(ImageBuilderError, ValueError):
    """A request was refused before anything was sent to AWS.

    :param faults: all faults at once, each with its field, value, what is allowed and the way out.
    :param of: whose request it is, e.g. ``task 'bake'``: Airflow's import errors do not show the Dag's line.
    """

    def __init__(self, faults: Sequence[Fault], of: str | None = None) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        head = f"Nothing was sent to AWS, the request{f' of {of}' if of else ''} has {count}:"
        super().__init__("\n".join([head, *map(_item, self.faults)]))


class NoSuchTestsError(InvalidRequestError, KeyError):
    """A test group is asked for that a task group does not draw."""

    __str__ = Exception.__str__  # KeyError's own shows the message in quotes, on one line


class ImageFailedError(ImageBuilderError):
    """An image ended FAILED.

    :param arn: the image build version ARN.
    :param failure: what failed and where to read on.
    """

    def __init__(self, arn: str, failure: ImageFailure) -> None:
        self.arn = arn
        self.failure = failure
        super().__init__(_failed(arn, failure))


class ImageCancelledError(ImageBuilderError):
    """An image ended CANCELLED.

    :param arn: the image build version ARN.
    :param reason: what AWS says about it, if anything.
    :param stage: the status in which it was cancelled, e.g. ``TESTING``, where that is known.
    :param status: how it ended, if not CANCELLED: an image can be DELETED too.
    """

    def __init__(
        self, arn: str, reason: str | None = None, *, stage: str | None = None, status: str = "CANCELLED"
    ) -> None:
        self.arn = arn
        self.reason = reason
        self.stage = stage
        self.status = status
        then = MAY_CONTINUE if status == "CANCELLED" else "that builds a new image."
        super().__init__(_cancelled(self, f"\nTo continue, {CLEAR}: {then}"))


class NotRepairableError(ImageBuilderError):
    """An image ended badly, and RetryImage cannot run it on: another try of a task that only waits is no use.

    :param arn: the image build version ARN.
    :param ended: how it ended.
    :param why: why this task does not put it back in progress.
    """

    def __init__(
        self,
        arn: str,
        ended: ImageBuilderError,
        why: str = "AWS did not take RetryImage: it takes AMIs only, from the test phase on, and needs the "
        "action imagebuilder:RetryImage",
    ) -> None:
        self.arn = arn
        self.ended = ended
        super().__init__(
            f"{_without_repair(ended)}\n"
            f"This task does not repair the image ({why}), so another try of it would end in the same way.\n"
            "To build a new image, clear the task that submitted this one, with what follows it: in a task "
            "group, clear the whole group."
        )


class RequestChangedError(ImageBuilderError):
    """
    The image of an earlier try is still building, with other parameters than this try has.

    :param arn: that image.
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
            "To keep this image, put the parameters back and set cancel_on_kill=False before you clear this "
            "task: it then waits for the image."
        )


class ImageNotFoundError(ImageBuilderError):
    """AWS does not find the image that a task is about. No other image was built for that.

    :param arn: the image build version ARN.
    :param cause: what GetImage answered at last.
    """

    def __init__(self, arn: str, cause: BaseException | str) -> None:
        self.arn = arn
        self.cause = cause if isinstance(cause, str) else _cause(cause)
        super().__init__(
            f"AWS does not find image {image_name(arn)}: {one_line(self.cause)}\n"
            f"{labelled('image', arn)}\n"
            "It may be building all the same, so no other image was built. Check name, version, account and "
            "region of the ARN, and that the Airflow connection leads there: the next try then watches it.\n"
            "If the image was deleted, clear the task that submits it, with what follows it, for another one."
        )


class WorkflowFailedError(ImageBuilderError):
    """A watched workflow execution ended FAILED, ROLLBACK_COMPLETED or CANCELLED.

    :param workflow: the workflow's name.
    :param status: how the execution ended.
    :param arn: the image build version ARN.
    :param execution_id: the workflow execution's id, ``wf-...``.
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
            _failed(arn, failure, head)
            if failure
            else "\n".join([f"{head}.", labelled("image", arn), labelled("execution", execution_id)]).rstrip()
        )


class TestsFailedError(ImageBuilderError):
    """An image is AVAILABLE, but tests failed, and who asked wants no image with failed tests.

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
            "Its outputs exist and are distributed: keep them from use.\n"
            "The log of each test's task says what failed. RetryImage takes no AVAILABLE image: to build "
            "another, "
            "clear the task group (without one: the task that submitted the image, with what follows it). To "
            "accept such images, set fail_on_test_failure=False."
        )


class DeadlineExceededError(ImageBuilderError, TimeoutError):
    """An image was still in progress at the deadline.

    :param arn: the image build version ARN.
    :param deadline: the deadline in seconds since the epoch.
    :param status: the status last seen.
    :param cancelled: whether it has been cancelled because of that.
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
    """An image could not be observed any longer, and may still be building.

    :param arn: the image build version ARN.
    :param cause: what ended the wait; the error keeps it as one line of text.
    """

    def __init__(self, arn: str, cause: BaseException | str) -> None:
        self.arn = arn
        self.cause = cause if isinstance(cause, str) else _cause(cause)
        super().__init__(
            f"Image {image_name(arn)} could not be observed any longer, and may still be building: "
            f"{one_line(self.cause)}\n"
            f"{labelled('image', arn)}\n"
            "Airflow's next try of this task resumes watching this image, and builds no other. If no try is "
            "left, do not clear while it builds: with cancel_on_kill=True a clear cancels it. In a task "
            "group wait until it is AVAILABLE, then clear `image` with what follows it.\n"
            f"To see it now: {aws_command('get-image', arn)}"
        )


class StateStoreError(ImageBuilderError):
    """Airflow's task state store could not be read or written, so no build was started.

    :param reason: what the store, or the way to it, answered.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            "No build was started: Airflow's task state store could not be read or written: "
            f"{one_line(reason)}\n"
            "Without the record there, a later try could not find the image, and would build a second one.\n"
            "The next try of this task begins here again. If no try is left, check that Airflow's API server "
            "answers its workers, then clear this task, with what follows it. The clear cancels an image "
            "of this "
            "task that is still building, unless cancel_on_kill is False."
        )


class AwsError(ImageBuilderError):
    """AWS answered an error.

    :param operation: the API operation, e.g. ``GetImage``.
    :param code: AWS's error code, or the name of the client's error where no answer came.
    :param status: the HTTP status; None where no answer came.
    :param message: AWS's message, kept as one line of at most 1,000 characters.
    :param request_id: AWS's id of the request, which its support asks for.
    """

    retryable: ClassVar[bool] = False
    way_out: ClassVar[str] = ""
    attempts: int = 1
    """How many attempts of the call this error ended."""

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
        super().__init__(_told(self))


class TransientError(AwsError):
    """Trouble that may pass: throttling, 5xx, the connection, credentials that have just expired."""

    retryable = True
    way_out = "If it lasts, check region, endpoint_url, network, credentials and this machine's clock."


class ThrottledError(TransientError):
    """Too many calls, to Image Builder or by it to EC2 and SSM."""

    way_out = "Call less often: a longer poll interval, fewer builds at once."


class QuotaExceededError(AwsError):
    """A service quota is used up (ServiceQuotaExceededException, HTTP 402)."""

    way_out = "Let running builds end, or ask for a higher quota in the Service Quotas console."


class ForbiddenError(AwsError):
    """The caller may not do this, or AWS cannot tell who the caller is."""

    way_out = (
        "Check the Airflow connection: its credentials and role, its region, "
        "and that its policy allows this imagebuilder action (CreateImage also needs iam:PassRole)."
    )


class NotFoundError(AwsError):
    """No resource has this ARN, in this account and region."""

    way_out = "Check name, version, account and region of the ARN; wildcards match existing versions only."


class ParametersChangedError(AwsError):
    """The client token was used before, with other parameters (IdempotentParameterMismatchException)."""

    way_out = "Send the parameters of the first request, or take a new client token to build a new image."


class RefusedError(AwsError):
    """AWS refused the request for a reason of its own; the message tells it."""


class MalformedAnswerError(AwsError):
    """AWS answered success, but in a shape that cannot be read."""

    way_out = "Something between here and AWS may answer in its place: check endpoint_url and proxies."


def ended_badly(
    arn: str,
    image: Mapping[str, Any],
    executions: Sequence[Mapping[str, Any]] = (),
    steps: Sequence[Mapping[str, Any]] = (),
) -> ImageBuilderError:
    """Return the error for an image that ended FAILED, CANCELLED or DELETED."""
    status = image["state"]["status"]
    if status == "FAILED":
        failure = ImageFailure.from_api(image, executions, steps)
        return ImageFailedError(arn=arn, failure=failure)
    begun = [execution.type for execution in in_order(executions) if execution.start]
    stage = STAGES.get(begun[-1]) if begun else None
    return ImageCancelledError(arn, image["state"].get("reason"), stage=stage, status=status)


_BY_CANCELLING = (
    "AMIs and snapshots made before that are still there.\n"
    "Airflow's audit log shows a kill of the task or its run; AWS CloudTrail shows who called "
    "CancelImageCreation."
)


def _failed(arn: str, failure: ImageFailure, head: str | None = None, *, repairable: bool = True) -> str:
    known = failure if failure.arn else replace(failure, arn=arn)
    return f"{headline(known, head)}\n{describe(known, repairable=repairable)}"


def _cancelled(error: ImageCancelledError, then: str = "") -> str:
    cancelled = error.status == "CANCELLED"
    where = f" in {one_line(error.stage)}" if error.stage else ""
    why = error.reason or (
        "a person, or a task that was killed, cleared or out of time, called it off" if cancelled else ""
    )
    head = f"Image {image_name(error.arn)} ended {one_line(error.status)}{where}"
    lines = [f"{head}: {one_line(why)}" if why else head, labelled("image", error.arn)]
    return "\n".join([*lines, _BY_CANCELLING] if cancelled else lines) + then


def _without_repair(ended: ImageBuilderError) -> str:
    """Describe how an image ended, without the advice to continue it."""
    if isinstance(ended, ImageFailedError):
        return _failed(ended.arn, ended.failure, repairable=False)
    if isinstance(ended, ImageCancelledError):
        return _cancelled(ended)
    return str(ended)


def _cause(error: BaseException) -> str:
    said = str(error).partition("\n")[0]
    if isinstance(error, ImageBuilderError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _told(error: AwsError) -> str:
    answer = " ".join(str(part) for part in (error.status, error.code) if part)
    said = ": ".join(part for part in (error.operation, answer, error.message) if part)
    by = f" (request id {error.request_id})" if error.request_id else ""
    return f"{said}{by}" + (f"\n{error.way_out}" if error.way_out else "")


def _value(value: object) -> str:
    return cut_and_clean(repr(value)).replace("\n", " ")  # two spaces may be what is wrong with it


def _item(fault: Fault) -> str:
    return f"  - {fault}"


def _revive(kind: type[ImageBuilderError], args: tuple[Any, ...], state: dict[str, Any]) -> ImageBuilderError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
