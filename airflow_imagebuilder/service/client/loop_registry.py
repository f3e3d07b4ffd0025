"""LoopRegistry: one instance per event loop and key, made by its first user and closed by its last."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from airflow_imagebuilder.service.client.time_limit import within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Hashable


log = logging.getLogger(__name__)

CLOSE_PATIENCE = 10.0
"""Seconds that the last user waits at most until its instance is closed: its answer is held back so long."""


class Closable(Protocol):
    """A thing that has to be closed on its loop."""

    async def aclose(self) -> None:
        """Close the thing."""


T = TypeVar("T", bound=Closable)


class _Held(Generic[T]):
    __slots__ = ("thing", "users")

    def __init__(self, thing: T) -> None:
        self.thing, self.users = thing, 0


class LoopRegistry(Generic[T]):
    """Holds one instance per event loop and key, and counts its users."""

    def __init__(self) -> None:
        self._held: dict[asyncio.AbstractEventLoop, dict[Hashable, _Held[T]]] = {}

    @contextlib.asynccontextmanager
    async def use(self, key: Hashable, make: Callable[[], T]) -> AsyncIterator[T]:
        """
        Enter the instance for ``key`` on the running loop.

        :param key: identifies the instance.
        :param make: makes the instance for its first user.
        :return: the instance; closed when its last user leaves.
        """
        loop = asyncio.get_running_loop()
        held = self._on(loop)
        one = held.get(key)
        if one is None:
            one = held[key] = _Held(make())
        one.users += 1
        del make  # it may hold much memory, and this frame lasts as long as the wait
        try:
            yield one.thing
        finally:
            one.users -= 1
            if not one.users:
                del held[key]
            if not one.users and not loop.is_closed():
                # The last user may be in the middle of being cancelled.
                await asyncio.shield(asyncio.ensure_future(_closed(one.thing)))

    def _on(self, loop: asyncio.AbstractEventLoop) -> dict[Hashable, _Held[T]]:
        # A loop that was closed without cancelling its tasks leaves instances that can only be dropped.
        for dead in [other for other in self._held if other.is_closed()]:
            del self._held[dead]
        return self._held.setdefault(loop, {})


async def _closed(thing: Closable) -> None:
    try:
        await within(CLOSE_PATIENCE, thing.aclose())
    except Exception:  # the last user has its answer; an error here must not take it away
        log.warning("Could not close %s; its connections may stay open", type(thing).__name__, exc_info=True)


def detached(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """
    Start a task that serves all users of the loop, in a context of its own.

    Its log lines must not end up in the log of the Airflow task that happened to come first.

    :param work: what the task does.
    """
    task = contextvars.Context().run(asyncio.get_running_loop().create_task, work)
    # A loop that is closed under the waits reports each of them; this task adds nothing to that.
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
    return task
