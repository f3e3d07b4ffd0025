"""One ListImageBuildVersions instead of many GetImage: when that is cheaper, from what the last one cost."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import ImageBuilderError, TransientError
from airflow_imagebuilder.service.looks import has_status

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Mapping

    from airflow_imagebuilder.service.caller import Caller
    from airflow_imagebuilder.service.looks import Watched
    from airflow_imagebuilder.service.settings import WatchSettings

_FEWEST = 3
_PAGE = 25  # AWS's largest
_FIRST_PAUSE, _LONGEST_PAUSE = 8, 128
_TROUBLES = 3
"""So many times running a list may fail of throttling or an outage before each build is asked for instead."""


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
        self.members: dict[str, Watched] = {}
        self.reading = False
        self._params = params
        self._cost: int | None = None
        self._again_for = _FEWEST
        self._again_at = float("-inf")
        self._pause = _FIRST_PAUSE
        self._troubles = 0

    def worth(self, now: float) -> bool:
        """Return whether to list rather than to get (at the loop's time ``now``)."""
        if self.reading or len(self.members) < _FEWEST:
            return False
        if self._cost is not None:
            return self._cost * 2 <= len(self.members)
        return len(self.members) >= self._again_for or now >= self._again_at

    async def read(
        self, caller: Caller, wanted: Collection[str], now: float, settings: WatchSettings
    ) -> AsyncGenerator[list[Mapping[str, Any]], None]:
        """
        Read pages until all wanted builds are found, or it costs too much; decide whether to go on listing.

        :param wanted: ARNs.
        :return: page by page, the summaries of wanted builds.
        :raises ImageBuilderError: as :meth:`airflow_imagebuilder.service.caller.Caller.call`.
        """
        missing, took = set(wanted), list[float]()
        allowed = self._allowed(len(missing), settings)
        reading = caller.pages(
            "list_image_build_versions",
            "imageSummaryList",
            patience=settings.poll_interval / 2,
            maxResults=_PAGE,
            **self._params,
        )
        try:
            async with contextlib.aclosing(reading):
                async for page in reading:
                    took.append(asyncio.get_running_loop().time() - now - sum(took))
                    found = [one for one in page if one.get("arn") in missing and has_status(one)]
                    missing.difference_update(one["arn"] for one in found)
                    yield found
                    if not missing or len(took) >= allowed:
                        break
        except ImageBuilderError as error:
            # Throttling tells nothing of what a list costs, unless lists are all that is throttled.
            self._troubles += 1
            if self._troubles >= _TROUBLES or not isinstance(error, TransientError):
                self._give_up(now, settings)
            raise
        self._troubles, cost = 0, len(took) + len(missing)
        # The median: a page that was throttled, and asked for again, is not what a list takes. And where all
        # calls are held back, single looks would take longer still.
        quick = caller.slowed or statistics.median(took) * len(took) * 2 <= settings.poll_interval
        if cost * 2 <= len(wanted) and quick:
            self._cost, self._pause = cost, _FIRST_PAUSE
        else:
            self._give_up(now, settings)

    def _allowed(self, wanted: int, settings: WatchSettings) -> int:
        # A trial must not use up what the interval's other looks need.
        at_rate = settings.max_calls_per_second * settings.poll_interval / 4
        return max(1, wanted // 2 if self._cost is not None else int(min(wanted / 4, at_rate)))

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

    def join(self, watched: Watched) -> None:
        """Add an image."""
        version = watched.arn.rpartition("/")[0]
        listing = self._versions.get(version)
        if listing is None:
            listing = self._versions[version] = Listing(imageVersionArn=version)
        listing.members[watched.arn] = watched
        self._settle(listing)

    def leave(self, watched: Watched) -> None:
        """Drop an image."""
        version = watched.arn.rpartition("/")[0]
        listing = self._versions[version]
        del listing.members[watched.arn]
        self._account.members.pop(watched.arn, None)
        self._settle(listing)
        if not listing.members:
            del self._versions[version]

    def of(self, watched: Watched) -> Listing:
        """Return the list that an image belongs to."""
        if watched.arn in self._account.members:
            return self._account
        return self._versions[watched.arn.rpartition("/")[0]]

    def _settle(self, listing: Listing) -> None:
        few = len(listing.members) < _FEWEST
        for watched in list(listing.members.values()) if few else ():
            self._account.members[watched.arn] = watched
        if len(listing.members) == _FEWEST:
            for arn in listing.members:
                self._account.members.pop(arn, None)
