"""
Arrivals: the images whose end the messages of a queue report, and what becomes of each message.

===========================================  =========================================================
a message                                    what becomes of it
===========================================  =========================================================
that cannot be read, or has another subject  it returns to the queue, at growing intervals: the queue's
                                             redrive policy moves it to the dead-letter queue
of an image in progress                      it is deleted
of an end that no watcher here wants         it returns: a watcher of another triggerer may want it
of an image that AWS does not show so        GetImage is asked five times, then the message returns
while AWS throttles, forbids or is down      it is held, and GetImage is asked again, for an hour
of an image whose event is stored            it is deleted: a duplicate
of an image whose event is not stored yet    it is left: it returns as a duplicate
any other                                    the arrival is yielded, and :meth:`Arrivals.done` deletes it
===========================================  =========================================================

Nothing is deleted before its event is stored, so a process that ends in between loses nothing: SQS delivers
the message again. A message proves nothing, since who may write to the queue may forge one: what is yielded
is GetImage's answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import ForbiddenError, ImageBuilderError, TransientError
from airflow_imagebuilder.service.events.messages import ImageStateChange, read_message
from airflow_imagebuilder.service.events.queue import QueueReader
from airflow_imagebuilder.service.results.states import IMAGE_IN_PROGRESS, ImageStatus
from airflow_imagebuilder.service.text import image_name, one_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence

    from airflow_imagebuilder.service.client.aio_client import Connect
    from airflow_imagebuilder.service.events.queue import QueueMessage

log = logging.getLogger(__name__)

SETTLE = 3.0
"""Seconds before the first message is read: the watchers of a triggerer that starts join one by one."""
MOST = 100
"""Arrivals that are not stored yet, beyond which no message is read."""
REMEMBERED = 10_000
"""Images whose duplicates are recognised."""

_FIRST_RETURN, _LONGEST_RETURN = 10, 900
"""Seconds after which a message is delivered again: the first time, doubled up to the last."""
_FIRST_PAUSE, _LONGEST_PAUSE, _MARGIN = 5.0, 60.0, 30.0
"""Seconds between two tries of GetImage, and how much longer the message stays hidden."""
_TRIES, _HOLD = 5, 3600.0


@dataclass(frozen=True)
class Arrival:
    """
    An image that has ended.

    :param change: what the message says.
    :param image: GetImage's ``image``.
    :param message: the message, which is deleted when the event is stored.
    """

    change: ImageStateChange
    image: dict[str, Any]
    message: Any


class Arrivals:
    """
    Reads a queue, for any number of watchers. Once :meth:`stream` has begun, no trouble ends it.

    :param connect: returns an aiobotocore ``sqs`` client's context manager.
    :param url: the queue's URL.
    :param read_image: returns GetImage's ``image`` for an ARN. It retries as far as one call is worth it.
    :param wants: returns whether any watcher of this process wants the image of a message.
    """

    def __init__(
        self,
        connect: Connect,
        url: str,
        read_image: Callable[[str], Awaitable[dict[str, Any]]],
        wants: Callable[[ImageStateChange], bool],
    ) -> None:
        self._queue = QueueReader(connect, url, self._take)
        self._read, self._wants = read_image, wants
        self._ready: asyncio.Queue[Arrival] = asyncio.Queue()
        self._work: set[asyncio.Task[None]] = set()
        self._under_way: set[Hashable] = set()
        self._room = asyncio.Event()
        self._stored: dict[Hashable, None] = {}
        self._reported: dict[str, None] = {}

    async def stream(self) -> AsyncGenerator[Arrival, None]:
        """Yield the arrivals, without an end. The user calls :meth:`done` or :meth:`again` for each."""
        reader = asyncio.create_task(self._listen())
        try:
            while True:
                yield await self._ready.get()
        finally:
            tasks = [reader, *self._work]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def done(self, arrival: Arrival) -> None:
        """Delete the message of an arrival: its events are stored, or no watcher wants one."""
        _keep(self._stored, _key(arrival.change))
        self._leave(_key(arrival.change))
        await self._delete(arrival.message)

    async def hold(self, arrival: Arrival, seconds: float) -> None:
        """Keep the message of an arrival from being delivered again for so many seconds."""
        await self._hide(arrival.message, seconds)

    async def again(self, arrival: Arrival) -> None:
        """Have the message delivered again: the arrival's events could not be stored."""
        self._leave(_key(arrival.change))
        await self._return(arrival.message)

    # -- reading the queue ---------------------------------------------------------------------------------

    async def _listen(self) -> None:
        await asyncio.sleep(SETTLE)
        await self._queue.run()

    async def _take(self, messages: Sequence[QueueMessage]) -> tuple[()]:
        """Begin with some messages, and return when there is room for others. None is deleted yet."""
        for message in messages:
            task = asyncio.create_task(self._handle(message))
            self._work.add(task)
            task.add_done_callback(self._finished)
        while len(self._under_way) + len(self._work) >= MOST:
            self._room.clear()
            await self._room.wait()
        return ()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        self._room.set()

    async def _handle(self, message: QueueMessage) -> None:
        try:
            change = read_message(message.body)
            if not isinstance(change, ImageStateChange):
                self._report(message, f"it is not about an image: {one_line(change)}")
                await self._return(message)
            elif not change.ended or _key(change) in self._stored:
                await self._delete(message)
            elif _key(change) in self._under_way:
                log.debug("Message %s is a duplicate of one that is being read.", message.message_id)
            elif not self._wants(change):
                await self._return(message)
            else:
                self._under_way.add(_key(change))
                await self._arrive(message, change)
        except Exception:  # a fault of this package: the message comes back after its visibility timeout
            log.exception("Message %s could not be read. It returns to the queue.", message.message_id)

    async def _arrive(self, message: QueueMessage, change: ImageStateChange) -> None:
        arrived = False
        try:
            image = await self._image(message, change)
            if image is None:
                await self._return(message)
            elif (status := image["state"]["status"]) != change.status:
                # Not remembered as stored: a forged message would hide the true one that comes later.
                log.info("%s was %s, and is %s now.", image_name(change.arn), change.status, status)
                await self._delete(message)
            else:
                self._ready.put_nowait(Arrival(change, image, message))
                arrived = True
        finally:
            if not arrived:
                self._leave(_key(change))

    async def _image(self, message: QueueMessage, change: ImageStateChange) -> dict[str, Any] | None:
        """Return the image as AWS shows it; ``None`` if it does not show it as the message says."""
        end = _now() + _HOLD
        for tries in itertools.count(1):
            try:
                image = await self._read(change.arn)
                patient, why = False, f"it is {image['state']['status']}"
                if image["state"]["status"] not in IMAGE_IN_PROGRESS:
                    return image
            except ImageBuilderError as error:
                patient, why = isinstance(error, (TransientError, ForbiddenError)), one_line(error)
            pause = min(_FIRST_PAUSE * 2 ** (tries - 1), _LONGEST_PAUSE)
            if _now() + pause > end or (not patient and tries >= _TRIES):
                self._report(message, f"it says that {change.arn} is {change.status}, but {why}")
                return None
            if tries == 1:
                log.info("Cannot read image %s yet, and try again: %s", change.arn, why)
            await self._hide(message, pause + _MARGIN)
            await asyncio.sleep(pause)
        raise AssertionError  # count has no end

    # -- what becomes of a message -------------------------------------------------------------------------

    async def _delete(self, message: QueueMessage) -> None:
        try:
            await self._queue.delete(message)
        except ImageBuilderError as error:  # it returns, and is deleted as a duplicate
            log.info("Message %s was not deleted yet: %s", message.message_id, one_line(error))

    async def _return(self, message: QueueMessage) -> None:
        seconds = min(_FIRST_RETURN * 2 ** min(message.received - 1, 10), _LONGEST_RETURN)
        await self._hide(message, seconds)

    async def _hide(self, message: QueueMessage, seconds: float) -> None:
        with contextlib.suppress(ImageBuilderError):  # it returns after the queue's visibility timeout
            await self._queue.hide(message, seconds)

    def _report(self, message: QueueMessage, text: str) -> None:
        """Log why a message returns, once for each message."""
        if message.message_id not in self._reported:
            _keep(self._reported, message.message_id)
            log.warning(
                "Message %s returns to the queue %s, whose redrive policy, if it has one, removes it: %s",
                message.message_id,
                self._queue.url,
                text,
            )

    def _leave(self, key: Hashable) -> None:
        self._under_way.discard(key)
        self._room.set()


def _key(change: ImageStateChange) -> Hashable:
    """Return what all messages about one end have in common: an image becomes AVAILABLE once."""
    if change.status == ImageStatus.AVAILABLE:
        return change.arn, change.status
    return change.arn, change.status, change.time  # RetryImage can fail a second time


def _keep(kept: dict[Any, None], key: Hashable) -> None:
    kept[key] = None
    if len(kept) > REMEMBERED:
        del kept[next(iter(kept))]


def _now() -> float:
    return asyncio.get_running_loop().time()
