"""Polling one image: by GetImage or by a list, and its workflow executions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.client.answers import has_status, malformed
from airflow_imagebuilder.service.errors import ImageBuilderError, TransientError
from airflow_imagebuilder.service.watcher.listing import Listings
from airflow_imagebuilder.service.watcher.poll_timer import AT_ONCE
from airflow_imagebuilder.service.watcher.tracked_image import ExecutionsRead

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.service.watcher.listing import Found, Listing, ListRead
    from airflow_imagebuilder.service.watcher.poll_timer import PollTimer
    from airflow_imagebuilder.service.watcher.reporting import Report
    from airflow_imagebuilder.service.watcher.scheduled_client import ScheduledClient
    from airflow_imagebuilder.service.watcher.settings import WatchSettings
    from airflow_imagebuilder.service.watcher.tracked_image import TrackedImage

log = logging.getLogger(__name__)


class ImagePoller:
    """
    Makes the calls that an image is due for, and gives its waits what they show.

    :param client: makes the calls.
    :param settings: how to poll.
    :param report: counts the lag.
    :param wall: returns absolute time.
    :param due: called with an image whose next poll has changed, if waits are left for it.
    """

    def __init__(
        self,
        client: ScheduledClient,
        settings: WatchSettings,
        report: Report,
        wall: Callable[[], float],
        due: Callable[[TrackedImage], None],
    ) -> None:
        self._client, self._settings, self._report, self._wall = client, settings, report, wall
        self._due = due
        self.listings = Listings()

    async def image(self, tracked: TrackedImage) -> None:
        """
        Ask for the image, if it is due.

        :raises NotWantedError: its waits have left.
        :raises ImageBuilderError: the call failed.
        """
        now = asyncio.get_running_loop().time()
        due = tracked.image.due
        if not tracked.image.is_due(now):
            return
        listing = self.listings.of(tracked)
        if tracked.listable(now, self._settings.poll_interval) and listing.worth(now):
            await self._list(listing, now)
        else:
            await self._get(tracked, now)
        self._report.looked(asyncio.get_running_loop().time() - due)

    async def _get(self, tracked: TrackedImage, now: float) -> None:
        wall = self._wall()
        answer = await self._client.call(
            "get_image", "image", still=tracked.wanted, urgent=tracked.ended, imageBuildVersionArn=tracked.arn
        )
        if not has_status(answer["image"]):
            raise malformed(answer, "get_image", "image.state.status")
        tracked.saw_image(answer["image"], now, self._settings.poll_interval)
        tracked.tell(wall, workflows=False)

    async def _list(self, listing: Listing, now: float) -> None:
        reading = listing.claim(now, self._settings.poll_interval)
        wall, again = self._wall(), None
        try:
            async with contextlib.aclosing(listing.read(reading, self._client, self._settings)) as pages:
                async for found in pages:
                    self._apply(found, now, wall)
            listing.judge(reading, now, self._settings, slowed=self._client.slowed)
        except ImageBuilderError as error:
            log.debug("Listing builds failed: %s", error)
            listing.failed(error, now, self._settings)
            # A list that is throttled is read again: a look at each image would be throttled all the more.
            again = error if isinstance(error, TransientError) and listing.worth(now) else None
        finally:
            self._requeue(reading, now, again)

    def _apply(self, found: Found, now: float, wall: float) -> None:
        """Give the waits what one page of a list shows."""
        for tracked, summary in found:
            tracked.saw_summary(summary, now, self._settings.poll_interval, cost=1 / len(found))
            tracked.tell(wall, workflows=False)
            if tracked.ended:
                self._due(tracked)  # not only when the whole list has been read

    def _requeue(self, reading: ListRead, now: float, again: TransientError | None) -> None:
        """Put the images that a list was read for on the agenda; those not shown are due at once."""
        for arn in reading.missing:
            tracked = reading.claimed[arn]
            if again is None:
                tracked.must_get, tracked.image.due = True, now
            else:
                tracked.image.failed(again, asyncio.get_running_loop().time(), self._settings)
        for tracked in reading.claimed.values():
            self._due(tracked)

    async def executions(self, tracked: TrackedImage, timer: PollTimer) -> None:
        """
        Ask for a page of the image's workflow executions, if they are due.

        :param timer: the image's topic of executions; its waits may leave meanwhile, and others come.
        :raises NotWantedError: the waits for executions have left.
        :raises ImageBuilderError: the call failed.
        """
        now = asyncio.get_running_loop().time()
        if not timer.is_due(now):
            return
        reading = tracked.reading
        if reading is None:
            reading = ExecutionsRead(now, self._wall(), urgent=timer.due == AT_ONCE)
            tracked.reading = reading
        answer = await self._client.call(
            reading.OPERATION,
            reading.MEMBER,
            still=lambda: tracked.executions is timer,
            urgent=reading.urgent,
            imageBuildVersionArn=tracked.arn,
            **reading.token,
        )
        if tracked.reading is not reading:
            return  # a list has shown the next stage meanwhile: they are due again at once
        reading.take(answer)
        if reading.token:
            timer.due = asyncio.get_running_loop().time()  # behind what else is due
            return
        tracked.saw_executions(reading.found, reading.asked_at, self._settings.poll_interval)
        tracked.tell(reading.wall, workflows=True)
