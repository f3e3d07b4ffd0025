"""
within: awaits something for so many seconds at most, and never loses a cancellation.

Before Python 3.12 ``asyncio.wait_for`` returns the answer and forgets that its task was cancelled, if both
come at once; the package ``async-timeout``, for Python 3.10, forgets it if the time is up at once. What is
cancelled only once would then run without end: the reader of a queue, the wait of a killed task.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


async def within(seconds: float | None, work: Awaitable[T]) -> T:
    """
    Return what ``work`` returns. It has ended, or was cancelled, when this returns or raises.

    :param seconds: after which it is cancelled; None sets no limit.
    :param work: a coroutine, which runs as a task of its own, or a future.
    :raises asyncio.TimeoutError: the time was up.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        await _end(task)
        raise
    if not task.done():
        await _end(task)
        if task.cancelled():
            raise asyncio.TimeoutError
    return task.result()


async def _end(task: asyncio.Future[T]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # else asyncio logs that it was never asked for
