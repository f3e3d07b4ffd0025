"""
Listener: reads a queue for all watchers of a process, and gives each of them the ends of images.

A queue has one reader for each connection, however many watchers there are. What one reader reads reaches all
watchers of the queue: those of other connections wait for events from the same queue.
"""

from __future__ import annotations

import asyncio
import logging
import re
import weakref
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from airflow_imagebuilder.service.client.loop_registry import detached
from airflow_imagebuilder.service.events.messages import (
    ForeignMessage,
    MalformedMessage,
    read_message,
)
from airflow_imagebuilder.service.events.queue import MOST_RECEIVES, QueueReader

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from airflow_imagebuilder.service.client.aio_client import Connect
    from airflow_imagebuilder.service.events.messages import ImageStateChange
    from airflow_imagebuilder.service.events.queue import QueueMessage

log = logging.getLogger(__name__)

_METRICS_EVERY = 10.0
_LINE_EVERY = 600.0
_REGION = re.compile(r"^https?://(?:[^/]*\.)?(?:sqs(?:-fips)?\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.")


class Audience(Protocol):
    """One watcher, as a listener sees it."""

    def take(self, change: ImageStateChange) -> bool:
        """Take an event, and return whether it was of use."""

    def deaf(self) -> None:
        """Learn that the queue cannot be read."""


class Counters(Protocol):
    """A metrics system that counts."""

    def incr(self, name: str, count: int) -> None:
        """Add to a counter."""


@dataclass(frozen=True)
class Channel:
    """
    A queue, and how to read it.

    :param url: the queue's URL.
    :param connect: returns an aiobotocore ``sqs`` client's context manager.
    :param key: identifies the connection: equal channels have one reader.
    """

    url: str
    connect: Connect
    key: Hashable = None


def region_of(url: str) -> str | None:
    """Return the region that AWS's URL of a queue names; None for another server's URL."""
    found = _REGION.match(url)
    return (found[1] or found[2]) if found else None


class Listener:
    """
    Reads one queue with one connection, from its first watcher to its last.

    Counters: ``messages``, ``messages_foreign``, ``messages_malformed``, ``hints`` (events about the end of
    an image that a task waits for), ``ends_unheard`` (ends without an event), ``queue_errors``.

    :param channel: the queue.
    :param everyone: the watchers of the queue, of all connections.
    :param metrics: the metrics system; None if there is none.
    """

    def __init__(
        self, channel: Channel, everyone: dict[Audience, None], metrics: Counters | None = None
    ) -> None:
        self.url = channel.url
        self._everyone, self._own = everyone, dict[Audience, None]()
        self._metrics = metrics
        self._counts: Counter[str] = Counter()
        self._sent_at = float("-inf")
        self._logged_at: dict[str, float] = {}
        self._reader = QueueReader(
            channel.connect, channel.url, self._take, on_trouble=self._deaf, count=self.count
        )
        self._reading: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether no watcher is left."""
        return not self._own

    @property
    def in_trouble(self) -> bool:
        """Whether the queue cannot be read at present."""
        return self._reader.in_trouble

    def join(self, audience: Audience) -> None:
        """Give a watcher what is read. The first one starts the reader."""
        self._own[audience] = self._everyone[audience] = None
        if self._reading is None:
            self._reading = detached(self._reader.run())

    def leave(self, audience: Audience) -> None:
        """Drop a watcher."""
        self._own.pop(audience, None)
        self._everyone.pop(audience, None)

    async def aclose(self) -> None:
        """Stop the reader."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None
            await self._send_counts()

    def count(self, name: str, number: int) -> None:
        """Add to a counter."""
        self._counts[name] += number

    # -- messages ------------------------------------------------------------------------------------------

    async def _take(self, messages: Sequence[QueueMessage]) -> Collection[QueueMessage]:
        self.count("messages", len(messages))
        done = [one for one in messages if self._is_done(one)]
        if asyncio.get_running_loop().time() - self._sent_at >= _METRICS_EVERY:
            await self._send_counts()
        return done

    def _is_done(self, message: QueueMessage) -> bool:
        """Use a message, and return whether to delete it."""
        found = read_message(message.body)
        if isinstance(found, MalformedMessage):
            return self._is_hopeless(message, found)
        if isinstance(found, ForeignMessage):
            self.count("messages_foreign", 1)
            self._log(
                "foreign",
                f"The queue {self.url} holds messages that are not about images, and they are deleted. The "
                f"last one: {found.what}. Let the rule send only Image Builder's changes of state.",
            )
            return True
        for audience in list(self._everyone):
            audience.take(found)
        return True

    def _is_hopeless(self, message: QueueMessage, found: MalformedMessage) -> bool:
        """Leave a message to the queue's redrive policy; delete it if that does not take it away."""
        self.count("messages_malformed", 1)
        self._log(
            "malformed",
            f"A message of the queue {self.url} cannot be read (id {message.message_id}): {found.fault}. It "
            f"is left to the queue's redrive policy, and deleted after {MOST_RECEIVES} deliveries.",
        )
        return message.kept_too_often

    def _log(self, kind: str, line: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._logged_at.get(kind, float("-inf")) >= _LINE_EVERY:
            self._logged_at[kind] = now
            log.warning("%s", line)

    def _deaf(self) -> None:
        for audience in list(self._own):
            audience.deaf()

    # -- metrics -------------------------------------------------------------------------------------------

    async def _send_counts(self) -> None:
        """Send the counts in a thread: a metrics system reads its configuration when it gets the first."""
        self._sent_at = asyncio.get_running_loop().time()
        if self._metrics is None or not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        try:
            await asyncio.to_thread(_send, self._metrics, counts)
        except Exception as error:  # noqa: BLE001 (whatever it is, the queue is read)
            self._log("metrics", f"The metrics system failed: {type(error).__name__}: {error}")


def _send(metrics: Counters, counts: Counter[str]) -> None:
    for name, count in counts.items():
        metrics.incr(name, count)


class _OnLoop:
    """The listeners of one event loop, and the watchers of each queue."""

    def __init__(self) -> None:
        self.listeners: dict[Hashable, Listener] = {}
        self.everyone: dict[str, dict[Audience, None]] = {}


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _OnLoop] = weakref.WeakKeyDictionary()


def join(channel: Channel, audience: Audience, metrics: Counters | None = None) -> Listener:
    """
    Give a watcher what its queue says, on the running event loop.

    :param channel: the queue.
    :param audience: the watcher.
    :param metrics: the metrics system; the one of the connection's first watcher is used.
    :return: the listener that reads the queue.
    """
    here, key = _loops.setdefault(asyncio.get_running_loop(), _OnLoop()), (channel.url, channel.key)
    listener = here.listeners.get(key)
    if listener is None:
        everyone = here.everyone.setdefault(channel.url, {})
        listener = here.listeners[key] = Listener(channel, everyone, metrics)
    listener.join(audience)
    return listener


async def leave(channel: Channel, audience: Audience) -> None:
    """Drop a watcher that joined. The connection's last one stops the reader."""
    here, key = _loops[asyncio.get_running_loop()], (channel.url, channel.key)
    listener = here.listeners[key]
    listener.leave(audience)
    if listener.idle:
        del here.listeners[key]
        if not here.everyone[channel.url]:
            del here.everyone[channel.url]
        await listener.aclose()
