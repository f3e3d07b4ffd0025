"""An SQS queue in memory, on the running loop's clock, with the methods of an aiobotocore client."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import uuid
from collections import Counter
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.time_limit import within
from airflow_imagebuilder.service.events.listener import Channel
from airflow_imagebuilder.service.watcher.watcher import ImageWatcher, WatchSettings
from tests.support.clockwork import EPOCH, Service, client_error, now, wall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/images"

NO_QUEUE = client_error("AWS.SimpleQueueService.NonExistentQueue", 400, "ReceiveMessage", "no such queue")
FORBIDDEN = client_error(
    "AccessDenied", 403, "ReceiveMessage", "not authorized to perform sqs:ReceiveMessage"
)


@dataclass
class _Stored:
    id: str
    body: str
    sent: float
    visible_at: float
    received: int = 0


@dataclass
class Queue:
    """
    One queue.

    :param visibility: seconds after which a message that was not deleted is delivered again.
    :param fault: takes operation and time; returns an exception to raise, or None.
    """

    visibility: float = 30.0
    fault: Callable[[str, float], BaseException | None] = lambda operation, time: None
    stored: dict[str, _Stored] = field(default_factory=dict)
    calls: list[tuple[float, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    """The bodies of the messages that were deleted."""
    opened: int = 0
    closed: int = 0

    def __post_init__(self) -> None:
        self._ids = itertools.count()
        self._sent = asyncio.Event()

    def send(self, *bodies: str) -> None:
        """Add messages."""
        for body in bodies:
            name = f"message-{next(self._ids)}"
            self.stored[name] = _Stored(name, body, now(), now())
        self._sent.set()

    def counted(self) -> Counter[str]:
        """Return the number of calls by operation."""
        return Counter(operation for _, operation in self.calls)

    async def connect(self) -> AbstractAsyncContextManager[Any]:
        @contextlib.asynccontextmanager
        async def client() -> AsyncIterator[Queue]:
            self.opened += 1
            try:
                yield self
            finally:
                self.closed += 1

        return client()

    # -- the client ----------------------------------------------------------------------------------------

    async def receive_message(self, **params: Any) -> dict[str, Any]:
        self._begin("receive_message")
        until = now() + params["WaitTimeSeconds"]
        while not (visible := self._visible()) and now() < until:
            self._sent.clear()
            back = min([one.visible_at for one in self.stored.values()], default=until)
            with contextlib.suppress(asyncio.TimeoutError):
                await within(max(min(until, back) - now(), 1e-3), self._sent.wait())
        taken = visible[: params["MaxNumberOfMessages"]]
        for one in taken:
            one.received, one.visible_at = one.received + 1, now() + self.visibility
        found = [
            {
                "MessageId": one.id,
                "ReceiptHandle": f"{one.id}#{one.received}",
                "Body": one.body,
                "Attributes": {
                    "ApproximateReceiveCount": str(one.received),
                    "SentTimestamp": str(int((EPOCH + one.sent) * 1000)),
                },
            }
            for one in taken
        ]
        return {"ResponseMetadata": {}, **({"Messages": found} if found else {})}

    async def delete_message_batch(self, **params: Any) -> dict[str, Any]:
        self._begin("delete_message_batch")
        for entry in params["Entries"]:
            one = self.stored.pop(entry["ReceiptHandle"].partition("#")[0], None)
            if one is not None:
                self.deleted.append(one.body)
        return {"ResponseMetadata": {}, "Successful": [{"Id": one["Id"]} for one in params["Entries"]]}

    async def change_message_visibility(self, **params: Any) -> dict[str, Any]:
        self._begin("change_message_visibility")
        name, _, delivery = params["ReceiptHandle"].partition("#")
        one = self.stored.get(name)
        if one is not None and one.received == int(delivery):
            one.visible_at = now() + params["VisibilityTimeout"]
        return {"ResponseMetadata": {}}

    def _begin(self, operation: str) -> None:
        self.calls.append((now(), operation))
        error = self.fault(operation, now())
        if error is not None:
            raise error

    def _visible(self) -> list[_Stored]:
        return [one for one in self.stored.values() if one.visible_at <= now()]


def event(arn: str, status: str = "AVAILABLE", *, at: float | None = None, **changes: Any) -> str:
    """
    Return the text of EventBridge's event about an image's change of state.

    :param at: the loop's time of the change; now by default. Like AWS, the event has whole seconds.
    :param changes: members to replace.
    """
    moment = EPOCH + (now() if at is None else at)
    return json.dumps(
        {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "EC2 Image Builder Image State Change",
            "source": "aws.imagebuilder",
            "account": "123456789012",
            "time": datetime.fromtimestamp(int(moment), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": "us-east-1",
            "resources": [arn],
            "detail": {"previous-state": {"status": "TESTING"}, "state": {"status": status}},
            **changes,
        }
    )


def in_sns(body: str) -> str:
    """Return a message as SNS wraps it."""
    topic = "arn:aws:sns:us-east-1:123456789012:images"
    return json.dumps({"Type": "Notification", "MessageId": "1", "TopicArn": topic, "Message": body})


async def announce(queue: Queue, service: Service, *arns: str, after: float = 0.5) -> None:
    """Send the event of each image's end, so many seconds after it."""
    for arn in sorted(arns, key=service.ended):
        ended = service.ended(arn)
        if ended + after > now():
            await asyncio.sleep(ended + after - now())
        queue.send(event(arn, service.status(arn, ended), at=ended))


def listening(
    service: Service, queue: Queue, url: str = URL, *, key: str = "aws_default", **settings: Any
) -> ImageWatcher:
    """Return a watcher that reads a queue, with the settings of Airflow's defaults."""
    channel = Channel(url, queue.connect, key)
    return ImageWatcher(service.connect, settings=WatchSettings(**settings), wall=wall, channel=channel)
