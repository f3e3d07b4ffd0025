"""
ImageWatcher: one shared, rate-limited poll for any number of waits.

An image is polled once per interval (GetImage), however many waits there are for it. So are its workflow
executions (ListWorkflowExecutions), if any of the waits wants them. Where one list of builds is cheaper than
many GetImage, the list is used. Calls are spread over the interval, and all watchers of the process share one
rate. Throttling and outages slow all waits together, and end none of them before its deadline.

One poll, in four modules: :meth:`ImageWatcher.watch` here joins a wait to the poll, ``poller`` starts a poll
when it is due, ``image_poller`` makes the calls, and ``tracked_image`` turns the answers into snapshots,
offers them to the waits and schedules the next poll.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.answers import has_status, malformed
from airflow_imagebuilder.service.client.loop_registry import LoopRegistry
from airflow_imagebuilder.service.client.pages import PAGES
from airflow_imagebuilder.service.client.rate_limit import TokenBucket
from airflow_imagebuilder.service.client.retries import PATIENCE
from airflow_imagebuilder.service.events.hints import Hints
from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
from airflow_imagebuilder.service.watcher.poller import Poller
from airflow_imagebuilder.service.watcher.reporting import Metrics, Report, WatcherStats
from airflow_imagebuilder.service.watcher.scheduled_client import HINT_SHARE, ScheduledClient
from airflow_imagebuilder.service.watcher.settings import WatchSettings
from airflow_imagebuilder.service.watcher.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from typing_extensions import Self

    from airflow_imagebuilder.service.client.aio_client import Connect
    from airflow_imagebuilder.service.events.listener import Channel

__all__ = ["ImageSnapshot", "ImageWatcher", "Metrics", "WatchSettings", "WatcherStats", "shared"]


class ImageWatcher:
    """
    Watches images with one connection, region and configuration, for any number of waits.

    Use it as an async context manager, or call :meth:`aclose`: it holds a client. It belongs to the event
    loop of its first wait.

    :param connect: returns an aiobotocore ``imagebuilder`` client's context manager; called again when
        credentials have expired.
    :param settings: how to poll; the defaults of :class:`WatchSettings` if None.
    :param metrics: the metrics system that gets the watcher's numbers; None if there is none.
    :param bucket: the rate to share with other watchers; None gives the watcher a rate of its own.
    :param wall: returns absolute time, for deadlines (default ``time.time``).
    :param hint_bucket: the rate of the calls that follow events, to share with other watchers; None gives the
        watcher a rate of its own.
    :param channel: a queue that announces the ends of images, so that they are seen before the next poll;
        None (default) polls alone.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        settings: WatchSettings | None = None,
        metrics: Metrics | None = None,
        bucket: TokenBucket | None = None,
        wall: Callable[[], float] = time.time,
        hint_bucket: TokenBucket | None = None,
        channel: Channel | None = None,
    ) -> None:
        self.settings = settings or WatchSettings()
        self._wall = wall
        self._report = Report(metrics)
        self._client = ScheduledClient(connect, self.settings, bucket, self._report, hint_bucket)
        self._poller = Poller(self._client, self.settings, self._report, wall)
        self._hints = self._hints_of(channel, metrics) if channel is not None else None

    def _hints_of(self, channel: Channel, metrics: Metrics | None) -> Hints:
        hints = Hints(
            channel,
            verify=self._poller.verify,
            waiting_since=self._poller.waiting_since,
            hurry=self._poller.hurry,
            at_once=self.settings.max_connections,
            longest_pause=self.settings.poll_interval,
            metrics=metrics,
        )
        self._poller.trust(hints)
        return hints

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
        stale_until: float | None = None,
        stale_failure: str | None = None,
        first_look: float | None = None,
    ) -> AsyncGenerator[ImageSnapshot, None]:
        """
        Yield the image's first snapshot, then one per change. The last snapshot is the terminal one.

        A change is one of the image's state or outputs, or of its workflow executions. A slow reader misses
        snapshots between two of its reads, never the newest.

        :param arn: the image build version ARN.
        :param workflows: whether the snapshots hold the workflow executions (default False).
        :param deadline: absolute time (``time.time()``) at which the wait is over; None if it has none.
        :param stale_until: absolute time until which a FAILED or CANCELLED counts as the one before
            a RetryImage, unless a poll has shown the image in progress since the wait began.
        :param stale_failure: the ``failureContext.workflowExecutionId`` of the failure that RetryImage
            repaired. A FAILED that names another execution is then news at once, also before
            ``stale_until``. Empty if the image had not failed in an execution (it was CANCELLED).
            None ignores each FAILED before that time.
        :param first_look: seconds that this wait lasts at least; the settings' value if None.
        :return: the snapshots, as an async generator.
        :raises DeadlineExceededError: the deadline passed. Its cause is the error that keeps the answer away
            at that time; None if AWS answers.
        :raises AwsError: an error that is not transient lasted longer than ``settings.grace``: forbidden, not
            found, missing credentials, a refusal, an answer that cannot be read. The image may still be
            building.
        :raises ImageBuilderError: a fault of this package lasted as long, or the watcher was closed. The
            image may still be building.
        """
        first_look = self.settings.first_look if first_look is None else first_look
        wait = Subscription(
            arn,
            workflows=workflows,
            ready=asyncio.get_running_loop().time() + first_look,
            deadline=deadline,
            stale_until=stale_until,
            stale_failure=stale_failure,
            wall=self._wall,
        )
        seen = False
        try:
            self._poller.join(wait)
            if self._hints is not None:
                self._hints.start()
            while True:
                snapshot = await wait.next()
                if snapshot.terminal and seen and self._hints is not None:
                    self._saw_end(arn, self._hints)
                seen = True
                yield snapshot
                if snapshot.terminal:
                    return
        finally:
            self._poller.leave(wait)

    def _saw_end(self, arn: str, hints: Hints) -> None:
        if not hints.follows(arn) and self._poller.saw_end(arn):
            hints.missed(arn)

    async def image(self, arn: str) -> dict[str, Any]:
        """
        Return an image (GetImage) once, at the same rate. Polls come first, and there is no other try.

        :param arn: the image build version ARN.
        :return: the answer's ``image``.
        :raises ImageBuilderError: AWS did not answer, refused, or answered without the image's status.
        """
        answer = await self._client.call("get_image", "image", extra=True, imageBuildVersionArn=arn)
        if not has_status(answer["image"]):
            raise malformed(answer, "get_image", "image.state.status")
        image: dict[str, Any] = answer["image"]
        return image

    async def steps(self, execution_id: str) -> list[dict[str, Any]]:
        """
        Return the steps of one workflow execution (ListWorkflowStepExecutions), at the same rate.

        Polls come first: where they need the whole rate, this call waits.

        :param execution_id: the workflow execution's id, ``wf-...``.
        :return: the answer's ``steps``, of all pages.
        :raises ImageBuilderError: AWS refused, or transient errors lasted for a minute.
        """
        return await self.listed("list_workflow_step_executions", "steps", workflowExecutionId=execution_id)

    async def listed(self, operation: str, member: str, *, most: int = PAGES, **params: Any) -> list[Any]:
        """
        Return the records of a list, at the same rate as the polls, which come first.

        :param operation: botocore's method name, for example ``list_images``.
        :param member: the member of the answer that holds the records.
        :param most: pages after which the list counts as endless (default 40).
        :param params: the parameters of the operation, as AWS names them.
        :return: the records of all pages, each of them unchecked.
        :raises ImageBuilderError: AWS refused, or transient errors lasted for a minute.
        """
        pages = self._client.pages(operation, member, patience=PATIENCE, most=most, extra=True, **params)
        return [record async for page in pages for record in page]

    async def asked(self, operation: str, member: str, **params: Any) -> Any:
        """
        Return one member of the answer to one call, at the same rate as the polls, which come first.

        :param operation: botocore's method name, for example ``get_image_pipeline``.
        :param member: the member of the answer.
        :param params: the parameters of the operation, as AWS names them.
        :raises ImageBuilderError: the call failed. It is not repeated.
        """
        return (await self._client.call(operation, member, extra=True, **params))[member]

    async def get_image(self, arn: str) -> dict[str, Any]:
        """
        Return an image with all members (GetImage), at the same rate. Nothing is retried.

        A snapshot may lack members whose changes end no wait for an image, such as the state of its scan.

        :param arn: the image build version ARN.
        :raises ImageBuilderError: AWS did not answer, or refused.
        """
        answer = await self._client.call("get_image", "image", extra=True, imageBuildVersionArn=arn)
        image: dict[str, Any] = answer["image"]
        if not has_status(image):
            raise malformed(answer, "get_image", "image.state.status")
        return image

    def asked_at(self, arn: str) -> float | None:
        """Return the absolute time of the last call that showed an image; ``None`` if none has."""
        return self._poller.asked_at(arn)

    def stats(self) -> WatcherStats:
        """Return what the watcher is doing now, in numbers."""
        return self._poller.stats()

    async def aclose(self) -> None:
        """Stop polling and close the client. Waits that are left get an error."""
        try:
            if self._hints is not None:
                await self._hints.aclose()
            await self._poller.aclose()
        finally:
            await self._client.aclose()
            self._report.measure()


