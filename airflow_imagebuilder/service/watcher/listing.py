"""Listing: one ListImageBuildVersions instead of many GetImage, where the last one was cheaper."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.service.arns.grammar import image_version_in
from airflow_imagebuilder.service.client.answers import has_status
from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageBuilderError,
    InvalidRequestError,
    TransientError,
)
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from airflow_imagebuilder.service.watcher.scheduled_client import ScheduledClient
    from airflow_imagebuilder.service.watcher.settings import WatchSettings
    from airflow_imagebuilder.service.watcher.tracked_image import TrackedImage

log = logging.getLogger(__name__)

_FEWEST = 3
"""Images that a list has to hold: a list of two can save one call at most."""
_PAGE = 25
"""Builds per page; the largest ``maxResults`` of ListImageBuildVersions (API reference)."""
_PAGES = 400
"""More pages than any list is worth: ten thousand builds."""
_FIRST_PAUSE, _LONGEST_PAUSE = 8, 128
"""Intervals until a list that was too expensive is tried again."""
_FAILURES = 3
"""Reads in a row that may fail of transient errors before each build is polled by GetImage instead."""

Found = list[tuple["TrackedImage", Mapping[str, Any]]]


class ListPages:
    """
    One read of a list: the builds claimed for it, those that it has not shown yet, and the time it took.

    :param claimed: the builds, by ARN, that this list is read for instead of one GetImage each.
    :param began: the loop's time of the first call.
    """

    __slots__ = ("_last", "claimed", "durations", "missing")

    def __init__(self, claimed: dict[str, TrackedImage], began: float) -> None:
        self.claimed, self.missing = claimed, set(claimed)
        self.durations: list[float] = []
        """Seconds that each page took."""
        self._last = began

    def take(self, page: list[Any], now: float) -> Found:
        """
        Return the claimed builds that a page shows. A record that cannot be read counts as not shown.

        :param page: the page's records.
        :param now: the loop's time.
        """
        self.durations.append(now - self._last)
        self._last = now
        found: Found = []
        for record in page:
            arn = record.get("arn") if isinstance(record, Mapping) and has_status(record) else None
            if isinstance(arn, str) and arn in self.missing:
                self.missing.remove(arn)
                found.append((self.claimed[arn], record))
        return found

    def wanted(self) -> bool:
        """Return whether waits are left for any build not shown yet."""
        return any(self.claimed[arn].waits for arn in self.missing)

    def cost(self) -> int:
        """Return the calls that this read causes: its pages, and a GetImage for each build not shown."""
        return len(self.durations) + len(self.missing)

    def is_cheap(self, interval: float, *, slowed: bool) -> bool:
        """
        Return whether the list cost at most half the calls of one GetImage each, and half an interval.

        :param interval: seconds between two polls of an image.
        :param slowed: whether all calls are held back, so that one GetImage each would take even longer.
        """
        # The median, because the time of a page that was throttled and retried says nothing about a list.
        quick = slowed or statistics.median(self.durations) * len(self.durations) * 2 <= interval
        return quick and self.cost() * 2 <= len(self.claimed)


class Listing:
    """
    The watched builds that one list holds: those of an image version, or those of the whole account.

    A list is tried as soon as three of its builds are watched. Its cost decides whether it stays in use: its
    pages, and a GetImage for each watched build that it did not show. It stays while that is at most half the
    calls of one GetImage each, and while reading it takes at most half an interval. Else it is tried again
    when twice as many builds are watched, or after 8, 16, ... 128 intervals. A trial costs at most a quarter
    more calls in one interval.

    :param params: the call's parameters: ``imageVersionArn``, or none for the account.
    """

    __slots__ = (
        "_cost", "_failures", "_params", "_pause", "_retry_at", "_retry_size",
        "forbidden", "impossible", "members", "reading",
    )  # fmt: skip

    def __init__(self, **params: str) -> None:
        self.members: dict[str, TrackedImage] = {}
        self.reading = False
        self.impossible = False
        """Whether the installed boto3 cannot ask for this list. It is never tried again."""
        self.forbidden = False
        """Whether AWS refused the last read, so that each image takes a GetImage of its own."""
        self._params = params
        self._cost: int | None = None
        """Calls that the last read caused, if it was cheap."""
        self._retry_size = _FEWEST
        self._retry_at = float("-inf")
        self._pause = _FIRST_PAUSE
        self._failures = 0

    def worthwhile(self, now: float) -> bool:
        """Return whether to read the list now, instead of polling each image by GetImage."""
        if self.impossible or self.reading or len(self.members) < _FEWEST:
            return False
        if self._cost is not None:
            return self._cost * 2 <= len(self.members)
        return len(self.members) >= self._retry_size or now >= self._retry_at

    def claim(self, now: float, interval: float) -> ListPages:
        """Start a read for the members that a list will do for, and schedule their next poll."""
        claimed = {arn: one for arn, one in self.members.items() if one.listable(now, interval)}
        for one in claimed.values():
            one.image_timer.due = now + interval
        return ListPages(claimed, now)

    async def read(
        self, reading: ListPages, client: ScheduledClient, settings: WatchSettings
    ) -> AsyncGenerator[Found, None]:
        """
        Yield what each page shows of the claimed builds, until all are shown or the read costs too much.

        :raises NotWantedError: no waits are left for the builds that are missing.
        :raises ImageBuilderError: as
            :meth:`airflow_imagebuilder.service.watcher.scheduled_client.ScheduledClient.call`.
        """
        allowed = self._allowed(len(reading.missing), settings)
        pages = client.pages(
            "list_image_build_versions",
            "imageSummaryList",
            patience=settings.poll_interval / 2,
            most=_PAGES,
            still=reading.wanted,
            maxResults=_PAGE,
            **self._params,
        )
        self.reading = True
        try:
            async with contextlib.aclosing(pages):
                async for page in pages:
                    yield reading.take(page, asyncio.get_running_loop().time())
                    if not reading.missing or len(reading.durations) >= allowed:
                        return
        finally:
            self.reading = False

    def judge(self, reading: ListPages, now: float, settings: WatchSettings, *, slowed: bool) -> None:
        """Decide from a read that succeeded whether to use the list again."""
        self._failures, self.forbidden = 0, False
        if reading.is_cheap(settings.poll_interval, slowed=slowed):
            self._cost, self._pause = reading.cost(), _FIRST_PAUSE
        else:
            self._give_up(now, settings)

    def failed(self, error: ImageBuilderError, now: float, settings: WatchSettings) -> None:
        """Decide from a read that failed whether to use the list again."""
        if isinstance(error, InvalidRequestError) and not self.impossible:
            self.impossible = True
            log.warning(
                "%s. Images are polled without it, which takes more calls. Nothing fails.",
                one_line(error) if self._params else aws_model.lack(aws_model.LIST_OF_THE_ACCOUNT),
            )
        self.forbidden = self.forbidden or isinstance(error, ForbiddenError) or self.impossible
        # Throttling says nothing about the cost of a list, unless AWS throttles lists alone.
        self._failures += 1
        if self._failures >= _FAILURES or not isinstance(error, TransientError):
            self._give_up(now, settings)

    def _allowed(self, wanted: int, settings: WatchSettings) -> int:
        # A trial must not use up the calls that the interval's other polls need.
        at_rate = settings.max_calls_per_second * settings.poll_interval / 4
        return min(_PAGES, max(1, wanted // 2 if self._cost is not None else int(min(wanted / 4, at_rate))))

    def _give_up(self, now: float, settings: WatchSettings) -> None:
        if self._cost is None:
            self._retry_size = 2 * len(self.members)
            self._retry_at = now + self._pause * settings.poll_interval
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._cost = None


class Listings:
    """
    The lists, and which one an image belongs to.

    An image belongs to the list of its version. If fewer than three builds of that version are watched, it
    belongs to the account's list.
    """

    def __init__(self) -> None:
        self._versions: dict[str, Listing] = {}
        self._account = Listing()

    def __len__(self) -> int:
        """Return how many lists hold watched builds."""
        return len(self._versions) + bool(self._account.members)

    def join(self, tracked: TrackedImage) -> None:
        """Add an image."""
        version = image_version_in(tracked.arn)
        listing = self._versions.get(version)
        if listing is None:
            listing = self._versions[version] = Listing(imageVersionArn=version)
        listing.members[tracked.arn] = tracked
        self._settle(listing)

    def leave(self, tracked: TrackedImage) -> None:
        """Drop an image."""
        version = image_version_in(tracked.arn)
        listing = self._versions[version]
        del listing.members[tracked.arn]
        self._account.members.pop(tracked.arn, None)
        self._settle(listing)
        if not listing.members:
            del self._versions[version]

    def of(self, tracked: TrackedImage) -> Listing:
        """Return the list of an image."""
        if tracked.arn in self._account.members:
            return self._account
        return self._versions[image_version_in(tracked.arn)]

    def _settle(self, listing: Listing) -> None:
        few = len(listing.members) < _FEWEST
        for tracked in list(listing.members.values()) if few else ():
            self._account.members[tracked.arn] = tracked
        if len(listing.members) == _FEWEST:
            for arn in listing.members:
                self._account.members.pop(arn, None)
