"""The poll of a watcher: what is due, looked at in turn, and told to the waits."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import heapq
import itertools
import logging
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.clients import NotWantedError
from airflow_imagebuilder.service.errors import ImageBuilderError, TransientError
from airflow_imagebuilder.service.listing import Listings
from airflow_imagebuilder.service.looks import ExecutionsRead, Watched, has_status
from airflow_imagebuilder.service.reports import OnceAMinute
from airflow_imagebuilder.service.topics import AT_ONCE, Topic
from airflow_imagebuilder.service.translation import malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from airflow_imagebuilder.service.caller import Caller
    from airflow_imagebuilder.service.listing import Found, Listing, ListRead
    from airflow_imagebuilder.service.reports import Report
    from airflow_imagebuilder.service.settings import WatchSettings
    from airflow_imagebuilder.service.waits import Wait

log = logging.getLogger(__name__)


class Poll:
    """
    Looks at images for as long as anybody waits for them.

    Runs as a task of its own from the first wait to the last, and one task a look: at most as many as there
    may be calls in flight.

    :param caller: makes the calls.
    :param settings: how to look.
    :param report: what is told of the lag.
    :param wall: tells absolute time.
    """

    def __init__(
        self, caller: Caller, settings: WatchSettings, report: Report, wall: Callable[[], float]
    ) -> None:
        self._caller, self._settings, self._report, self._wall = caller, settings, report, wall
        self._watched: dict[str, Watched] = {}
        self._listings = Listings()
        self._agenda: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._itself, self._may_log = Topic(0.0), OnceAMinute()

    async def aclose(self) -> None:
        """Stop looking. Waits that are left get an error."""
        tasks = [task for task in (self._running, *self._looking.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- waits ---------------------------------------------------------------------------------------------

    def join(self, wait: Wait) -> None:
        """Look at the wait's image from now on."""
        watched = self._watched.get(wait.arn)
        if watched is None:
            watched = self._watched[wait.arn] = Watched(wait.arn, wait.ready)
            self._listings.join(watched)
        before = watched.due if watched.waits else None
        self._caller.demand -= watched.calls
        watched.join(wait)
        wait.trouble = functools.partial(self._trouble, watched, workflows=wait.workflows)
        self._caller.demand += watched.calls
        self._report.images, self._report.waits = len(self._watched), self._report.waits + 1
        if watched.due != before:
            self._schedule(watched)
        if self._running is None or self._running.done():
            self._running = _detached(self._run())

    def leave(self, wait: Wait) -> None:
        """Look no longer, unless others wait for the image."""
        wait.close()
        watched = self._watched.get(wait.arn)
        if watched is None or wait not in watched.waits:
            return
        before = watched.due
        self._caller.demand -= watched.calls
        watched.leave(wait)
        self._caller.demand += watched.calls
        if not watched.waits:
            del self._watched[wait.arn]
            self._listings.leave(watched)
            self._changed.set()
        elif watched.due != before:
            self._schedule(watched)  # what was due next was wanted by the one that left alone
        self._report.images, self._report.waits = len(self._watched), self._report.waits - 1

    def _trouble(self, watched: Watched, *, workflows: bool) -> ImageBuilderError | None:
        """
        Return what keeps a wait from its answer at present; None if AWS answers.

        In an outage few calls are made, so most images are not asked for at all: what their look is late for
        is the trouble of the call that was made last.
        """
        late = asyncio.get_running_loop().time() - watched.due > self._settings.poll_interval
        return watched.trouble(workflows=workflows) or (self._caller.trouble if late else None)

    def _schedule(self, watched: Watched) -> None:
        heapq.heappush(self._agenda, (watched.due, next(self._order), watched.arn))
        self._changed.set()

    # -- the poll ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._report.prepare()
            while self._watched:
                await self._begin_next()
        except asyncio.CancelledError:
            self._fail(ImageBuilderError("The watcher was closed while this wait was on it."))
            raise
        finally:
            self._agenda.clear()

    async def _begin_next(self) -> None:
        """Begin the next look once it is due. A fault of ours ends no wait, unless it lasts."""
        try:
            watched = await self._next_due()
            if watched is not None:
                task = self._looking[watched.arn] = _detached(self._look(watched))
                task.add_done_callback(functools.partial(self._looked, watched.arn))
        except Exception as error:  # noqa: BLE001 (a thousand waits hang on this poll)
            now = asyncio.get_running_loop().time()
            lasting = self._itself.failed(
                self._fault("The poll of Image Builder", error), now, self._settings
            )
            if lasting is not None:
                self._fail(lasting)
                self._itself = Topic(now)
            await asyncio.sleep(self._itself.due - now)
            for watched in self._watched.values():
                self._schedule(watched)  # what was due may have been taken from the agenda
        else:
            self._itself.answered(asyncio.get_running_loop().time(), 0.0)

    def _fail(self, error: ImageBuilderError) -> None:
        for watched in list(self._watched.values()):
            watched.fail(error)

    def _fault(self, what: str, error: Exception) -> ImageBuilderError:
        """Return an error of the package for one that nobody foresaw, and log where it comes from."""
        if self._may_log():
            log.error("%s failed unexpectedly; it is tried again", what, exc_info=error)
        fault = ImageBuilderError(
            f"{what} failed unexpectedly: {type(error).__name__}: {error}. This is a fault of the package "
            "and says nothing of the image: please report it with the traceback in the triggerer's log."
        )
        fault.__cause__ = error
        return fault

    async def _next_due(self) -> Watched | None:
        """Wait until a look is due and may begin; None if there is to be another look at the agenda."""
        now = asyncio.get_running_loop().time()
        self._changed.clear()
        if not self._agenda or len(self._looking) >= self._settings.max_connections:
            await self._changed.wait()
            return None
        due, _, arn = self._agenda[0]
        watched = self._watched.get(arn)
        if watched is None or watched.due != due or arn in self._looking:
            heapq.heappop(self._agenda)
            return None
        if not watched.is_due(now):
            alarm = asyncio.get_running_loop().call_at(due, self._changed.set)
            try:
                await self._changed.wait()
            finally:
                alarm.cancel()
            return None
        heapq.heappop(self._agenda)
        return watched

    def _looked(self, arn: str, _: asyncio.Task[None]) -> None:
        self._looking.pop(arn, None)
        watched = self._watched.get(arn)
        if watched is not None:
            self._schedule(watched)
        self._changed.set()

    def _watches(self, watched: Watched) -> bool:
        """Return whether waits are left for it; a later wait for the same image has another one."""
        return self._watched.get(watched.arn) is watched

    async def _look(self, watched: Watched) -> None:
        if not self._watches(watched):
            return
        topic = watched.image
        try:
            await self._look_at_image(watched)
            if watched.executions is not None and watched.got:
                topic = watched.executions
                await self._look_at_executions(watched, topic)
        except NotWantedError:
            return
        except ImageBuilderError as error:
            self._troubled(watched, topic, error)
        except Exception as error:  # noqa: BLE001 (one image's look is nothing to the others)
            self._troubled(watched, topic, self._fault(f"Polling {watched.arn}", error))

    def _troubled(self, watched: Watched, topic: Topic, error: ImageBuilderError) -> None:
        """Back off; end the waits that need the answer once the trouble has lasted too long."""
        lasting = topic.failed(error, asyncio.get_running_loop().time(), self._settings)
        if topic is not watched.image:
            watched.reading = None
        if lasting is not None:
            watched.fail(lasting, workflows_only=topic is not watched.image)

    # -- the image -----------------------------------------------------------------------------------------

    async def _look_at_image(self, watched: Watched) -> None:
        now = asyncio.get_running_loop().time()
        due = watched.image.due
        if not watched.image.is_due(now):
            return
        listing = self._listings.of(watched)
        if watched.listable(now, self._settings.poll_interval) and listing.worth(now):
            await self._look_at_list(listing, now)
        else:
            await self._get(watched, now)
        self._report.looked(asyncio.get_running_loop().time() - due)

    async def _get(self, watched: Watched, now: float) -> None:
        wall = self._wall()
        answer = await self._caller.call(
            "get_image", "image", still=watched.wanted, urgent=watched.ended, imageBuildVersionArn=watched.arn
        )
        if not has_status(answer["image"]):
            raise malformed(answer, "get_image", "image.state.status")
        watched.saw_image(answer["image"], now, self._settings.poll_interval)
        watched.tell(wall, workflows=False)

    async def _look_at_list(self, listing: Listing, now: float) -> None:
        reading = listing.claim(now, self._settings.poll_interval)
        wall, again = self._wall(), None
        try:
            async with contextlib.aclosing(listing.read(reading, self._caller, self._settings)) as pages:
                async for found in pages:
                    self._apply(found, now, wall)
            listing.judge(reading, now, self._settings, slowed=self._caller.slowed)
        except ImageBuilderError as error:
            log.debug("Listing builds failed: %s", error)
            listing.failed(error, now, self._settings)
            # A list that is throttled is read again: a look at each image would be throttled all the more.
            again = error if isinstance(error, TransientError) and listing.worth(now) else None
        finally:
            self._requeue(reading, now, again)

    def _apply(self, found: Found, now: float, wall: float) -> None:
        """Give the waits what one page of a list shows."""
        for watched, summary in found:
            watched.saw_summary(summary, now, self._settings.poll_interval, cost=1 / len(found))
            watched.tell(wall, workflows=False)
            if watched.ended and self._watches(watched):
                self._schedule(watched)  # not only when the whole list has been read

    def _requeue(self, reading: ListRead, now: float, again: TransientError | None) -> None:
        """Put the images that a list was read for on the agenda; those not shown are due at once."""
        for arn in reading.missing:
            watched = reading.claimed[arn]
            if again is None:
                watched.must_get, watched.image.due = True, now
            else:
                watched.image.failed(again, asyncio.get_running_loop().time(), self._settings)
        for watched in reading.claimed.values():
            if self._watches(watched):
                self._schedule(watched)

    # -- its workflow executions ---------------------------------------------------------------------------

    async def _look_at_executions(self, watched: Watched, topic: Topic) -> None:
        now = asyncio.get_running_loop().time()
        if not topic.is_due(now):
            return
        reading = watched.reading
        if reading is None:
            reading = ExecutionsRead(now, self._wall(), urgent=topic.due == AT_ONCE)
            watched.reading = reading
        answer = await self._caller.call(
            reading.OPERATION,
            reading.MEMBER,
            still=lambda: watched.executions is topic,
            urgent=reading.urgent,
            imageBuildVersionArn=watched.arn,
            **reading.token,
        )
        if watched.reading is not reading:
            return  # a list has shown the next stage meanwhile: they are due again at once
        reading.take(answer)
        if reading.token:
            topic.due = asyncio.get_running_loop().time()  # behind what else is due
            return
        watched.saw_executions(reading.found, reading.asked, self._settings.poll_interval)
        watched.tell(reading.wall, workflows=True)


def _detached(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    # In a context of its own: the poll serves all, so its log lines must not end up in the log of the task
    # that happened to come first.
    task = contextvars.Context().run(asyncio.get_running_loop().create_task, work)
    # A loop that dies under the waits says so itself; that the poll died with it is no news.
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
    return task
