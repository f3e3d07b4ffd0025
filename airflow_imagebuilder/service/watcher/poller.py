"""The poll of a watcher: what is due, looked at in turn, and told to the waits."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import heapq
import itertools
import logging
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.client.aio_client import NotWantedError
from airflow_imagebuilder.service.errors import ImageBuilderError
from airflow_imagebuilder.service.watcher.image_poller import ImagePoller
from airflow_imagebuilder.service.watcher.poll_timer import PollTimer
from airflow_imagebuilder.service.watcher.reporting import OnceAMinute
from airflow_imagebuilder.service.watcher.tracked_image import TrackedImage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from airflow_imagebuilder.service.watcher.reporting import Report
    from airflow_imagebuilder.service.watcher.scheduled_client import ScheduledClient
    from airflow_imagebuilder.service.watcher.settings import WatchSettings
    from airflow_imagebuilder.service.watcher.subscription import Subscription

log = logging.getLogger(__name__)


class Poller:
    """
    Looks at images for as long as anybody waits for them.

    Runs as a task of its own from the first wait to the last, and one task a look: at most as many as there
    may be calls in flight.

    :param client: makes the calls.
    :param settings: how to look.
    :param report: what is told of the lag.
    :param wall: tells absolute time.
    """

    def __init__(
        self, client: ScheduledClient, settings: WatchSettings, report: Report, wall: Callable[[], float]
    ) -> None:
        self._client, self._settings, self._report = client, settings, report
        self._images = ImagePoller(client, settings, report, wall, self._schedule)
        self._watched: dict[str, TrackedImage] = {}
        self._agenda: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._itself, self._may_log = PollTimer(0.0), OnceAMinute()

    async def aclose(self) -> None:
        """Stop looking. Waits that are left get an error."""
        tasks = [task for task in (self._running, *self._looking.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fail(_closed())  # a poll that was cancelled before its first step could not

    # -- waits ---------------------------------------------------------------------------------------------

    def join(self, wait: Subscription) -> None:
        """Look at the wait's image from now on."""
        tracked = self._watched.get(wait.arn)
        if tracked is None:
            tracked = self._watched[wait.arn] = TrackedImage(wait.arn, wait.ready)
            self._images.listings.join(tracked)
        before = tracked.due if tracked.waits else None
        self._client.demand -= tracked.calls
        tracked.join(wait)
        wait.trouble = functools.partial(self._trouble, tracked, workflows=wait.workflows)
        self._client.demand += tracked.calls
        self._report.images, self._report.waits = len(self._watched), self._report.waits + 1
        if tracked.due != before:
            self._schedule(tracked)
        if self._running is None or self._running.done():
            self._running = _detached(self._run())

    def leave(self, wait: Subscription) -> None:
        """Look no longer, unless others wait for the image."""
        wait.close()
        tracked = self._watched.get(wait.arn)
        if tracked is None or wait not in tracked.waits:
            return
        before = tracked.due
        self._client.demand -= tracked.calls
        tracked.leave(wait)
        self._client.demand += tracked.calls
        if not tracked.waits:
            del self._watched[wait.arn]
            self._images.listings.leave(tracked)
            self._changed.set()
        elif tracked.due != before:
            self._schedule(tracked)  # what was due next was wanted by the one that left alone
        self._report.images, self._report.waits = len(self._watched), self._report.waits - 1

    def _trouble(self, tracked: TrackedImage, *, workflows: bool) -> ImageBuilderError | None:
        """
        Return what keeps a wait from its answer at present; None if AWS answers.

        In an outage few calls are made, and most images are not asked for at all. For an image that is
        overdue, the trouble is that of the last call.
        """
        late = asyncio.get_running_loop().time() - tracked.due > self._settings.poll_interval
        return tracked.trouble(workflows=workflows) or (self._client.trouble if late else None)

    def _schedule(self, tracked: TrackedImage) -> None:
        if not self._watches(tracked):
            return
        heapq.heappush(self._agenda, (tracked.due, next(self._order), tracked.arn))
        self._changed.set()

    # -- the poll ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._report.prepare()
            while self._watched:
                await self._begin_next()
        except asyncio.CancelledError:
            self._fail(_closed())
            raise
        finally:
            self._agenda.clear()

    async def _begin_next(self) -> None:
        """Begin the next poll of an image once it is due. A fault of ours ends no wait unless it lasts."""
        try:
            tracked = await self._next_due()
            if tracked is not None:
                task = self._looking[tracked.arn] = _detached(self._look(tracked))
                task.add_done_callback(functools.partial(self._looked, tracked.arn))
        except Exception as error:  # noqa: BLE001 (a thousand waits hang on this poll)
            now = asyncio.get_running_loop().time()
            lasting = self._itself.failed(
                self._fault("The poll of Image Builder", error), now, self._settings
            )
            if lasting is not None:
                self._fail(lasting)
                self._itself = PollTimer(now)
            await asyncio.sleep(self._itself.due - now)
            for tracked in self._watched.values():
                self._schedule(tracked)  # what was due may have been taken from the agenda
        else:
            self._itself.answered(asyncio.get_running_loop().time(), 0.0)

    def _fail(self, error: ImageBuilderError) -> None:
        for tracked in list(self._watched.values()):
            tracked.fail(error)

    def _fault(self, what: str, error: Exception) -> ImageBuilderError:
        """Return an error of the package for an unforeseen one, and log where it comes from."""
        if self._may_log():
            log.error("%s failed unexpectedly; it is tried again", what, exc_info=error)
        fault = ImageBuilderError(
            f"{what} failed unexpectedly: {type(error).__name__}: {error}. This is a fault of the package "
            "and says nothing of the image: please report it with the traceback in the triggerer's log."
        )
        fault.__cause__ = error
        return fault

    async def _next_due(self) -> TrackedImage | None:
        """Wait until a look is due and may begin; None if there is to be another look at the agenda."""
        now = asyncio.get_running_loop().time()
        self._changed.clear()
        if not self._agenda or len(self._looking) >= self._settings.max_connections:
            await self._changed.wait()
            return None
        due, _, arn = self._agenda[0]
        tracked = self._watched.get(arn)
        if tracked is None or tracked.due != due or arn in self._looking:
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

    def _looked(self, arn: str, _: asyncio.Task[None]) -> None:
        self._looking.pop(arn, None)
        tracked = self._watched.get(arn)
        if tracked is not None:
            self._schedule(tracked)
        self._changed.set()

    def _watches(self, tracked: TrackedImage) -> bool:
        """Return whether waits are left for it; a later wait for the same image has another one."""
        return self._watched.get(tracked.arn) is tracked

    async def _look(self, tracked: TrackedImage) -> None:
        if not self._watches(tracked):
            return
        timer = tracked.image
        try:
            await self._images.image(tracked)
            if tracked.executions is not None and tracked.got:
                timer = tracked.executions
                await self._images.executions(tracked, timer)
        except NotWantedError:
            return
        except ImageBuilderError as error:
            self._troubled(tracked, timer, error)
        except Exception as error:  # noqa: BLE001 (a fault with one image must not reach the others)
            self._troubled(tracked, timer, self._fault(f"Polling {tracked.arn}", error))

    def _troubled(self, tracked: TrackedImage, timer: PollTimer, error: ImageBuilderError) -> None:
        """Back off; end the waits that need the answer once the trouble has lasted too long."""
        lasting = timer.failed(error, asyncio.get_running_loop().time(), self._settings)
        tracked.reading = None  # its first pages would be old when the next one came
        if lasting is not None:
            tracked.fail(lasting, workflows_only=timer is not tracked.image)


def _detached(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    # In a context of its own: the poll serves all, so its log lines must not end up in the log of the task
    # that happened to come first.
    task = contextvars.Context().run(asyncio.get_running_loop().create_task, work)
    # A loop that dies under the waits says so itself; that the poll died with it is no news.
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
    return task


def _closed() -> ImageBuilderError:
    return ImageBuilderError("The watcher was closed while this wait was on it.")
