"""ImagePoller: the calls that one poll of an image makes, and what the answers mean for its waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.client.answers import has_status, malformed
from airflow_imagebuilder.service.errors import ImageBuilderError, TransientError
from airflow_imagebuilder.service.watcher.execution_pages import ExecutionPages
from airflow_imagebuilder.service.watcher.listing import Listings
from airflow_imagebuilder.service.watcher.poll_timer import AT_ONCE
from airflow_imagebuilder.service.watcher.tracked_image import NextPoll

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.service.watcher.listing import Found, Listing, ListPages
    from airflow_imagebuilder.service.watcher.poll_timer import PollTimer
    from airflow_imagebuilder.service.watcher.reporting import Report
    from airflow_imagebuilder.service.watcher.scheduled_client import ScheduledClient
    from airflow_imagebuilder.service.watcher.settings import WatchSettings
    from airflow_imagebuilder.service.watcher.tracked_image import TrackedImage

log = logging.getLogger(__name__)

_RELAXED, _LONGEST_RELAXED = 10, 600.0
"""Intervals, and maximum seconds, between two polls where events announce ends and lists are forbidden."""


def _never() -> bool:
    return False


class ImagePoller:
    """
    Makes the calls that are due for an image, and offers the answers to its waits.

    :param client: makes the calls.
    :param settings: how to poll.
    :param report: counts the lag.
    :param wall: returns absolute time.
    :param reschedule: called with an image whose next poll has changed.
    """

    def __init__(
        self,
        client: ScheduledClient,
        settings: WatchSettings,
        report: Report,
        wall: Callable[[], float],
        reschedule: Callable[[TrackedImage], None],
    ) -> None:
        self._client, self._settings, self._report, self._wall = client, settings, report, wall
        self._reschedule = reschedule
        self.listings = Listings()
        self.trusting: Callable[[], bool] = _never
        """Returns whether events announce each end, so that some images are polled less often."""

    async def poll_image(self, tracked: TrackedImage) -> None:
        """
        Poll the image, if it is due: by a list of builds where that is cheaper, else by GetImage.

        :raises NotWantedError: its waits have left.
        :raises ImageBuilderError: the call failed.
        """
        now = asyncio.get_running_loop().time()
        due = tracked.image_timer.due
        if not tracked.image_timer.is_due(now):
            return
        listing = self.listings.of(tracked)
        if tracked.listable(now, self._settings.poll_interval) and listing.worthwhile(now):
            await self._list(listing, now)
        else:
            await self._get(tracked, now)
        self._report.polled(asyncio.get_running_loop().time() - due)

    async def verify(self, tracked: TrackedImage) -> None:
        """
        Call GetImage at once: an event says that the image has ended.

        :raises NotWantedError: its waits have left.
        :raises ImageBuilderError: the call failed. The poll knows nothing of it.
        """
        await self._get(tracked, asyncio.get_running_loop().time(), hint=True)

    async def _get(self, tracked: TrackedImage, now: float, *, hint: bool = False) -> None:
        wall, sent = self._wall(), now

        def still() -> bool:
            nonlocal sent
            sent = asyncio.get_running_loop().time()
            return tracked.wanted()

        answer = await self._client.call(
            "get_image",
            "image",
            still=still,
            urgent=tracked.next_poll is NextPoll.GET_AT_ONCE,
            hint=hint,
            imageBuildVersionArn=tracked.arn,
        )
        if not has_status(answer["image"]):
            raise malformed(answer, "get_image", "image.state.status")
        if sent < tracked.verified_at:
            return  # an event has caused a later call, which was answered first
        if hint:
            tracked.verified_at = sent
        interval = self._settings.poll_interval
        tracked.take_image(answer["image"], now, interval)
        if not hint and self._relaxed(tracked):
            tracked.image_timer.due = now + max(interval, min(_RELAXED * interval, _LONGEST_RELAXED))
        tracked.asked_at = wall
        tracked.offer(wall, workflows=False)

    def _relaxed(self, tracked: TrackedImage) -> bool:
        """Return whether events spare most polls of the image: it costs a GetImage each time."""
        return (
            self.trusting()
            and tracked.executions_timer is None
            and not tracked.ended
            and self.listings.of(tracked).forbidden
        )

    async def _list(self, listing: Listing, now: float) -> None:
        reading = listing.claim(now, self._settings.poll_interval)
        wall, throttled = self._wall(), None
        try:
            async with contextlib.aclosing(listing.read(reading, self._client, self._settings)) as pages:
                async for found in pages:
                    self._take_page(found, now, wall)
            listing.judge(reading, now, self._settings, slowed=self._client.slowed)
        except ImageBuilderError as error:
            log.debug("Listing builds failed: %s", error)
            listing.failed(error, now, self._settings)
            # A throttled list is read again: one GetImage per image would be throttled even more.
            throttled = error if isinstance(error, TransientError) and listing.worthwhile(now) else None
        finally:
            self._release(reading, now, throttled)

    def _take_page(self, found: Found, now: float, wall: float) -> None:
        for tracked, summary in found:
            if now < tracked.verified_at:
                continue  # the list began before an event caused a call that was answered
            tracked.take_summary(summary, now, self._settings.poll_interval, cost=1 / len(found))
            tracked.asked_at = wall
            tracked.offer(wall, workflows=False)
            if tracked.next_poll is NextPoll.GET_AT_ONCE:
                self._reschedule(tracked)  # without waiting for the other pages

    def _release(self, reading: ListPages, now: float, throttled: TransientError | None) -> None:
        """Schedule the images that a list was read for; those that it did not show are due at once."""
        for arn in reading.missing:
            tracked = reading.claimed[arn]
            if throttled is None:
                tracked.take_absence(now)
            else:
                tracked.image_timer.failed(throttled, asyncio.get_running_loop().time(), self._settings)
        for tracked in reading.claimed.values():
            self._reschedule(tracked)

    async def poll_executions(self, tracked: TrackedImage, timer: PollTimer) -> None:
        """
        Read a page of the image's workflow executions, if they are due.

        :param timer: the executions' timer. The image has another one, or none, if all waits for executions
            leave meanwhile.
        :raises NotWantedError: the waits for executions have left.
        :raises ImageBuilderError: the call failed.
        """
        now = asyncio.get_running_loop().time()
        if not timer.is_due(now):
            return
        reading = tracked.reading
        if reading is None:
            reading = ExecutionPages(now, self._wall(), urgent=timer.due == AT_ONCE)
            tracked.reading = reading
        answer = await self._client.call(
            reading.OPERATION,
            reading.MEMBER,
            still=lambda: tracked.executions_timer is timer,
            urgent=reading.urgent,
            imageBuildVersionArn=tracked.arn,
            **reading.token,
        )
        if tracked.reading is not reading:
            return  # a list has shown the next stage meanwhile: the executions are due at once
        reading.take(answer)
        if reading.token:
            timer.due = asyncio.get_running_loop().time()  # behind the other images that are due
            return
        tracked.take_executions(reading.found, reading.asked_at, self._settings.poll_interval)
        tracked.asked_at = reading.wall
        tracked.offer(reading.wall, workflows=True)
