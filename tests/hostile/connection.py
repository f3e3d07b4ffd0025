"""Connection: raw requests over a socket, and what came back."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

SECONDS = 20.0
SIGNED = (
    b"AWS4-HMAC-SHA256 Credential=testing/20261124/us-east-1/imagebuilder/aws4_request, "
    b"SignedHeaders=host, Signature=0"
)


class Reply(NamedTuple):
    """An answer; a status of 0 means that the service closed the connection without one."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def document(self) -> Any:
        """The body as JSON; None if it is not JSON."""
        with contextlib.suppress(ValueError):
            return json.loads(self.body)
        return None

    @property
    def fault(self) -> str | None:
        """What is wrong with a refusal; None if it has the shape of AWS's."""
        if self.status >= 500:
            return f"status {self.status}"
        document = self.document
        if not isinstance(document, dict) or not isinstance(document.get("message"), str):
            return "no message"
        code = document.get("__type")
        if not code or self.headers.get("x-amzn-errortype") != code:
            return "no code, or two different ones"
        return None if "x-amzn-requestid" in self.headers else "no request id"


def request(
    method: bytes,
    path: bytes,
    body: bytes = b"",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    **over: bytes,
) -> bytes:
    """Write a request.

    :param headers: after the usual ones.
    :param over: other values of the usual headers, with ``_`` for ``-``; an empty one leaves the header out.
    """
    usual = {
        b"host": b"localhost",
        b"authorization": SIGNED,
        b"content-type": b"application/json",
        b"content-length": b"%d" % len(body),
    } | {name.replace("_", "-").encode(): value for name, value in over.items()}
    lines = [b"%s: %s" % (name, value) for name, value in (*usual.items(), *headers) if value]
    return b"\r\n".join([b"%s %s HTTP/1.1" % (method, path), *lines, b"", b""]) + body


class Connection:
    """A connection that is made again when the service has closed it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def send(self, data: bytes) -> None:
        """Send bytes."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(data)

    def ask(self, data: bytes, *, fresh: bool = False, unfinished: bool = False) -> Reply:
        """Send a request, and read its answer.

        :param fresh: whether it needs a connection of its own, because it may leave this one unusable.
        :param unfinished: whether to say that nothing follows, because the service waits for more.
        """
        if fresh:
            self.close()
        began = time.monotonic()
        try:
            self.send(data)
            if unfinished and self._socket:
                self._socket.shutdown(socket.SHUT_WR)
            reply = self._read(began, data.split(b" ", 1)[0])
        except (OSError, http.client.HTTPException):
            self.close()
            return Reply(0, {}, b"", time.monotonic() - began)
        if fresh or reply.headers.get("connection", "").lower() == "close":
            self.close()
        return reply

    def _read(self, began: float, method: bytes) -> Reply:
        assert self._socket
        answer = http.client.HTTPResponse(self._socket, method=method.decode("latin-1"))
        try:
            answer.begin()
            body = answer.read()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, headers, body, time.monotonic() - began)
        finally:
            answer.close()
