"""Polling one image: by GetImage or by a list, and its workflow executions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.client.answers import malformed
from airflow_imagebuilder.service.errors import ImageBuilderError, TransientError
from airflow_imagebuilder.service.watcher.listing import Listings
from airflow_imagebuilder.service.watcher.poll_timer import AT_ONCE
from airflow_imagebuilder.service.watcher.tracked_image import ExecutionsRead, has_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.service.watcher.listing import Found, Listing, ListRead
    from airflow_imagebuilder.service.watcher.poll_timer import Topic
    from airflow_imagebuilder.service.watcher.reporting import Report
    from airflow_imagebuilder.service.watcher.scheduled_client import Caller
    from airflow_imagebuilder.service.watcher.settings import WatchSettings
    from airflow_imagebuilder.service.watcher.tracked_image import Watched

log = logging.getLogger(__name__)


class ImagePoll:
    """
    Makes the calls that an image is due for, and gives its waits what they show.

    :param caller: makes the calls.
    :param settings: how to poll.
    :param report: counts the lag.
    :param wall: returns absolute time.
    :param due: called with an image whose next poll has changed, if waits are left for it.
    """

    def __init__(
        self,
        caller: Caller,
        settings: WatchSettings,
        report: Report,
        wall: Callable[[], float],
        due: Callable[[Watched], None],
    ) -> None:
        self._caller, self._settings, self._report, self._wall = caller, settings, report, wall
        self._due = due
        self.listings = Listings()

    async def image(self, watched: Watched) -> None:
        """
        Ask for the image, if it is due.

        :raises NotWantedError: its waits have left.
        :raises ImageBuilderError: the call failed.
        """
        now = asyncio.get_running_loop().time()
        due = watched.image.due
        if not watched.image.is_due(now):
            return
        listing = self.listings.of(watched)
        if watched.listable(now, self._settings.poll_interval) and listing.worth(now):
            await self._list(listing, now)
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

    async def _list(self, listing: Listing, now: float) -> None:
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
            if watched.ended:
                self._due(watched)  # not only when the whole list has been read

    def _requeue(self, reading: ListRead, now: float, again: TransientError | None) -> None:
        """Put the images that a list was read for on the agenda; those not shown are due at once."""
        for arn in reading.missing:
            watched = reading.claimed[arn]
            if again is None:
                watched.must_get, watched.image.due = True, now
            else:
                watched.image.failed(again, asyncio.get_running_loop().time(), self._settings)
        for watched in reading.claimed.values():
            self._due(watched)

    async def executions(self, watched: Watched, topic: Topic) -> None:
        """
        Ask for a page of the image's workflow executions, if they are due.

        :param topic: the image's topic of executions; its waits may leave meanwhile, and others come.
        :raises NotWantedError: the waits for executions have left.
        :raises ImageBuilderError: the call failed.
        """
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
