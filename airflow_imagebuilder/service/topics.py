"""One thing that is asked about an image: when next, and how long errors are borne."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageBuilderError,
    MalformedAnswerError,
    NotFoundError,
    TransientError,
)

if TYPE_CHECKING:
    from airflow_imagebuilder.service.settings import WatchSettings

AT_ONCE = float("-inf")
"""The due time of what is not to be spread over the interval."""

SOON = 1e-3
"""Seconds too small to wait for: clocks and sleeps are not finer."""

_PUNCTUAL = 0.1
_WRONG_KEY_GRACE = 900.0


class Topic:
    """One thing that is asked about an image (GetImage, ListWorkflowExecutions): when next, how it went."""

    __slots__ = ("asked", "due", "failing_since", "failures")

    def __init__(self, due: float) -> None:
        self.due = due
        self.asked: float | None = None
        self.failures = 0
        self.failing_since = 0.0

    def is_due(self, now: float) -> bool:
        """Return whether to ask now."""
        return self.due - now <= SOON

    def answered(self, asked: float, pause: float) -> None:
        """Note a good answer; ask again after ``pause`` seconds."""
        # Small delays must not add up; after a large one the old times would crowd together.
        begin = self.due if 0 <= asked - self.due < _PUNCTUAL * pause else asked
        self.asked, self.due, self.failures = asked, begin + pause, 0

    def failed(
        self, error: ImageBuilderError, now: float, settings: WatchSettings
    ) -> ImageBuilderError | None:
        """
        Note an error; ask again after a while that grows and is spread.

        :return: the error that the waits are to get, if it has lasted too long.
        """
        if not self.failures:
            self.failing_since = now
        self.failures += 1
        pause = min(settings.poll_interval, 2.0 ** min(self.failures - 1, 10))
        self.due = now + pause * random.uniform(0.5, 1.0)  # noqa: S311 (no secret)
        grace = _grace(error, settings)
        if grace and (self.failures == 1 or now - self.failing_since < grace):
            return None
        return _surfaced(error) if grace is not None else None


def _grace(error: ImageBuilderError, settings: WatchSettings) -> float | None:
    if isinstance(error, TransientError):
        # This code says "a wrong key" as well as "a key that AWS does not know yet".
        return _WRONG_KEY_GRACE if error.code == "UnrecognizedClientException" else None
    if isinstance(error, (ForbiddenError, NotFoundError, MalformedAnswerError)):
        return settings.grace
    return 0.0


def _surfaced(error: ImageBuilderError) -> ImageBuilderError:
    if not isinstance(error, TransientError):
        return error
    return ForbiddenError(error.operation, error.code, error.status, error.message, error.request_id)
