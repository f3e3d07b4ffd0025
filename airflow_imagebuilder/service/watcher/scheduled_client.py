"""ScheduledClient: makes every call of a watcher in its turn, with a time limit, and counts its outcome."""

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
"""Seconds too short to sleep for."""
_RECONSIDER = 1.0
"""Seconds after which a call that waits for its turn reads the rate again: it may have risen."""
_UNHURRIED = 10.0
"""Calls per second that need no spreading."""
_SPARE = 1.1
"""The spread leaves room for a tenth more calls than the images need, so that delays can be made good."""


HINT_SHARE = 8.0
"""
The rate of the calls that follow events, as a multiple of ``max_calls_per_second``, beside the polls.

A thousand images that end together are seen within 20 seconds at the default rate (10 calls per second). Each
such call replaces the poll that would have seen the end.
"""


class ScheduledClient:
    """
    Makes the calls of one watcher.

    It spreads polls over the interval, limits how many calls run at once, and does not retry a poll.

    :param connect: as for :class:`airflow_imagebuilder.service.client.aio_client.AioClient`.
    :param settings: how to poll.
    :param bucket: the rate shared with other watchers; None makes one for this client alone.
    :param report: counts the calls.
    :param hint_bucket: the rate of calls that follow events, shared with other watchers; None makes one for
        this client alone.
    """

    def __init__(
        self,
        connect: Connect,
        settings: WatchSettings,
        bucket: TokenBucket | None,
        report: Report,
        hint_bucket: TokenBucket | None = None,
    ) -> None:
        self.demand = 0
        """Calls that the images need per interval; the poller keeps it."""
        self.in_flight = 0
        """Calls that AWS has not answered yet."""
        self.trouble: TransientError | None = None
        """The error of the last call, if it failed and another try may succeed."""
        self._settings = settings
        self._client = AioClient(connect, call_timeout=settings.call_timeout)
        self._bucket = bucket or TokenBucket(settings.max_calls_per_second)
        self._hint_bucket = hint_bucket or TokenBucket(HINT_SHARE * settings.max_calls_per_second)
        self._adaptive = AdaptiveRate(
            settings.max_calls_per_second, lambda: asyncio.get_running_loop().time()
        )
        self._connections = asyncio.Semaphore(settings.max_connections)
        self._report = report
        self._turns, self._extras = asyncio.Lock(), asyncio.Lock()
        self._hint_turns = asyncio.Lock()
        self._last_turn = self._last_hint = float("-inf")
        self._peak, self._peak_before, self._peak_since = 0, 0, 0.0

    @property
    def rate(self) -> float:
        """Calls per second that AWS accepts at present."""
        return self._adaptive.rate

    @property
    def slowed(self) -> bool:
        """Whether calls are held back because AWS throttles."""
        return self._adaptive.slowed

    async def call(
        self,
        operation: str,
        expect: str,
        *,
        still: Callable[[], bool] | None = None,
        urgent: bool = False,
        extra: bool = False,
        hint: bool = False,
        **params: Any,
    ) -> dict[str, Any]:
        """
        Call one operation once, when it is its turn.

        :param operation: botocore's method name, for example ``get_image``.
        :param expect: the member that the answer must hold.
        :param still: returns whether the answer is still wanted; called when the turn has come.
        :param urgent: whether the call is not to be spread over the interval; the rate limits it still.
        :param extra: whether the call is not a poll. Such calls wait for each other, so that they delay no
            poll.
        :param hint: whether an event caused the call. Such calls have a rate of their own
            (:data:`HINT_SHARE`), which falls with the polls' when AWS throttles.
        :param params: the parameters of the operation, as AWS names them.
        :return: the answer, as botocore parsed it.
        :raises NotWantedError: the answer is not wanted any longer; nothing was sent.
        :raises ImageBuilderError: as :func:`airflow_imagebuilder.service.client.aio_client.call_once`.
        """
        if hint:
            await self._hint_turn()
        elif extra:
            async with self._extras:  # only one at a time queues among the polls
                await self._turn(urgent=True)
        else:
            await self._turn(urgent=urgent)
        async with self._connections:
            if still is not None and not still():
                raise NotWantedError
            self.in_flight += 1
            try:
                answer = await self._client.call(operation, expect=expect, still=still, **params)
            except ImageBuilderError as error:
                self._record(error)
                raise
            finally:
                self.in_flight -= 1
        self._record(None)
        return answer

    async def pages(
        self, operation: str, expect: str, *, patience: float, most: int = PAGES, **params: Any
    ) -> AsyncGenerator[list[Any], None]:
        """
        Yield the records of one page after the other. Unlike a poll, a page is retried.

        :param operation: botocore's method name, for example ``list_image_build_versions``.
        :param expect: the member of the answer that holds the records.
        :param patience: seconds for which a page is retried while the errors are transient.
        :param most: pages after which the list counts as endless.
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

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    def _record(self, error: ImageBuilderError | None) -> None:
        self.trouble = error if isinstance(error, TransientError) else None
        self._adaptive.record(failed=self.trouble is not None)
        self._report.rate = self.rate
        self._report.called(error)

    async def _turn(self, *, urgent: bool) -> None:
        """Wait so long that the interval's calls fill the interval, and that AWS accepts the rate."""
        clock = asyncio.get_running_loop().time
        async with self._turns:
            while (left := self._last_turn + self._gap(urgent=urgent) - clock()) > _TICK:  # noqa: ASYNC110 (it waits for time)
                await asyncio.sleep(min(left, _RECONSIDER))
            self._last_turn = max(self._last_turn + self._gap(urgent=urgent), clock() - CATCH_UP)
        await self._bucket.take()

    async def _hint_turn(self) -> None:
        clock = asyncio.get_running_loop().time
        async with self._hint_turns:
            while (left := self._last_hint + 1 / (HINT_SHARE * self.rate) - clock()) > _TICK:  # noqa: ASYNC110 (it waits for time)
                await asyncio.sleep(min(left, _RECONSIDER))
            self._last_hint = max(self._last_hint + 1 / (HINT_SHARE * self.rate), clock() - CATCH_UP)
        await self._hint_bucket.take()

    def _gap(self, *, urgent: bool) -> float:
        if urgent:
            return 1 / self.rate
        interval = self._settings.poll_interval
        return 1 / min(max(_UNHURRIED, _SPARE * self._peak_demand(interval) / interval), self.rate)

    def _peak_demand(self, interval: float) -> int:
        # The highest demand of this interval and of the last one. When images finish, the demand falls; wider
        # gaps between the calls would delay the images that are polled after them.
        now = asyncio.get_running_loop().time()
        if now - self._peak_since >= interval:
            self._peak_before = self._peak if now - self._peak_since < 2 * interval else 0
            self._peak, self._peak_since = 0, now
        self._peak = max(self._peak, self.demand)
        return max(self._peak, self._peak_before)
