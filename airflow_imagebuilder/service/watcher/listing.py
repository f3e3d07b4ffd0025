"""One ListImageBuildVersions instead of many GetImage: when that is cheaper, from what the last one cost."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.answers import has_status
from airflow_imagebuilder.service.errors import ImageBuilderError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from airflow_imagebuilder.service.watcher.scheduled_client import ScheduledClient
    from airflow_imagebuilder.service.watcher.settings import WatchSettings
    from airflow_imagebuilder.service.watcher.tracked_image import TrackedImage

_FEWEST = 3
_PAGE = 25  # AWS's largest
_PAGES = 400
"""More pages than any list is worth: ten thousand builds."""
_FIRST_PAUSE, _LONGEST_PAUSE = 8, 128
_TROUBLES = 3
"""So many times running a list may fail of throttling or an outage before each build is asked for instead."""

Found = list[tuple["TrackedImage", Mapping[str, Any]]]


class ListRead:
    """
    One reading of a list: the builds claimed for it, those that it has not shown yet, and what it took.

    :param claimed: the builds that wait for this list instead of a GetImage each.
    :param began: the loop's time of the first question.
    """

    __slots__ = ("_at", "claimed", "missing", "took")

    def __init__(self, claimed: dict[str, TrackedImage], began: float) -> None:
        self.claimed, self.missing = claimed, set(claimed)
        self.took: list[float] = []
        """Seconds that each page took."""
        self._at = began

    def take(self, page: list[Any], now: float) -> Found:
        """Return the claimed builds that a page shows. A record that cannot be read counts as not shown."""
        self.took.append(now - self._at)
        self._at = now
        found: Found = []
        for record in page:
            arn = record.get("arn") if isinstance(record, Mapping) and has_status(record) else None
            if isinstance(arn, str) and arn in self.missing:
                self.missing.remove(arn)
                found.append((self.claimed[arn], record))
        return found

    def wanted(self) -> bool:
        """Return whether another page is wanted: whether waits are left for a build not shown yet."""
        return any(self.claimed[arn].waits for arn in self.missing)

    def cost(self) -> int:
        """Return the calls that this reading makes: its pages, and a GetImage for each build not shown."""
        return len(self.took) + len(self.missing)

    def cheap(self, interval: float, *, slowed: bool) -> bool:
        """
        Return whether it cost at most half of a GetImage each, and took at most half an interval.

        :param interval: seconds between two polls of an image.
        :param slowed: whether all calls are held back: a GetImage each would take longer still.
        """
        # The median: a page that was throttled, and asked for again, is not what a list takes.
        quick = slowed or statistics.median(self.took) * len(self.took) * 2 <= interval
        return quick and self.cost() * 2 <= len(self.claimed)


class Listing:
    """
    Builds that one list holds: those of an image version, or all of the account.

    A list is tried once as many builds are watched as could make it worth while. What it cost is what counts:
    its pages, and a GetImage for each watched build that it did not show. It stays in use while that is at
    most half of a GetImage each, and is read within half an interval; else it is tried again when twice as
    many builds are watched, or after 8, 16, ... 128 intervals. A trial costs at most a quarter more calls in
    one interval.

    :param params: what to ask for: ``imageVersionArn``, or nothing for the account.
    """

    __slots__ = ("_again_at", "_again_for", "_cost", "_params", "_pause", "_troubles", "members", "reading")

    def __init__(self, **params: str) -> None:
        self.members: dict[str, TrackedImage] = {}
        self.reading = False
        self._params = params
        self._cost: int | None = None
        self._again_for = _FEWEST
        self._again_at = float("-inf")
        self._pause = _FIRST_PAUSE
        self._troubles = 0

    def worthwhile(self, now: float) -> bool:
        """Return whether to list rather than to get (at the loop's time ``now``)."""
        if self.reading or len(self.members) < _FEWEST:
            return False
        if self._cost is not None:
            return self._cost * 2 <= len(self.members)
        return len(self.members) >= self._again_for or now >= self._again_at

    def claim(self, now: float, interval: float) -> ListRead:
        """Return a reading for the members that a list will do for; their next poll is an interval away."""
        claimed = {arn: one for arn, one in self.members.items() if one.listable(now, interval)}
        for one in claimed.values():
            one.image_timer.due = now + interval
        return ListRead(claimed, now)

    async def read(
        self, reading: ListRead, client: ScheduledClient, settings: WatchSettings
    ) -> AsyncGenerator[Found, None]:
        """
        Yield page by page what is found, until nothing is missing or it costs too much.

        :raises NotWantedError: no wait is left for the builds that are missing.
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
                    if not reading.missing or len(reading.took) >= allowed:
                        return
        finally:
            self.reading = False

    def judge(self, reading: ListRead, now: float, settings: WatchSettings, *, slowed: bool) -> None:
        """Decide from a reading that came through whether to list again."""
        self._troubles = 0
        if reading.cheap(settings.poll_interval, slowed=slowed):
            self._cost, self._pause = reading.cost(), _FIRST_PAUSE
        else:
            self._give_up(now, settings)

    def failed(self, error: ImageBuilderError, now: float, settings: WatchSettings) -> None:
        """Decide after a reading that failed whether to list again."""
        # Throttling says nothing about what a list costs, unless lists are all that is throttled.
        self._troubles += 1
        if self._troubles >= _TROUBLES or not isinstance(error, TransientError):
            self._give_up(now, settings)

    def _allowed(self, wanted: int, settings: WatchSettings) -> int:
        # A trial must not use up what the interval's other looks need.
        at_rate = settings.max_calls_per_second * settings.poll_interval / 4
        return min(_PAGES, max(1, wanted // 2 if self._cost is not None else int(min(wanted / 4, at_rate))))

    def _give_up(self, now: float, settings: WatchSettings) -> None:
        if self._cost is None:
            self._again_for = 2 * len(self.members)
            self._again_at = now + self._pause * settings.poll_interval
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._cost = None


class Listings:
    """Which list an image belongs to: its version's, or the account's if few builds of it are watched."""

    def __init__(self) -> None:
        self._versions: dict[str, Listing] = {}
        self._account = Listing()

    def __len__(self) -> int:
        """Return how many lists hold images."""
        return len(self._versions) + bool(self._account.members)

    def join(self, tracked: TrackedImage) -> None:
        """Add an image."""
        version = tracked.arn.rpartition("/")[0]
        listing = self._versions.get(version)
        if listing is None:
            listing = self._versions[version] = Listing(imageVersionArn=version)
        listing.members[tracked.arn] = tracked
        self._settle(listing)

    def leave(self, tracked: TrackedImage) -> None:
        """Drop an image."""
        version = tracked.arn.rpartition("/")[0]
        listing = self._versions[version]
        del listing.members[tracked.arn]
        self._account.members.pop(tracked.arn, None)
        self._settle(listing)
        if not listing.members:
            del self._versions[version]

    def of(self, tracked: TrackedImage) -> Listing:
        """Return the list that an image belongs to."""
        if tracked.arn in self._account.members:
            return self._account
        return self._versions[tracked.arn.rpartition("/")[0]]

    def _settle(self, listing: Listing) -> None:
        few = len(listing.members) < _FEWEST
        for tracked in list(listing.members.values()) if few else ():
            self._account.members[tracked.arn] = tracked
        if len(listing.members) == _FEWEST:
            for arn in listing.members:
                self._account.members.pop(arn, None)
