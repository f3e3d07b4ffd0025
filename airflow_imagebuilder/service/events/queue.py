"""
QueueReader: reads one SQS queue for as long as it runs, whatever happens to the queue.

It asks for messages with long polling, gives them to its user and deletes those that the user has done with.
A queue that is not there, forbidden, throttled or out of reach costs one warning and pauses that grow to a
minute. The reader never ends by itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.aio_client import AioClient
from airflow_imagebuilder.service.client.answers import malformed
from airflow_imagebuilder.service.client.error_mapping import translate
from airflow_imagebuilder.service.errors import AwsError, ForbiddenError, TransientError
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from airflow_imagebuilder.service.client.aio_client import Connect
    from airflow_imagebuilder.service.errors import ImageBuilderError

log = logging.getLogger(__name__)

LONGEST_WAIT = 20
"""Seconds for which one call waits for messages; SQS allows no more (API reference, ReceiveMessage)."""

MOST_RECEIVES = 10
"""How often a message that cannot be read is left for the queue's redrive policy before it is deleted."""

_MOST_MESSAGES = 10  # per call (API reference, ReceiveMessage)
_ANSWER_TIME = 20.0
"""Seconds that an answer may take beyond the time that SQS waits for messages."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_EMPTY_TOO_SOON = 1.0
"""Seconds. An empty answer before that is not from long polling; the reader then waits as long itself."""
_ATTRIBUTES = ["ApproximateReceiveCount", "SentTimestamp"]
_NO_QUEUE = ("NonExistentQueue", "QueueDoesNotExist")


@dataclass(frozen=True)
class QueueMessage:
    """
    One message, as SQS delivered it.

    :param body: the message's text.
    :param message_id: SQS's id, the same in each delivery of one message.
    :param receipt: the handle by which this delivery is deleted.
    :param received: how many times it was delivered so far, this time included.
    :param sent: absolute time at which SQS got it; None if the answer lacks it.
    """

    body: str
    message_id: str
    receipt: str = field(repr=False)
    received: int = 1
    sent: float | None = None

    @property
    def kept_too_often(self) -> bool:
        """
        Whether leaving it undeleted has not brought it to a dead-letter queue.

        The queue then has no redrive policy, or a very patient one. The message would come back until its
        retention ends.
        """
        return self.received >= MOST_RECEIVES


Take = Callable[[Sequence[QueueMessage]], Awaitable[Collection[QueueMessage]]]
"""
Takes messages, at least one, and returns those to delete.

