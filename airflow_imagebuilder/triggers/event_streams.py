"""
How the triggers of one queue share its reader, and when a message is deleted.

Since Airflow 3.3, the triggerer shares the reader and reports when its database has an event: the message is
deleted then (:class:`Producer`). Before, a trigger cannot know: :class:`FanOut` shares the reader, and the
message is deleted :data:`STORED` seconds after its events have left the triggers. The triggerer writes events
once a second. If the process ends before, SQS delivers the message again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Protocol

from airflow_imagebuilder.service.client.loop_registry import LoopRegistry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from airflow_imagebuilder.service.events.arrivals import Arrival, Arrivals
    from airflow_imagebuilder.service.events.messages import ImageStateChange

log = logging.getLogger(__name__)

STORED = 20.0
"""Seconds after which an event counts as stored, before Airflow 3.3."""
_MARGIN = 30.0


class Watcher(Protocol):
    """A trigger that reports images."""

    def wants(self, change: ImageStateChange) -> bool:
        """Return whether it reports the image of a message."""

    def shared_stream_key(self) -> Hashable:
        """Return what the triggers of one reader have in common."""

    def arrivals(self) -> Arrivals:
        """Return a reader for all of them."""


class Producer:
    """
    The reader of a queue as Airflow 3.3 wants it: ``airflow.triggers.shared_stream.SharedStreamProducer``.

    :param arrivals: the reader.
    """

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals

    async def open_stream(self) -> AsyncGenerator[tuple[Arrival, Arrival], None]:
        """Yield each arrival, and what :meth:`advance` needs of it: the same."""
        async with contextlib.aclosing(self._arrivals.stream()) as stream:
            async for arrival in stream:
                yield arrival, arrival

    def get_advance_lane(self, broker_payload: Arrival) -> Hashable:
        """Return a lane for each message: none waits for another."""
        lane: str = broker_payload.message.message_id
        return lane

    async def advance(self, batch: Sequence[Any]) -> None:
        """Delete the messages whose events are stored. An error here would end all triggers of the queue."""
        for item in batch:
            try:
                if item.outcome.is_clean:
                    await self._arrivals.done(item.broker_payload)
                else:
                    await self._arrivals.again(item.broker_payload)
            except Exception:
                log.exception("Could not release the message of image %s", item.broker_payload.change.arn)

    async def aclose(self) -> None:
        """Do nothing: the end of the stream has closed the client."""


class Delivery:
    """
    An arrival on its way through the triggers that want it. A trigger enters it while it yields its event.

    :param arrival: the arrival.
    :param takers: how many triggers it is for.
    """

    def __init__(self, arrival: Arrival, takers: int) -> None:
        self.arrival = arrival
        self.left = asyncio.Event()
        self.whole = True
        self._takers = takers
        if not takers:
            self.drop()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._takers -= 1
        self.whole &= kind is None
        if not self._takers:
            self.left.set()

    def drop(self) -> None:
        """Note that a trigger left before it yielded its event."""
        self.whole = False
        self._takers = max(0, self._takers - 1)
        if not self._takers:
            self.left.set()


class FanOut:
    """
    Gives each arrival of a queue to the triggers that want it, before Airflow 3.3.

    :param arrivals: the reader.
    """

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._joined: dict[Watcher, asyncio.Queue[Delivery]] = {}
        self._tasks = {asyncio.create_task(self._run())}

    @contextlib.asynccontextmanager
    async def joined(self, trigger: Watcher) -> AsyncIterator[AsyncGenerator[Delivery, None]]:
        """Enter the deliveries for a trigger."""
        queue = self._joined[trigger] = asyncio.Queue()
        try:
            yield _each(queue)
        finally:
            del self._joined[trigger]
            while not queue.empty():
                queue.get_nowait().drop()

    async def aclose(self) -> None:
        """Stop reading. Messages that are not deleted yet are delivered again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        async with contextlib.aclosing(self._arrivals.stream()) as stream:
            async for arrival in stream:
                takers = [queue for one, queue in self._joined.items() if one.wants(arrival.change)]
                delivery = Delivery(arrival, len(takers))
                for queue in takers:
                    queue.put_nowait(delivery)
                task = asyncio.create_task(self._settle(delivery))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _settle(self, delivery: Delivery) -> None:
        await delivery.left.wait()
        if not delivery.whole:
            await self._arrivals.again(delivery.arrival)
            return
        await self._arrivals.hold(delivery.arrival, STORED + _MARGIN)
        await asyncio.sleep(STORED)
        await self._arrivals.done(delivery.arrival)


async def _each(queue: asyncio.Queue[Delivery]) -> AsyncGenerator[Delivery, None]:
    while True:
        yield await queue.get()


_fan_outs: LoopRegistry[FanOut] = LoopRegistry()


def shared(trigger: Watcher) -> AbstractAsyncContextManager[FanOut]:
    """Enter the fan-out of a trigger's queue and connection on the running loop."""
    return _fan_outs.use(trigger.shared_stream_key(), lambda: FanOut(trigger.arrivals()))
