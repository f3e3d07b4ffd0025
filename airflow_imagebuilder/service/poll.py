"""The poll of a watcher: what is due, looked at in turn, and told to the waits."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import heapq
import itertools
import logging
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.caller import NotWantedError
from airflow_imagebuilder.service.errors import ImageBuilderError, TransientError
from airflow_imagebuilder.service.listing import Listing, Listings
from airflow_imagebuilder.service.looks import Watched, has_status
from airflow_imagebuilder.service.topics import AT_ONCE
from airflow_imagebuilder.service.translation import malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from airflow_imagebuilder.service.caller import Caller
    from airflow_imagebuilder.service.reports import Report
    from airflow_imagebuilder.service.settings import WatchSettings
    from airflow_imagebuilder.service.waits import Wait

log = logging.getLogger(__name__)

_EXECUTIONS = 500
"""More workflow executions than an image has, however often it was retried."""


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

    def _schedule(self, watched: Watched) -> None:
        heapq.heappush(self._agenda, (watched.due, next(self._order), watched.arn))
        self._changed.set()

    # -- the poll ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._report.prepare()
            while self._watched:
                watched = await self._next_due()
                if watched is not None:
                    task = self._looking[watched.arn] = _detached(self._look(watched))
                    task.add_done_callback(functools.partial(self._looked, watched.arn))
        except asyncio.CancelledError:
            self._fail(ImageBuilderError("The watcher was closed while this wait was on it."))
            raise
        except Exception as error:
            log.exception("The poll of Image Builder ended unexpectedly")
            self._fail(error)
        finally:
            self._agenda.clear()

    def _fail(self, error: Exception) -> None:
        for watched in list(self._watched.values()):
            watched.fail(error)

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

    async def _look(self, watched: Watched) -> None:
        topic = watched.image
        try:
            await self._look_at_image(watched)
            if watched.executions is not None and watched.got:
                topic = watched.executions
                await self._look_at_executions(watched)
        except NotWantedError:
            return
        except ImageBuilderError as error:
            watched.trouble(error)
            lasting = topic.failed(error, asyncio.get_running_loop().time(), self._settings)
            if lasting is not None:
                watched.fail(lasting, workflows_only=topic is not watched.image)
        except Exception as error:
            log.exception("Looking at %s failed", watched.arn)
            watched.fail(error)

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
        wall, interval = self._wall(), self._settings.poll_interval
        wanted = {arn: one for arn, one in listing.members.items() if one.listable(now, interval)}
        for one in wanted.values():
            one.image.due = now + interval  # it is being asked for
        missing, trouble = set(wanted), None
        listing.reading = True
        try:
            reading = listing.read(self._caller, missing.copy(), now, self._settings)
            async with contextlib.aclosing(reading):
                async for page in reading:
                    for summary in page:
                        missing.discard(summary["arn"])
                        one = wanted[summary["arn"]]
                        one.saw_summary(summary, now, interval, cost=1 / len(page))
                        one.tell(wall, workflows=False)
                        if one.ended and one.arn in self._watched:
                            self._schedule(one)  # not only when the whole list has been read
        except ImageBuilderError as error:
            log.debug("Listing builds failed: %s", error)
            trouble = error
        finally:
            listing.reading = False
            # A list that is throttled is read again: a look at each image would be throttled all the more.
            again = trouble if isinstance(trouble, TransientError) and listing.worth(now) else None
            for arn in missing:
                self._not_listed(wanted[arn], now, again)
            for arn, one in wanted.items():
                if arn in self._watched:
                    self._schedule(one)

    def _not_listed(self, watched: Watched, asked: float, again: TransientError | None) -> None:
        if again is None:
            watched.must_get, watched.image.due = True, asked
        else:
            watched.trouble(again)
            watched.image.failed(again, asyncio.get_running_loop().time(), self._settings)

    async def _look_at_executions(self, watched: Watched) -> None:
        now, wall = asyncio.get_running_loop().time(), self._wall()
        if watched.executions is None or not watched.executions.is_due(now):
            return
        stage_ended = watched.executions.due == AT_ONCE
        found: list[Mapping[str, Any]] = []
        params: dict[str, Any] = {"imageBuildVersionArn": watched.arn}
        while True:
            answer = await self._caller.call(
                "list_workflow_executions",
                "workflowExecutions",
                still=watched.wanted,
                urgent=stage_ended,
                **params,
            )
            found.extend(answer["workflowExecutions"])
            if not answer.get("nextToken") or len(found) >= _EXECUTIONS:
                break
            params["nextToken"] = answer["nextToken"]
        watched.saw_executions(found, now, self._settings.poll_interval)
        watched.tell(wall, workflows=True)


def _detached(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    # In a context of its own: the poll serves all, so its log lines must not end up in the log of the task
    # that happened to come first.
    task = contextvars.Context().run(asyncio.get_running_loop().create_task, work)
    # A loop that dies under the waits says so itself; that the poll died with it is no news.
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
    return task
