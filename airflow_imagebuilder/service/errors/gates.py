"""What the gates and the sensor find wrong."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.errors.base import (
    MESSAGE,
    ImageBuilderError,
    cause_line,
)
from airflow_imagebuilder.service.results.failure_text import labelled
from airflow_imagebuilder.service.text import (
    image_name,
    one_line,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ImageNotAvailableError(ImageBuilderError):
    """An image is not AVAILABLE, so its outputs cannot be verified.

    Cause: The image is still in progress, or it ended FAILED, CANCELLED or DELETED.

    Way out: Let the task run after the task that waits for the image. If the image ended badly, build another
    one.

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

    Cause: The distribution left out a region, an account, a permission or a parameter, or a person changed
    the outputs later. The message has a table of what was asked for and what was found.

    Way out: Do what the message says about each kind of difference, then clear the task.

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


class UndecidedError(ImageBuilderError):
    """Whether a build is needed could not be read, and ``when_unknown`` is ``fail``.

    Cause: A check could not read what it compares, most often for a missing permission, and ``when_unknown``
    is ``fail``.

    Way out: Give the connection's policy the permissions, leave the check out of ``checks``, or set
    ``when_unknown`` to ``build`` or ``skip``. Then clear the task.

    :param unknown: what could not be read, each with the answer of AWS.
    """

    def __init__(self, unknown: Sequence[str]) -> None:
        self.unknown = tuple(unknown)
        lines = "\n".join(f"  - {one_line(text, MESSAGE)}" for text in unknown)
        super().__init__(
            f"Whether a build is needed could not be decided:\n{lines}\n"
            "Nothing was built, and what follows did not start. Give the connection's policy the missing "
            "permissions, leave the check out (checks), or set when_unknown to build or skip. Then clear "
            "this task."
        )


class SearchDeadlineError(ImageBuilderError, TimeoutError):
    """There was no image to wait for by the deadline.

    Cause: No image of this name, pipeline or version was started in time, or ``since`` is later than its
    creation.

    Way out: Check name, ARN and ``since``, and account and region of the connection. If builds start later,
    raise ``timeout``.

    :param wanted: the image, as a message names it.
    :param deadline: the deadline in seconds since the epoch.
    :param shown: the images that AWS shows, as text; empty (default) where they are not known.
    """

    def __init__(self, wanted: str, deadline: float, shown: str = "") -> None:
        self.wanted, self.deadline = wanted, deadline
        when = datetime.fromtimestamp(deadline, timezone.utc).isoformat(timespec="seconds")
        known = f"AWS shows: {shown}.\n" if shown else ""
        super().__init__(
            f"There was no image to wait for by {when}: {one_line(wanted, MESSAGE)}.\n{known}"
            "Check the name or the ARN, that a build was started, that since is not later than that, and "
            "that the Airflow connection uses the account and region of the images. If builds start later, "
            "raise timeout."
        )


class SearchInterruptedError(ImageBuilderError):
    """The lists that show the image to wait for could not be read.

    Cause: AWS refused the calls for longer than ``[imagebuilder] grace``.

    Way out: Check name, ARN, account, region and the policy of the connection, then clear the task. No build
    is affected.

    :param wanted: what was read, as a message names it.
    :param cause: the error of the last call; this error keeps it as one line of text.
    """

    def __init__(self, wanted: str, cause: BaseException | str) -> None:
        self.wanted, self.cause = wanted, cause_line(cause)
        super().__init__(
            f"{one_line(wanted, MESSAGE)} could not be read: {one_line(self.cause)}\n"
            "Check the name or the ARN, that the Airflow connection uses this account and region, and that "
            "its policy allows the calls. Then clear this task. It only observes: no build is affected."
        )