_watchers: LoopRegistry[ImageWatcher] = LoopRegistry()
_buckets: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, TokenBucket]]
_buckets = weakref.WeakKeyDictionary()


def shared(
    key: Hashable,
    connect: Connect,
    settings: WatchSettings,
    metrics: Metrics | None = None,
    channel: Channel | None = None,
) -> AbstractAsyncContextManager[ImageWatcher]:
    """
    Enter the watcher that all users of this key share on the running event loop.

    :param key: identifies the watcher: connection, region, verification, configuration and settings.
    :param connect: as for :class:`ImageWatcher`; the first user's is used.
    :param settings: as for :class:`ImageWatcher`; the first user's are used.
    :param metrics: as for :class:`ImageWatcher`; the first user's are used.
    :param channel: as for :class:`ImageWatcher`; the first user's is used.
    :return: the watcher's context manager. The watcher is closed when its last user leaves.
    """

    def make() -> ImageWatcher:
        rate = settings.max_calls_per_second
        return ImageWatcher(
            connect,
            settings=settings,
            metrics=metrics,
            bucket=_bucket(rate),
            hint_bucket=_bucket(rate, HINT_SHARE),
            channel=channel,
        )

    return _watchers.use(key, make)


def _bucket(rate: float, share: float = 1.0) -> TokenBucket:
    """Return the process's bucket for watchers with this rate, for polls or for hints."""
    buckets = _buckets.setdefault(asyncio.get_running_loop(), {})
    return buckets.setdefault((rate, share), TokenBucket(rate * share))
