"""
ImageWatcher: one shared, rate-limited poll for any number of waits.

However many waits hang on an image, it is asked for once an interval (GetImage), and so are its workflow
executions (ListWorkflowExecutions) if any of the waits wants them; where a list answers for many images at
less cost, it is used instead. Calls are spread over the interval and go through a bucket that the process
shares. Throttling and outages slow all waits down together and fail none before its deadline.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.loop_registry import LoopRegistry
from airflow_imagebuilder.service.client.rate_limit import TokenBucket
from airflow_imagebuilder.service.client.retries import PATIENCE
from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
from airflow_imagebuilder.service.watcher.poller import Poller
from airflow_imagebuilder.service.watcher.reporting import Metrics, Report, WatcherStats
from airflow_imagebuilder.service.watcher.scheduled_client import ScheduledClient
from airflow_imagebuilder.service.watcher.settings import WatchSettings
from airflow_imagebuilder.service.watcher.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from typing_extensions import Self

    from airflow_imagebuilder.service.client.aio_client import Connect

__all__ = ["ImageSnapshot", "ImageWatcher", "Metrics", "WatchSettings", "WatcherStats", "shared"]


class ImageWatcher:
    """
    Watches images for waits of one connection, region and configuration.

    Use it as an async context manager, or call :meth:`aclose`: it holds a client. It lives on the event loop
    that first waits on it.

    :param connect: gives an aiobotocore ``imagebuilder`` client's context manager; called again when
        credentials have expired.
    :param settings: how to look.
    :param metrics: where the watcher's numbers go.
    :param bucket: the rate to share with other watchers; one of its own by default.
    :param wall: tells absolute time, for deadlines.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        settings: WatchSettings | None = None,
        metrics: Metrics | None = None,
        bucket: TokenBucket | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings or WatchSettings()
        self._wall = wall
        self._report = Report(metrics)
        self._client = ScheduledClient(connect, self.settings, bucket, self._report)
        self._poller = Poller(self._client, self.settings, self._report, wall)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def watch(
        self,
        arn: str,
        *,
        workflows: bool = False,
        deadline: float | None = None,
        ignore_terminal_until: float | None = None,
        stale_failure: str | None = None,
        first_look: float | None = None,
    ) -> AsyncGenerator[ImageSnapshot, None]:
        """
        Yield the image's first snapshot, then one a change; the terminal one is the last.

        A change is one of the image's state or outputs, or of its workflow executions. A slow reader misses
        what lies between two of its reads, never the newest.

        :param arn: the image build version ARN.
        :param workflows: whether the snapshots hold the workflow executions.
        :param deadline: absolute time (``time.time()``) at which the wait is over.
        :param ignore_terminal_until: absolute time until which a FAILED or CANCELLED is taken for the one
            before a RetryImage, unless the image was seen in progress since the wait began.
        :param stale_failure: the ``failureContext.workflowExecutionId`` of the failure that RetryImage
            repaired: a FAILED that names another execution is news at once, also before
            ``ignore_terminal_until``. An empty string where the image had failed in none (it was CANCELLED).
            Where it is left out, each FAILED before that time is ignored.
        :param first_look: seconds that this wait lasts at least; the settings' where it is left out.
        :raises DeadlineExceededError: the deadline passed; its cause is what keeps the answer away at that
            time, None if AWS answers.
        :raises AwsError: anything but transient trouble lasted longer than ``settings.grace``: forbidden, not
            found, missing credentials, a refusal, an answer that cannot be read.
        :raises ImageBuilderError: a fault of this package lasted as long, or the watcher was closed. None of
            these says how the image stands: it may be building still.
        """
        first_look = self.settings.first_look if first_look is None else first_look
        wait = Subscription(
            arn,
            workflows=workflows,
            ready=asyncio.get_running_loop().time() + first_look,
            deadline=deadline,
            stale_until=ignore_terminal_until,
            stale_failure=stale_failure,
            wall=self._wall,
        )
        try:
            self._poller.join(wait)
            while True:
                snapshot = await wait.next()
                yield snapshot
                if snapshot.terminal:
                    return
        finally:
            self._poller.leave(wait)

    async def steps(self, execution_id: str) -> list[dict[str, Any]]:
        """
        Return the steps of one workflow execution (ListWorkflowStepExecutions), through the same rate.

        The looks of the poll go first: where the rate is used up, this takes its time.

        :param execution_id: the workflow execution's id, ``wf-...``.
        :raises ImageBuilderError: AWS refused, or was in trouble for a minute.
        """
        pages = self._client.pages(
            "list_workflow_step_executions",
            "steps",
            patience=PATIENCE,
            extra=True,
            workflowExecutionId=execution_id,
        )
        return [step async for page in pages for step in page]

    def stats(self) -> WatcherStats:
        """Return what the watcher is doing now, in numbers."""
        return self._poller.stats()

    async def aclose(self) -> None:
        """End the poll and close the client. Waits that are left get an error."""
        try:
            await self._poller.aclose()
        finally:
            await self._client.aclose()
            self._report.measure()


_watchers: LoopRegistry[ImageWatcher] = LoopRegistry()
_buckets: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, TokenBucket]]
_buckets = weakref.WeakKeyDictionary()


def shared(
    key: Hashable, connect: Connect, settings: WatchSettings, metrics: Metrics | None = None
) -> AbstractAsyncContextManager[ImageWatcher]:
    """
    Enter the watcher that everybody with this key shares on the running event loop.

    :param key: what makes a watcher another one: connection, region, verification, configuration, settings.
    :param connect: as for :class:`ImageWatcher`; the first one's is used.
    :param settings: as for :class:`ImageWatcher`; the first one's are used.
    :param metrics: as for :class:`ImageWatcher`; the first one's are used.
    :return: the watcher's context manager; the watcher is closed when the last leaves.
    """

    def make() -> ImageWatcher:
        rate = settings.max_calls_per_second
        bucket = _buckets.setdefault(asyncio.get_running_loop(), {}).setdefault(rate, TokenBucket(rate))
        return ImageWatcher(connect, settings=settings, metrics=metrics, bucket=bucket)

    return _watchers.use(key, make)
