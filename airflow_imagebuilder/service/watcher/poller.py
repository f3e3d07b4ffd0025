"""Poller: polls each image when it is due, for as long as waits are left for it."""

from __future__ import annotations

import asyncio
import functools
import heapq
import itertools
import logging
import random
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.client.aio_client import NotWantedError
from airflow_imagebuilder.service.client.loop_registry import detached
from airflow_imagebuilder.service.errors import ImageBuilderError
from airflow_imagebuilder.service.watcher.image_poller import ImagePoller
from airflow_imagebuilder.service.watcher.poll_timer import PollTimer
from airflow_imagebuilder.service.watcher.reporting import LogLimiter, WatcherStats
from airflow_imagebuilder.service.watcher.tracked_image import TrackedImage

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.service.events.hints import Hints
    from airflow_imagebuilder.service.watcher.reporting import Report
    from airflow_imagebuilder.service.watcher.scheduled_client import ScheduledClient
    from airflow_imagebuilder.service.watcher.settings import WatchSettings
    from airflow_imagebuilder.service.watcher.subscription import Subscription

log = logging.getLogger(__name__)


class Poller:
    """
    Polls images for as long as waits are left for them.

    One task runs from the first wait to the last and starts one task per poll: at most as many at once as
    there may be calls in flight.

    :param client: makes the calls.
    :param settings: how to poll.
    :param report: counts images, waits and the lag.
    :param wall: returns absolute time.
    """

    def __init__(
        self, client: ScheduledClient, settings: WatchSettings, report: Report, wall: Callable[[], float]
    ) -> None:
        self._client, self._settings, self._report = client, settings, report
        self._image_poller = ImagePoller(client, settings, report, wall, self._schedule)
        self._tracked: dict[str, TrackedImage] = {}
        self._agenda: list[tuple[float, int, str]] = []
        """A heap of due times and ARNs. An entry whose image is due at another time by now is skipped."""
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._own_faults, self._may_log = PollTimer(0.0), LogLimiter()

    def stats(self) -> WatcherStats:
        """Return what the poll is doing now."""
        return WatcherStats(
            images=len(self._tracked),
            waits=sum(len(tracked.waits) for tracked in self._tracked.values()),
            scheduled=len(self._agenda),
            polls=len(self._polls),
            lists=len(self._image_poller.listings),
            calls_in_flight=self._client.in_flight,
            calls_per_interval=self._client.demand,
            calls_per_second=self._client.rate,
        )

    async def aclose(self) -> None:
        """Stop polling. Waits that are left get an error."""
        tasks = [task for task in (self._running, *self._polls.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fail(_closed())  # a task that was cancelled before its first step could not

    # -- waits ---------------------------------------------------------------------------------------------

    def join(self, wait: Subscription) -> None:
        """Poll the wait's image from now on."""
        tracked = self._tracked.get(wait.arn)
        if tracked is None:
            tracked = self._tracked[wait.arn] = TrackedImage(wait.arn, wait.ready)
            self._image_poller.listings.join(tracked)
        before = tracked.due if tracked.waits else None
        self._client.demand -= tracked.calls_per_interval
        tracked.join(wait)
        wait.trouble = functools.partial(self._trouble, tracked, workflows=wait.workflows)
        self._client.demand += tracked.calls_per_interval
        self._report.images, self._report.waits = len(self._tracked), self._report.waits + 1
        if tracked.due != before:
            self._schedule(tracked)
        if self._running is None or self._running.done():
            self._running = detached(self._run())

    def leave(self, wait: Subscription) -> None:
        """Stop polling the wait's image, unless other waits are left for it."""
        wait.close()
        tracked = self._tracked.get(wait.arn)
        if tracked is None or wait not in tracked.waits:
            return
        before = tracked.due
        self._client.demand -= tracked.calls_per_interval
        tracked.leave(wait)
        self._client.demand += tracked.calls_per_interval
        if not tracked.waits:
            del self._tracked[wait.arn]
            self._image_poller.listings.leave(tracked)
            self._changed.set()
        elif tracked.due != before:
            self._schedule(tracked)  # only the wait that left needed the call that was due next
        self._report.images, self._report.waits = len(self._tracked), self._report.waits - 1

    def _trouble(self, tracked: TrackedImage, *, workflows: bool) -> ImageBuilderError | None:
        """
        Return the error that keeps a wait from its answer now; None if AWS answers.

        In an outage few calls are made, and most images are not polled at all. For an image that is overdue,
        the error is the one of the last call.
        """
        late = asyncio.get_running_loop().time() - tracked.due > self._settings.poll_interval
        return tracked.trouble(workflows=workflows) or (self._client.trouble if late else None)

    def _schedule(self, tracked: TrackedImage) -> None:
        if not self._is_tracked(tracked):
            return
        heapq.heappush(self._agenda, (tracked.due, next(self._order), tracked.arn))
        self._changed.set()

    def _is_tracked(self, tracked: TrackedImage) -> bool:
        """Return whether waits are left for it. A later wait for the same image has a new TrackedImage."""
        return self._tracked.get(tracked.arn) is tracked

    # -- events --------------------------------------------------------------------------------------------

    def trust(self, hints: Hints) -> None:
        """Poll some images less often while events announce each end."""
        self._image_poller.trusting = lambda: hints.trusted

    def asked_at(self, arn: str) -> float | None:
        """Return the absolute time of the last call that showed an image; ``None`` if none has."""
        tracked = self._tracked.get(arn)
        return None if tracked is None or tracked.asked_at == float("-inf") else tracked.asked_at

    def waiting_since(self, arn: str) -> float | None:
        """Return the absolute time at which the first wait for an image began; None without a wait."""
        tracked = self._tracked.get(arn)
        return min((wait.began for wait in tracked.waits), default=None) if tracked is not None else None

    async def verify(self, arn: str) -> bool:
        """
        Poll an image at once, because an event says that it has ended.

        :return: whether it has.
        :raises NotWantedError: its waits have left.
        :raises ImageBuilderError: the call failed. It costs no wait anything: the poll asks as well.
        """
        tracked = self._tracked.get(arn)
        if tracked is None:
            raise NotWantedError
        try:
            await self._image_poller.verify(tracked)
        finally:
            self._hurry(tracked)
        tracked.announced = tracked.ended
        return tracked.ended

    def saw_end(self, arn: str) -> bool:
        """Note that a wait got the end of its image, and return whether it was unannounced, once for all."""
        tracked = self._tracked.get(arn)
        if tracked is None or tracked.announced:
            return False
        tracked.announced = True
        return True

    def hurry(self) -> None:
        """Poll each image within an interval from now: events do not announce the ends any longer."""
        for tracked in self._tracked.values():
            self._hurry(tracked)

    def _hurry(self, tracked: TrackedImage) -> None:
        now, interval = asyncio.get_running_loop().time(), self._settings.poll_interval
        if tracked.image_timer.due > now + interval:
            tracked.image_timer.due = now + random.uniform(0, interval)  # noqa: S311 (not a secret)
        self._schedule(tracked)

    # -- the poll ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._report.prepare()
            while self._tracked:
                await self._start_next_poll()
        except asyncio.CancelledError:
            self._fail(_closed())
            raise
        finally:
            self._agenda.clear()

    async def _start_next_poll(self) -> None:
        """Start the next poll once it is due. A fault of this package ends waits only if it lasts."""
        try:
            tracked = await self._next_due()
            if tracked is not None:
                task = self._polls[tracked.arn] = detached(self._poll(tracked))
                task.add_done_callback(functools.partial(self._poll_done, tracked.arn))
        except Exception as error:  # noqa: BLE001 (a thousand waits depend on this task)
            now = asyncio.get_running_loop().time()
            lasting = self._own_faults.failed(
                self._fault("The poll of Image Builder", error), now, self._settings
            )
            if lasting is not None:
                self._fail(lasting)
                self._own_faults = PollTimer(now)
            await asyncio.sleep(self._own_faults.due - now)
            for tracked in self._tracked.values():
                self._schedule(tracked)  # what was due may have been taken from the agenda
        else:
            self._own_faults.answered(asyncio.get_running_loop().time(), 0.0)

    async def _next_due(self) -> TrackedImage | None:
        """Wait until a poll is due and may start; None if the agenda has changed and must be read again."""
        now = asyncio.get_running_loop().time()
        self._changed.clear()
        if not self._agenda or len(self._polls) >= self._settings.max_connections:
            await self._changed.wait()
            return None
        due, _, arn = self._agenda[0]
        tracked = self._tracked.get(arn)
        if tracked is None or tracked.due != due or arn in self._polls:
            heapq.heappop(self._agenda)
            return None
        if not tracked.is_due(now):
            alarm = asyncio.get_running_loop().call_at(due, self._changed.set)
            try:
                await self._changed.wait()
            finally:
                alarm.cancel()
            return None
        heapq.heappop(self._agenda)
        return tracked

    async def _poll(self, tracked: TrackedImage) -> None:
        if not self._is_tracked(tracked):
            return
        timer = tracked.image_timer
        try:
            await self._image_poller.poll_image(tracked)
            executions = tracked.pollable_executions
            if executions is not None:
                timer = executions
                await self._image_poller.poll_executions(tracked, executions)
        except NotWantedError:
            return
        except ImageBuilderError as error:
            self._back_off(tracked, timer, error)
        except Exception as error:  # noqa: BLE001 (a fault with one image must not reach the others)
            self._back_off(tracked, timer, self._fault(f"Polling {tracked.arn}", error))

    def _poll_done(self, arn: str, _: asyncio.Task[None]) -> None:
        self._polls.pop(arn, None)
        tracked = self._tracked.get(arn)
        if tracked is not None:
            self._schedule(tracked)
        self._changed.set()

    def _back_off(self, tracked: TrackedImage, timer: PollTimer, error: ImageBuilderError) -> None:
        """Poll later; end the waits that need the answer once such errors have lasted too long."""
        lasting = timer.failed(error, asyncio.get_running_loop().time(), self._settings)
        tracked.reading = None  # its first pages would be old when the next page came
        if lasting is not None:
            tracked.fail(lasting, workflows_only=timer is not tracked.image_timer)

    def _fail(self, error: ImageBuilderError) -> None:
        for tracked in list(self._tracked.values()):
            tracked.fail(error)

    def _fault(self, what: str, error: Exception) -> ImageBuilderError:
        """Return an error of the package for an unexpected one, and log its traceback."""
        if self._may_log():
            log.error("%s failed unexpectedly and will be retried", what, exc_info=error)
        fault = ImageBuilderError(
            f"{what} failed unexpectedly: {type(error).__name__}: {error}. This is a fault of the package "
            "and says nothing about the image. Please report it with the traceback in the triggerer's log."
        )
        fault.__cause__ = error
        return fault


def _closed() -> ImageBuilderError:
    return ImageBuilderError("The watcher was closed while this wait was on it.")
