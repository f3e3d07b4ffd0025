"""Reporting of a watcher: numbers for a metrics system, and at most one line per minute for the log."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from airflow_imagebuilder.service.errors import ThrottledError, TransientError

if TYPE_CHECKING:
    from airflow_imagebuilder.service.errors import ImageBuilderError

log = logging.getLogger("airflow_imagebuilder.service.watcher.watcher")

_LINE_EVERY = 60.0
_METRICS_EVERY = 10.0


@dataclass(frozen=True)
class WatcherStats:
    """
    What a watcher is doing at one moment.

    :param images: images that are polled.
    :param waits: waits for them.
    :param scheduled: entries of the agenda; an image may have outdated ones besides its next poll.
    :param polls: polls that are under way.
    :param lists: lists of which builds are polled: one per image version, and the account's.
    :param calls_in_flight: calls that AWS has not answered yet.
    :param calls_per_interval: calls that the images need per interval.
    :param calls_per_second: the rate that AWS accepts at present, at most ``max_calls_per_second``.
    """

    images: int
    waits: int
    scheduled: int
    polls: int
    lists: int
    calls_in_flight: int
    calls_per_interval: int
    calls_per_second: float


class LogLimiter:
    """Decides whether a log line is due: a thousand waits with one fault must not write a thousand lines."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def __call__(self) -> bool:
        """Return whether to write the line now."""
        now = asyncio.get_running_loop().time()
        due = now - self._last >= _LINE_EVERY
        self._last = now if due else self._last
        return due


class Metrics(Protocol):
    """
    A metrics system.

    Counters: ``calls``, ``calls_throttled``, ``calls_failed`` (transient errors other than throttling).
    Gauges: ``images``, ``waits``, ``calls_per_second`` (the rate that AWS accepts at present).
    Timing: ``lag``, the longest time between the due time of a poll and its answer since the last report.
    """

    def incr(self, name: str, count: int) -> None:
        """Add to a counter."""

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""

    def timing(self, name: str, seconds: float) -> None:
        """Record a duration."""


class Report:
    """
    Collects numbers, and reports them every ten seconds to the metrics system and every minute to the log.

    An error of the metrics system costs numbers, never a wait.

    :param metrics: the metrics system; None if there is none.
    """

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.images = self.waits = 0
        self.rate = 0.0
        self._metrics = metrics
        self._counts = dict.fromkeys(("calls", "calls_throttled", "calls_failed"), 0)
        self._lag = 0.0
        self._measured_at = self._logged_at = float("-inf")
        self._calls = self._failed = 0
        self._failing_since: float | None = None
        self._last_error: ImageBuilderError | None = None
        self._may_complain = LogLimiter()

    async def prepare(self) -> None:
        """Send a first number in a thread: a metrics system reads its configuration when it gets that one."""
        if self._metrics is None:
            return
        try:
            await asyncio.to_thread(self._metrics.gauge, "images", self.images)
        except Exception as error:  # noqa: BLE001 (whatever it is, the waits continue)
            self._complain(error)

    def called(self, error: ImageBuilderError | None) -> None:
        """Count one call."""
        self._counts["calls"] += 1
        self._calls += 1
        if isinstance(error, TransientError):
            self._counts["calls_throttled" if isinstance(error, ThrottledError) else "calls_failed"] += 1
            self._failed += 1
            self._last_error = error
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= _LINE_EVERY:
            self._log(now)
        if self._metrics is not None and now - self._measured_at >= _METRICS_EVERY:
            self.measure()

    def polled(self, lag: float) -> None:
        """
        Record one poll.

        :param lag: seconds between the due time of the poll and its answer.
        """
        self._lag = max(self._lag, lag)

    def measure(self) -> None:
        """Send the numbers to the metrics system now."""
        if self._metrics is None:
            return
        self._measured_at = asyncio.get_running_loop().time()
        try:
            self._send(self._metrics)
        except Exception as error:  # noqa: BLE001 (whatever it is, the waits continue)
            self._complain(error)

    def _send(self, metrics: Metrics) -> None:
        for name, count in self._counts.items():
            if count:
                metrics.incr(name, count)
                self._counts[name] = 0  # only now: an error above keeps the count for the next time
        metrics.gauge("images", self.images)
        metrics.gauge("waits", self.waits)
        metrics.gauge("calls_per_second", self.rate)
        metrics.timing("lag", self._lag)
        self._lag = 0.0

    def _complain(self, error: Exception) -> None:
        if self._may_complain():
            log.warning(
                "The metrics system failed: %s: %s. It lacks numbers of the Image Builder poll; waits and "
                "polling continue. Check that system and its configuration.",
                type(error).__name__, error,
            )  # fmt: skip

    def _log(self, now: float) -> None:
        if self._failed:
            since = self._failing_since = self._failing_since or now
            log.warning(
                "%d of the last %d calls to Image Builder failed and will be retried (failing for %.0f s; "
                "last error: %s). Polling runs at %.1f calls/s at most. No task fails because of this before "
                "its deadline (%d images, %d waits).",
                self._failed, self._calls, now - since, str(self._last_error).partition("\n")[0],
                self.rate, self.images, self.waits,
            )  # fmt: skip
        elif self._failing_since is not None:
            log.info(
                "Image Builder answers again after %.0f s: %d images, %d waits.",
                now - self._failing_since, self.images, self.waits,
            )  # fmt: skip
            self._failing_since = None
        else:
            return
        self._logged_at, self._calls, self._failed = now, 0, 0
