"""What a watcher tells of itself: numbers for a metrics system, and a line a minute at most for the log."""

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
    :param lists: lists that may be read instead of single images.
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


class OnceAMinute:
    """Says whether a log line is due, so that a thousand waits with one fault write no thousand lines."""

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
    Where the numbers go; the floor above passes in one that speaks to its metrics system.

    Counters: ``calls``, ``calls_throttled``, ``calls_failed`` (transient trouble other than throttling).
    Gauges: ``images``, ``waits``, ``calls_per_second`` (the rate that AWS bears at present).
    Timing: ``lag``, from the time that a look was due to its answer, the longest since the last report.
    """

    def incr(self, name: str, count: int) -> None:
        """Add to a counter."""

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""

    def timing(self, name: str, seconds: float) -> None:
        """Note a duration."""


class Report:
    """
    Collects what happens and tells it now and then.

    A metrics system that raises costs numbers, never a wait: each of its errors ends here.

    :param metrics: where the numbers go, every ten seconds.
    """

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.images = self.waits = 0
        self.rate = 0.0
        self._metrics = metrics
        self._counts = dict.fromkeys(("calls", "calls_throttled", "calls_failed"), 0)
        self._lag = 0.0
        self._measured = self._told = float("-inf")
        self._calls = self._failed = 0
        self._troubled_since: float | None = None
        self._last: ImageBuilderError | None = None
        self._may_complain = OnceAMinute()

    async def prepare(self) -> None:
        """Tell a first number, off the loop: metrics systems read their configuration when they get it."""
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
            self._last = error
        now = asyncio.get_running_loop().time()
        if now - self._told >= _LINE_EVERY:
            self._tell(now)
        if self._metrics is not None and now - self._measured >= _METRICS_EVERY:
            self.measure()

    def polled(self, lag: float) -> None:
        """Note how long after its time a look had its answer, in seconds."""
        self._lag = max(self._lag, lag)

    def measure(self) -> None:
        """Hand the numbers over now."""
        if self._metrics is None:
            return
        self._measured = asyncio.get_running_loop().time()
        try:
            self._hand_over(self._metrics)
        except Exception as error:  # noqa: BLE001 (whatever it is, the waits continue)
            self._complain(error)

    def _hand_over(self, metrics: Metrics) -> None:
        for name, count in self._counts.items():
            if count:
                metrics.incr(name, count)
                self._counts[name] = 0  # kept for the next time where it raised
        metrics.gauge("images", self.images)
        metrics.gauge("waits", self.waits)
        metrics.gauge("calls_per_second", self.rate)
        metrics.timing("lag", self._lag)
        self._lag = 0.0

    def _complain(self, error: Exception) -> None:
        if self._may_complain():
            log.warning(
                "The metrics system failed: %s: %s. Numbers of the Image Builder poll are missing there; "
                "waits and polling continue. Check that system and its configuration.",
                type(error).__name__, error,
            )  # fmt: skip

    def _tell(self, now: float) -> None:
        if self._failed:
            since = self._troubled_since = self._troubled_since or now
            log.warning(
                "%d of the last %d calls to Image Builder are tried again (trouble for %.0f s; last: %s). "
                "The poll goes at %.1f calls a second and fails nobody: %d images, %d waits.",
                self._failed, self._calls, now - since, _short(self._last),
                self.rate, self.images, self.waits,
            )  # fmt: skip
        elif self._troubled_since is not None:
            log.info(
                "Image Builder answers again after %.0f s: %d images, %d waits.",
                now - self._troubled_since, self.images, self.waits,
            )  # fmt: skip
            self._troubled_since = None
        else:
            return
        self._told, self._calls, self._failed = now, 0, 0


def _short(error: ImageBuilderError | None) -> str:
    return str(error).partition("\n")[0]
