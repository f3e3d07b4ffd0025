"""Every call of a watcher goes through here: its turn, its time limit, its outcome counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.aio_client import AioClient, NotWantedError
from airflow_imagebuilder.service.client.pages import PAGES, Pages
from airflow_imagebuilder.service.client.rate_limit import CATCH_UP, AdaptiveRate, TokenBucket
from airflow_imagebuilder.service.client.retries import acall
from airflow_imagebuilder.service.errors import ImageBuilderError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_imagebuilder.service.client.aio_client import Connect
    from airflow_imagebuilder.service.watcher.reporting import Report
    from airflow_imagebuilder.service.watcher.settings import WatchSettings

_TICK = 1e-4
_RECONSIDER = 1.0  # the rate may have risen while a call waits for its turn
_UNHURRIED = 10.0
"""Calls a second that need no spreading."""


class ScheduledClient:
    """
    Calls for one watcher: spread, in turn, at most so many at once, each with a time limit, each one try.

    :param connect: as for :class:`airflow_imagebuilder.service.client.aio_client.AioClient`.
    :param settings: how to look.
    :param bucket: the rate shared with other watchers; one of its own by default.
    :param report: what counts the calls.
    """

    def __init__(
        self, connect: Connect, settings: WatchSettings, bucket: TokenBucket | None, report: Report
    ) -> None:
        self.demand = 0
        """Calls that an interval needs; the watcher keeps it."""
        self.trouble: TransientError | None = None
        """What the last call failed of, if it failed and another try may succeed."""
        self._settings = settings
        self._client = AioClient(connect, call_timeout=settings.call_timeout)
        self._bucket = bucket or TokenBucket(settings.max_calls_per_second)
        self._governor = AdaptiveRate(
            settings.max_calls_per_second, lambda: asyncio.get_running_loop().time()
        )
        self._in_flight = asyncio.Semaphore(settings.max_connections)
        self._report = report
        self._next, self._extras = asyncio.Lock(), asyncio.Lock()
        self._last = float("-inf")
        self._most, self._most_before, self._since = 0, 0, 0.0

    async def call(
        self,
        operation: str,
        expect: str,
        *,
        still: Callable[[], bool] | None = None,
        urgent: bool = False,
        extra: bool = False,
        **params: Any,
    ) -> dict[str, Any]:
        """
        Call one operation once, when it is its turn.

        :param urgent: whether the call is not to be spread over the interval; the rate binds it all the same.
        :param extra: whether the call is none of the poll's looks, which must not come late for its sake.
        :param still: returns whether the answer is still wanted, when the turn has come.
        :raises NotWantedError: it is not; nothing was sent.
        :raises ImageBuilderError: as :func:`airflow_imagebuilder.service.client.aio_client.call_once`.
        """
        if extra:
            async with self._extras:  # one in the queue, among many looks
                await self._turn(urgent=True)
        else:
            await self._turn(urgent=urgent)
        async with self._in_flight:
            if still is not None and not still():
                raise NotWantedError
            try:
                answer = await self._client.call(operation, expect=expect, still=still, **params)
            except ImageBuilderError as error:
                self._note(error)
                raise
        self._note(None)
        return answer

    async def pages(
        self, operation: str, expect: str, *, patience: float, most: int = PAGES, **params: Any
    ) -> AsyncGenerator[list[Any], None]:
        """
        Yield the member ``expect`` of one page after the other; a page is tried again, unlike a look.

        :param patience: seconds for which one page is tried again while the trouble is transient.
        :param most: pages after which the list is taken to have no end.
        :param params: what :meth:`call` takes besides.
        :raises NotWantedError: as :meth:`call`.
        :raises MalformedAnswerError: the list has no end.
        :raises ImageBuilderError: as :func:`airflow_imagebuilder.service.client.retries.acall`.
        """
        pages, token = Pages(operation, expect, most=most), dict[str, str]()
        while True:
            answer = await acall(
                self.call, operation, expect=expect, patience=patience, log_tries=False, **params, **token
            )
            yield pages.records(answer)
            token = pages.after(answer)
            if not token:
                return

    @property
    def slowed(self) -> bool:
        """Whether calls are held back because AWS throttles."""
        return self._governor.slowed

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    def _note(self, error: ImageBuilderError | None) -> None:
        self.trouble = error if isinstance(error, TransientError) else None
        self._governor.record(failed=self.trouble is not None)
        self._report.rate = self._governor.rate
        self._report.called(error)

    async def _turn(self, *, urgent: bool) -> None:
        """Wait so that an interval's calls fill the interval, or for as long as AWS wants."""
        clock = asyncio.get_running_loop().time
        async with self._next:
            while (left := self._last + self._gap(urgent=urgent) - clock()) > _TICK:  # noqa: ASYNC110 (it waits for time)
                await asyncio.sleep(min(left, _RECONSIDER))
            self._last = max(self._last + self._gap(urgent=urgent), clock() - CATCH_UP)
        await self._bucket.take()

    def _gap(self, *, urgent: bool) -> float:
        interval = self._settings.poll_interval
        even = float("inf") if urgent else max(_UNHURRIED, 1.1 * self._wanted(interval) / interval)
        return 1 / min(even, self._governor.rate)

    def _wanted(self, interval: float) -> int:
        # The most of this interval and the last: images that have ended are no reason for those that were
        # looked at behind them to come round later.
        now = asyncio.get_running_loop().time()
        if now - self._since >= interval:
            self._most_before = self._most if now - self._since < 2 * interval else 0
            self._most, self._since = 0, now
        self._most = max(self._most, self.demand)
        return max(self._most, self._most_before)
