"""What a check found: its verdict, and the sentence that a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from airflow_imagebuilder.service.errors import (
    AwsError,
    ForbiddenError,
    ImageBuilderError,
    MalformedAnswerError,
    NotFoundError,
    OutdatedBoto3Error,
    RefusedError,
)
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

UNREADABLE = (ForbiddenError, NotFoundError, RefusedError, MalformedAnswerError, OutdatedBoto3Error)
"""Answers that another try would not change: the check stays open. An outage is not one of them."""
UNREADABLE_BUT_THERE = tuple(error for error in UNREADABLE if error is not NotFoundError)


class Verdict(str, Enum):
    """What a check says about a build."""

    BUILD = "build"
    NO = "no"
    UNKNOWN = "unknown"
    """It could not be read. ``when_unknown`` decides what that means."""
    NOT_COMPARED = "not compared"
    """AWS has nothing to compare, or the check is switched off. It counts for nothing."""

    def __str__(self) -> str:
        return str(self.value)


_STRONGEST = (Verdict.BUILD, Verdict.UNKNOWN, Verdict.NO, Verdict.NOT_COMPARED)


@dataclass(frozen=True)
class Statement:
    """
    One thing that a check found.

    :param check: the check, e.g. ``base_image``.
    :param verdict: what it says about a build.
    :param text: why, in one sentence without a full stop.
    """

    check: str
    verdict: Verdict
    text: str

    def __str__(self) -> str:
        return f"{self.check}: {self.text}"


def strongest(statements: list[Statement]) -> Verdict:
    """Return the verdict of one check that made several statements."""
    verdicts = {one.verdict for one in statements}
    return next(verdict for verdict in _STRONGEST if verdict in verdicts)


def read(
    check: str,
    what: str,
    call: Callable[[], T],
    unreadable: tuple[type[ImageBuilderError], ...] = UNREADABLE,
) -> T | Statement:
    """
    Return what a call of AWS answers, or the statement that it could not be read.

    :param check: the check that asks.
    :param what: what it asks for, e.g. ``component golden-base/x.x.x``.
    :param unreadable: the errors that become a statement (default: :data:`UNREADABLE`).
    :raises AwsError: AWS does not answer for the moment: the task's next try asks again.
    """
    try:
        return call()
    except unreadable as error:
        return Statement(check, Verdict.UNKNOWN, f"{what} could not be read ({_why(error)})")


def _why(error: Exception) -> str:
    if isinstance(error, OutdatedBoto3Error):
        return one_line(error.why, 300)
    head = str(error).partition("\n")[0] if isinstance(error, AwsError) else str(error)
    return one_line(head, 300)
