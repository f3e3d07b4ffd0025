"""
Queues: what takes moto's SQS and EventBridge long where a queue holds a thousand messages.

Moto counts every message of a queue for each message that it returns or takes, and makes a parser for each
part of each event that a rule sends to a queue.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jsonpath_ng.ext
from moto.core.utils import unix_time, unix_time_millis
from moto.sqs.models import Queue, SQSBackend

_PATHS = 256
"""Paths of a rule's targets that are kept, each as the parser has read it."""


def quicken() -> None:
    """Let moto's SQS take and return a message of a thousand in milliseconds, those of EventBridge too."""
    SQSBackend.is_message_valid_based_on_retention_period = _is_retained
    Queue.messages = property(_visible)
    Queue.approximate_number_of_messages_delayed = property(_delayed)
    Queue.approximate_number_of_messages_not_visible = property(_hidden)
    paths: Any = jsonpath_ng.ext
    paths.parse = lru_cache(_PATHS)(paths.parse)


def _is_retained(backend: Any, queue_name: str, message: Any) -> bool:
    period = float(backend.get_queue(queue_name).message_retention_period)
    return bool(message.sent_timestamp / 1000 + period > unix_time())


def _visible(queue: Any) -> list[Any]:
    now = unix_time_millis()  # once, not twice per message
    return [one for one in queue._messages if one.visible_at < now >= one.delayed_until]  # noqa: SLF001


def _delayed(queue: Any) -> int:
    now = unix_time_millis()
    return sum(now < one.delayed_until for one in queue._messages)  # noqa: SLF001


def _hidden(queue: Any) -> int:
    now = unix_time_millis()
    return sum(now <= one.visible_at for one in queue._messages)  # noqa: SLF001
