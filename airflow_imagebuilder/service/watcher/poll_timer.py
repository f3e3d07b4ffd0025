"""One thing that is asked about an image: when next, and how long errors are borne."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.errors import ForbiddenError, ImageBuilderError, TransientError

if TYPE_CHECKING:
    from airflow_imagebuilder.service.watcher.settings import WatchSettings

AT_ONCE = float("-inf")
"""The due time of what is not to be spread over the interval."""

SOON = 1e-3
"""Seconds too small to wait for: clocks and sleeps are not finer."""

_PUNCTUAL = 0.1
_WRONG_KEY_GRACE = 900.0


class PollTimer:
    """One thing that is asked about an image (GetImage, ListWorkflowExecutions): when next, how it went."""

    __slots__ = ("_alike", "_grace", "asked_at", "due", "error", "failing_since", "failures")

    def __init__(self, due: float) -> None:
        self.due = due
        self.asked_at: float | None = None
        self.failures = 0
        self.error: ImageBuilderError | None = None
        """What keeps the answer away; None from the next good answer on."""
        self.failing_since = 0.0
        """The loop's time since when errors have been of the kind that the last one is of."""
        self._alike = 0
        self._grace: float | None = None

    def is_due(self, now: float) -> bool:
        """Return whether to ask now."""
        return self.due - now <= SOON

    def answered(self, asked_at: float, pause: float) -> None:
        """Note a good answer; ask again after ``pause`` seconds."""
        # Small delays must not add up; after a large one the old times would crowd together.
        begin = self.due if 0 <= asked_at - self.due < _PUNCTUAL * pause else asked_at
        self.asked_at, self.due, self.failures, self.error = asked_at, begin + pause, 0, None

    def failed(
        self, error: ImageBuilderError, now: float, settings: WatchSettings
    ) -> ImageBuilderError | None:
        """
        Note an error; ask again after a while that grows and is spread.

        One answer is no verdict: an outage often ends with a 403 or a 404 from something in between.

        :return: the error that the waits are to get, if errors of its kind have lasted too long.
        """
        grace = _grace(error, settings)
        if not self.failures or grace != self._grace:
            self.failing_since, self._alike, self._grace = now, 0, grace
        self.failures, self._alike, self.error = self.failures + 1, self._alike + 1, error
        pause = min(settings.poll_interval, 2.0 ** min(self.failures - 1, 10))
        self.due = now + pause * random.uniform(0.5, 1.0)  # noqa: S311 (no secret)
        if grace is None or (grace and (self._alike == 1 or now - self.failing_since < grace)):
            return None
        return _surfaced(error)


def _grace(error: ImageBuilderError, settings: WatchSettings) -> float | None:
    """Return the seconds for which a wait tolerates an error; None is until its deadline."""
    if isinstance(error, TransientError):
        # This code says "a wrong key" as well as "a key that AWS does not know yet".
        return _WRONG_KEY_GRACE if error.code == "UnrecognizedClientException" else None
    return settings.grace


def _surfaced(error: ImageBuilderError) -> ImageBuilderError:
    if not isinstance(error, TransientError):
        return error
    return ForbiddenError(error.operation, error.code, error.status, error.message, error.request_id)
