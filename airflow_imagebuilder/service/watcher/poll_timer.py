"""When to ask AWS about one thing of an image: the time, the errors so far, and the calls spared."""

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
"""The share of a pause by which a poll may be late and still keep its place in the interval."""
_WRONG_KEY_GRACE = 900.0
"""Seconds before an unknown access key counts as a wrong one."""
_MOST_SPARED = 8.0


class PollTimer:
    """
    When to make one call about an image (GetImage or ListWorkflowExecutions), and how the last one went.

    :param due: the loop's time of the first call.
    """

    __slots__ = ("_alike", "_grace", "asked_at", "due", "error", "failing_since", "failures")

    def __init__(self, due: float) -> None:
        self.due = due
        self.asked_at: float | None = None
        """The loop's time of the last call that had a good answer."""
        self.failures = 0
        self.error: ImageBuilderError | None = None
        """The error that keeps the answer away; None from the next good answer on."""
        self.failing_since = 0.0
        """The loop's time of the first of the errors with the same grace as the last one."""
        self._alike = 0
        self._grace: float | None = None

    def is_due(self, now: float) -> bool:
        """Return whether to call now."""
        return self.due - now <= SOON

    def answered(self, asked_at: float, pause: float) -> None:
        """
        Note a good answer, and schedule the next call.

        :param asked_at: the loop's time of the call.
        :param pause: seconds until the next call.
        """
        # Small delays must not add up; after a large one the old times would crowd together.
        begin = self.due if 0 <= asked_at - self.due < _PUNCTUAL * pause else asked_at
        self.asked_at, self.due, self.failures, self.error = asked_at, begin + pause, 0, None

    def failed(
        self, error: ImageBuilderError, now: float, settings: WatchSettings
    ) -> ImageBuilderError | None:
        """
        Note an error, and schedule the next call after a random pause that grows with each failure.

        One error does not decide: an outage often ends with a 403 or a 404 from a proxy or a load balancer.

        :param now: the loop's time.
        :return: the error that ends the waits, if errors of its kind have lasted longer than their grace.
        """
        grace = _grace(error, settings)
        if not self.failures or grace != self._grace:
            self.failing_since, self._alike, self._grace = now, 0, grace
        self.failures, self._alike, self.error = self.failures + 1, self._alike + 1, error
        pause = min(settings.poll_interval, 2.0 ** min(self.failures - 1, 10))
        self.due = now + pause * random.uniform(0.5, 1.0)  # noqa: S311 (not a secret)
        if grace is None or (grace and (self._alike == 1 or now - self.failing_since < grace)):
            return None
        return _surfaced(error)


class PollBudget:
    """The calls that an image has spared, compared with one call per interval. Faster polls spend them."""

    __slots__ = ("_spared",)

    def __init__(self) -> None:
        self._spared = 0.0

    def record(self, intervals: float, cost: float) -> None:
        """
        Record one poll.

        :param intervals: intervals since the poll before.
        :param cost: calls that this poll took; less than one for a share of a list.
        """
        self._spared = min(_MOST_SPARED, self._spared + intervals - cost)

    def covers(self, calls: int) -> bool:
        """Return whether so many calls have been spared."""
        return self._spared >= calls


def _grace(error: ImageBuilderError, settings: WatchSettings) -> float | None:
    """Return the seconds for which waits tolerate an error; None means until their deadline."""
    if isinstance(error, TransientError):
        # AWS answers with this code for a wrong key, and for a key that it does not know yet.
        return _WRONG_KEY_GRACE if error.code == "UnrecognizedClientException" else None
    return settings.grace


def _surfaced(error: ImageBuilderError) -> ImageBuilderError:
    if not isinstance(error, TransientError):
        return error
    return ForbiddenError(error.operation, error.code, error.status, error.message, error.request_id)
