"""Reading requests and sending answers over ASGI, whole or broken on demand."""

from __future__ import annotations

import socket
import struct
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

#: The largest body of a request: far above the longest documents that the service model allows.
MOST_BYTES = 4 * 1024 * 1024
_JSON = (b"content-type", b"application/json")


class Answer(NamedTuple):
    """An HTTP answer.

    :param extra: headers beside those that every answer has.
    """

    status: int
    body: bytes
    extra: Headers


class CutShortError(ConnectionError):
    """The client left before it had sent its whole request."""


class TooLargeError(ValueError):
    """The body of a request is larger than :data:`MOST_BYTES`."""


async def body(receive: Receive) -> bytes:
    """Read the whole body of a request.

    :raises CutShortError: the connection ended before; half a request must not be carried out.
    :raises TooLargeError: it is too large; the rest is not read.
    """
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CutShortError("the request was cut short")
        if message.get("body"):
            chunks.append(message["body"])
            size += len(message["body"])
            if size > MOST_BYTES:
                raise TooLargeError
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def replayed(content: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that begins with a body that was read already."""
    messages: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


async def send(channel: Send, answer: Answer, content_type: bytes = _JSON[1]) -> None:
    """Send an answer with AWS's usual headers.

    :param content_type: the type of the body (default: JSON).
    """
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
        *answer.extra,
    ]
    await channel({"type": "http.response.start", "status": answer.status, "headers": headers})
    await channel({"type": "http.response.body", "body": answer.body})


def _transport(channel: Send) -> Any:
    """Return the connection behind uvicorn's ``send``, because ASGI cannot break a connection."""
    return channel.__self__.transport  # type: ignore[attr-defined]


def abort(channel: Send) -> None:
    """Close a connection with a reset (TCP RST)."""
    transport = _transport(channel)
    raw = transport.get_extra_info("socket")
    # With a linger time of 0 the kernel sends a reset instead of an orderly end.
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def disconnected(receive: Receive) -> None:
    """Wait until the client closes the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def truncate(channel: Send, content: bytes) -> None:
    """Announce a body, send half of it, and close the connection."""
    length = str(len(content) + 64).encode()
    await channel(
        {"type": "http.response.start", "status": 200, "headers": [_JSON, (b"content-length", length)]}
    )
    await channel({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
    _transport(channel).close()