SQS delivers the others again after the queue's visibility timeout. The next messages are asked for once it
returns. An error counts as trouble, and nothing is deleted.
"""


class QueueReader:
    """
    Reads a queue until it is cancelled.

    :param connect: returns an aiobotocore ``sqs`` client's context manager; called again when credentials
        have expired.
    :param url: the queue's URL.
    :param take: what to do with messages.
    :param on_trouble: called when trouble begins, once until the queue answers again.
    :param count: called with ``queue_errors`` and 1 for each call that failed.
    """

    def __init__(
        self,
        connect: Connect,
        url: str,
        take: Take,
        *,
        on_trouble: Callable[[], None] | None = None,
        count: Callable[[str, int], None] | None = None,
    ) -> None:
        self.url = url
        self._client = AioClient(connect, call_timeout=LONGEST_WAIT + _ANSWER_TIME)
        self._take, self._on_trouble, self._count = take, on_trouble, count
        self._failures = 0
        self._failing_since = 0.0
        self._failed_operation = ""

    @property
    def in_trouble(self) -> bool:
        """Whether the queue cannot be read at present."""
        return self._failures > 0

    async def run(self) -> None:
        """
        Read until cancelled, then close the client.

        A message that was received and not deleted by then comes back after the visibility timeout.
        """
        try:
            while True:
                try:
                    await self._read()
                except Exception as error:  # noqa: BLE001 (whatever it is, the queue is read again)
                    await asyncio.sleep(self._failed(error))
        finally:
            await self._client.aclose()

    async def delete(self, message: QueueMessage) -> None:
        """
        Delete a message that ``take`` did not return.

        :raises ImageBuilderError: SQS did not answer, or refused. The message comes back.
        """
        await self._delete([message])

    async def hide(self, message: QueueMessage, seconds: float) -> None:
        """
        Have a message delivered again after so many seconds, instead of the queue's visibility timeout.

        :raises ImageBuilderError: SQS did not answer, or refused. The timeout stays as it was.
        """
        await self._call(
            "change_message_visibility", ReceiptHandle=message.receipt, VisibilityTimeout=round(seconds)
        )

    async def _read(self) -> None:
        clock = asyncio.get_running_loop().time
        # After trouble the first answer comes at once, so that the log has it.
        asked_at, seconds = clock(), 0 if self._failed_operation == "receive_message" else LONGEST_WAIT
        answer = await self._call(
            "receive_message",
            MaxNumberOfMessages=_MOST_MESSAGES,
            WaitTimeSeconds=seconds,
            MessageSystemAttributeNames=_ATTRIBUTES,
        )
        messages = _messages_in(answer)
        if not messages:
            if seconds and clock() - asked_at < _EMPTY_TOO_SOON:
                await asyncio.sleep(_EMPTY_TOO_SOON)
            return
        try:
            done = await self._take(messages)
        except Exception:
            self._failed_operation = "take"
            raise
        self._recovered("take")
        if done:
            await self._delete(done)

    async def _delete(self, done: Collection[QueueMessage]) -> None:
        entries = [{"Id": str(number), "ReceiptHandle": one.receipt} for number, one in enumerate(done)]
        answer = await self._call("delete_message_batch", Entries=entries)
        failed = answer.get("Failed")
        if failed:
            # They come back. SQS may deliver any message twice, so its user expects that.
            log.debug("SQS did not delete %d of %d messages: %s", len(failed), len(entries), failed)

    async def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        try:
            answer = await self._client.call(operation, QueueUrl=self.url, **params)
        except Exception:
            self._failed_operation = operation
            raise
        self._recovered(operation)
        return answer

    # -- trouble -------------------------------------------------------------------------------------------

    def _failed(self, error: Exception) -> float:
        """Note an error, and return the seconds to pause."""
        self._failures += 1
        if self._count is not None:
            self._count("queue_errors", 1)
        if self._failures == 1:
            self._failing_since = asyncio.get_running_loop().time()
            known = translate(error, "the queue")
            unexpected = error if type(known) is AwsError else None  # a fault of this package
            log.warning("%s", _warning(self.url, known), exc_info=unexpected)
            if self._on_trouble is not None:
                self._on_trouble()
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10))
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 (not a secret)

    def _recovered(self, operation: str) -> None:
        """End the trouble, if it was with this operation: the others may have succeeded all the time."""
        if self.in_trouble and operation == self._failed_operation:
            self._failures, self._failed_operation = 0, ""
            seconds = asyncio.get_running_loop().time() - self._failing_since
            log.info("The queue %s can be read again after %.0f s.", self.url, seconds)


def _messages_in(answer: Mapping[str, Any]) -> list[QueueMessage]:
    found = answer.get("Messages") or []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise malformed(answer, "receive_message", "Messages")
    return [_message(one) for one in found if isinstance(one.get("ReceiptHandle"), str)]


def _message(one: Mapping[str, Any]) -> QueueMessage:
    attributes = one.get("Attributes") or {}
    sent = str(attributes.get("SentTimestamp", ""))
    received = str(attributes.get("ApproximateReceiveCount", ""))
    return QueueMessage(
        body=str(one.get("Body", "")),
        message_id=str(one.get("MessageId", "")),
        receipt=one["ReceiptHandle"],
        received=int(received) if received.isdecimal() else 1,
        sent=int(sent) / 1000 if sent.isdecimal() else None,
    )


def _warning(url: str, error: ImageBuilderError) -> str:
    first_line = str(error).partition("\n")[0]
    return (
        f"The queue {url} cannot be read: {one_line(first_line, 600)}\n"
        f"{_advice(error)} It is tried again, at least once a minute, and no task fails because of this."
    )


def _advice(error: ImageBuilderError) -> str:
    if isinstance(error, AwsError) and any(name in error.code for name in _NO_QUEUE):
        return "There is no such queue: check account, region and name in the URL, or create the queue."
    if isinstance(error, ForbiddenError):
        return (
            "Check the credentials and the region of the Airflow connection, and that its policy allows "
            "sqs:ReceiveMessage and sqs:DeleteMessage on this queue."
        )
    if isinstance(error, TransientError):
        return "If it lasts, check network, endpoint_url and credentials."
    return "Check the URL and the queue."
