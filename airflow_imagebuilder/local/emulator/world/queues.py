"""Queues: moto counts every message of a queue for each message that it returns, which takes seconds here."""

from __future__ import annotations

from typing import Any

from moto.core.utils import unix_time, unix_time_millis
from moto.sqs.models import Queue, SQSBackend


def quicken() -> None:
    """Let moto's SQS answer ReceiveMessage from a queue of a thousand messages in milliseconds."""
    SQSBackend.is_message_valid_based_on_retention_period = _is_retained
    Queue.messages = property(_visible)


def _is_retained(backend: Any, queue_name: str, message: Any) -> bool:
    period = float(backend.get_queue(queue_name).message_retention_period)
    return bool(message.sent_timestamp / 1000 + period > unix_time())


def _visible(queue: Any) -> list[Any]:
    now = unix_time_millis()  # once, not twice per message
    return [one for one in queue._messages if one.visible_at < now >= one.delayed_until]  # noqa: SLF001
