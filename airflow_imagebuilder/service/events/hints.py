"""
Hints: what one watcher does about events. An event is a hint and never an answer: AWS is asked each time.

A hint for an image that no task waits for, or one older than the wait, is dropped. Else GetImage is called at
once. AWS may show the end later than its event, and an event may be forged: an image that is still in
progress is asked for again after 1, 2, 4 and 8 seconds, and then left to the poll.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.client.aio_client import NotWantedError
from airflow_imagebuilder.service.client.loop_registry import detached
from airflow_imagebuilder.service.errors import ImageBuilderError
from airflow_imagebuilder.service.events import listener
from airflow_imagebuilder.service.events.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_imagebuilder.service.events.listener import Channel, Counters, Listener
    from airflow_imagebuilder.service.events.messages import ImageStateChange

CLOCKS = 5.0
"""Seconds by which this machine's clock may differ from AWS's."""

_CALLS = 5
"""Calls that one hint causes at most, unless others follow it."""


class Hints:
    """
    The hints of one watcher.

    :param channel: the queue.
    :param verify: calls GetImage for an image, shows the answer to its waits, and returns whether the image
        has ended.
    :param waiting_since: returns the absolute time at which the first wait for an image began; None if no
        task waits for it.
    :param hurry: called when the queue is not trusted any longer.
    :param at_once: GetImage calls at the same time.
    :param longest_pause: maximum seconds between two calls, however many hints come for one image.
    :param metrics: the metrics system; None if there is none.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        verify: Callable[[str], Awaitable[bool]],
        waiting_since: Callable[[str], float | None],
        hurry: Callable[[], None],
        at_once: int,
        longest_pause: float,
        metrics: Counters | None = None,
    ) -> None:
        self._channel, self._metrics = channel, metrics
        self._listener: Listener | None = None
        self._verify, self._waiting_since = verify, waiting_since
        self._longest_pause = longest_pause
        self._trust = Trust(channel.url, on_loss=hurry, on_unheard=self._unheard)
        self._slots = asyncio.Semaphore(at_once)
        self._followed: dict[str, bool] = {}
        """The images whose hints are followed up, and whether another came since the last pause began."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def trusted(self) -> bool:
        """Whether the queue has announced each end lately."""
        return self._trust.held

    def start(self) -> None:
        """Begin to listen, on the running event loop."""
        if self._listener is None:
            self._listener = listener.join(self._channel, self, self._metrics)

    def take(self, change: ImageStateChange) -> bool:
        """
        Follow an event up, if it is about the end of an image that a task waits for.

        :return: whether it is.
        """
        if not change.ended:
            return False
        late = self._trust.late(change.arn)
        if late:
            self._trust.heard()
        since = self._waiting_since(change.arn)
        if since is None or change.time < since - CLOCKS:
            return late
        self._count("hints")
        known = change.arn in self._followed
        self._followed[change.arn] = True
        if not known:
            task = detached(self._follow(change.arn))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return True

    def follows(self, arn: str) -> bool:
        """Return whether a hint for this image is being followed up."""
        return arn in self._followed

    def missed(self, arn: str) -> None:
        """Note that the poll saw an end that no event had announced."""
        if self._listener is not None and not self._listener.in_trouble:
            self._trust.missed(arn)

    def deaf(self) -> None:
        """Note that the queue cannot be read."""
        self._trust.deaf()

    async def aclose(self) -> None:
        """Listen no longer."""
        self._trust.close()
        if self._listener is not None:
            self._listener = None
            await listener.leave(self._channel, self)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _count(self, name: str) -> None:
        if self._listener is not None:
            self._listener.count(name, 1)

    def _unheard(self) -> None:
        self._count("ends_unheard")

    async def _follow(self, arn: str) -> None:
        calls = 0
        try:
            self._followed[arn] = False
            while not await self._ended(arn):
                calls += 1
                if calls >= _CALLS and not self._followed[arn]:
                    return
                self._followed[arn] = False
                await asyncio.sleep(min(self._longest_pause, 2.0 ** min(calls - 1, 10)))
        finally:
            del self._followed[arn]

    async def _ended(self, arn: str) -> bool:
        """Return whether AWS shows the end, or no task waits for it any longer."""
        async with self._slots:
            if self._waiting_since(arn) is None:
                return True
            # What the error means for the waits is decided by the poll, which asks too.
            with contextlib.suppress(ImageBuilderError):
                try:
                    ended = await self._verify(arn)
                except NotWantedError:
                    return True
                if ended:
                    self._trust.heard()
                return ended
            return False
