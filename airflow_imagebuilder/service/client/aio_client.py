"""AioClient: one aiobotocore client for many calls, made off the event loop and replaced when it expires."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from airflow_imagebuilder.service.client.answers import checked
from airflow_imagebuilder.service.client.error_mapping import EXPIRED_CODES, translate
from airflow_imagebuilder.service.client.outdated import method_of
from airflow_imagebuilder.service.client.time_limit import within
from airflow_imagebuilder.service.errors import AwsError, ImageBuilderError

Connect = Callable[[], Awaitable[AbstractAsyncContextManager[Any]]]

log = logging.getLogger(__name__)

_RENEWAL = 60.0
"""Minimum age in seconds before a client whose credentials never worked is replaced."""

_ABSENT = frozenset({"NoCredentialsError", "PartialCredentialsError"})
_ABSENT_RENEWAL = 5.0
"""Minimum age in seconds before a client without credentials is replaced. botocore makes such a client when
instance metadata does not answer, and the client never searches for credentials again."""

_CONNECT_TIMEOUT = 60.0
"""Seconds after which making a client is given up."""
_CONNECT_AGAIN = 2.0
"""Seconds after a failure to make a client for which calls get that error, without another try."""


@contextlib.asynccontextmanager
async def off_loop(connect: Connect) -> AsyncIterator[Any]:
    """
    Enter the context of an aiobotocore client without blocking the event loop.

    Making a client parses megabytes of JSON (60 ms and more). A client does not depend on a loop before its
    first request, so a thread enters its context on a loop of its own.

    :param connect: returns the client's context manager, not yet entered.
    :return: a context manager of the client, which it closes at the end.
    """
    context = await connect()
    if type(context).__module__.partition(".")[0] == "aiobotocore":
        client = await asyncio.to_thread(asyncio.run, _entered(context))
    else:
        client = await context.__aenter__()
    try:
        yield client
    finally:
        await context.__aexit__(None, None, None)


async def _entered(context: AbstractAsyncContextManager[Any]) -> Any:
    client = await context.__aenter__()
    with contextlib.suppress(AttributeError):
        _disable_retries(client)
    with contextlib.suppress(AttributeError):
        # 7 of the 9 MB that a client keeps are the JSON of all endpoints of AWS, read when it is made.
        client._loader._cache.clear()  # noqa: SLF001
    return client


def _disable_retries(client: Any) -> None:
    # botocore's own retries would sleep inside one of the few calls in flight, and hide the throttling that
    # has to slow down all calls.
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")


async def call_once(
    client: Any, operation: str, /, *, expect: str | None = None, timeout: float | None = None, **params: Any
) -> dict[str, Any]:
    """
    Call one operation of an aiobotocore client once.

    :param client: an aiobotocore ``imagebuilder`` client.
    :param operation: botocore's method name, for example ``get_image``.
    :param expect: the member that the answer must hold.
    :param timeout: seconds after which the call is given up; None leaves it to the client's timeouts.
    :param params: the parameters of the operation, as AWS names them.
    :return: the answer, as botocore parsed it.
    :raises TransientError: there was no answer in time.
    :raises MalformedAnswerError: the answer lacks ``expect``.
    :raises ImageBuilderError: any other error of the call (:func:`translate`).
    """
    method = method_of(client, operation)
    try:
        answer = await within(timeout, method(**params))
    except Exception as error:
        raise translate(error, operation) from error
    return checked(answer, operation, expect)


class NotWantedError(Exception):
    """The waits that wanted the answer left before the call was sent."""


class _Held:
    """A client, and how many calls use it."""

    __slots__ = ("client", "made", "stack", "users", "worked")

    def __init__(self, client: Any, stack: contextlib.AsyncExitStack, made: float) -> None:
        self.client, self.stack, self.made, self.users = client, stack, made, 0
        self.worked = False


class AioClient:
    """
    The client of one watcher, or of one cancellation. It calls once; its user decides about another try.

    :param connect: returns an aiobotocore client's context manager; called again when credentials have
        expired.
    :param call_timeout: seconds after which a call is given up.
    """

    def __init__(self, connect: Connect, *, call_timeout: float) -> None:
        self._connect = connect
        self._call_timeout = call_timeout
        self._lock = asyncio.Lock()
        self._held: _Held | None = None
        self._refused: tuple[float, ImageBuilderError] | None = None

    async def call(
        self,
        operation: str,
        *,
        expect: str | None = None,
        still: Callable[[], bool] | None = None,
        **params: Any,
    ) -> dict[str, Any]:
        """
        Call one operation once.

        :param operation: botocore's method name, for example ``get_image``.
        :param expect: the member that the answer must hold; None accepts any answer that is not empty.
        :param still: returns whether the answer is still wanted; called just before the call is sent.
        :param params: the parameters of the operation, as AWS names them.
        :return: the answer, as botocore parsed it.
        :raises NotWantedError: the answer is not wanted any longer; nothing was sent.
        :raises ImageBuilderError: as :func:`call_once`.
        """
        held = await self._hold()
        if still is not None and not still():
            raise NotWantedError
        held.users += 1
        try:
            answer = await call_once(
                held.client, operation, expect=expect, timeout=self._call_timeout, **params
            )
        except AwsError as error:
            if error.code in EXPIRED_CODES:
                self._expire(held, _RENEWAL)
            elif error.code in _ABSENT:
                self._expire(held, _ABSENT_RENEWAL)
            raise
        else:
            held.worked = True
            return answer
        finally:
            held.users -= 1
            if held is not self._held and not held.users:
                await _close(held)

    async def aclose(self) -> None:
        """Close the client. A later call would make a new one."""
        held, self._held = self._held, None
        if held is not None:
            await _close(held)

    def _expire(self, held: _Held, age: float) -> None:
        old = asyncio.get_running_loop().time() - held.made >= age
        if held is self._held and (held.worked or old):
            self._held = None  # the last call on it closes it

    async def _hold(self) -> _Held:
        if self._held is not None:
            return self._held
        async with self._lock:
            if self._held is None:
                self._held = await self._open()
            return self._held

    async def _open(self) -> _Held:
        now = asyncio.get_running_loop().time()
        if self._refused is not None and now - self._refused[0] < _CONNECT_AGAIN:
            raise self._refused[1]
        stack = contextlib.AsyncExitStack()
        try:
            opening = stack.enter_async_context(off_loop(self._connect))
            client = await within(_CONNECT_TIMEOUT, opening)
        except Exception as error:
            self._refused = now, translate(error, "Connect")
            raise self._refused[1] from error
        self._refused = None
        return _Held(client, stack, asyncio.get_running_loop().time())


async def _close(held: _Held) -> None:
    try:
        await held.stack.aclose()
    except Exception:  # it must not hide the error before it
        log.debug("Could not close the Image Builder client", exc_info=True)
