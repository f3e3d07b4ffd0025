"""An HTTP server on loopback with prepared answers, so that botocore itself raises the errors."""

from __future__ import annotations

import contextlib
import json
import socketserver
import struct
import threading
from socket import SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Answer = tuple[int, str] | dict[str, Any] | Literal["reset", "truncated", "hang", "page", "nothing"]
"""A status and an error code, a body, or the fault that takes the place of an answer."""

GOOD: Answer = {"requestId": "1", "image": {"arn": "a", "state": {"status": "AVAILABLE"}}}


class Stub:
    """The server: returns its answers one after the other, and then the last one again and again."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.requests = 0
        self.asked, self.gone = threading.Event(), threading.Event()
        self._lock = threading.Lock()

    def next(self) -> Answer:
        self.asked.set()
        with self._lock:
            self.requests += 1
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while self.rfile.readline():
                length = 0
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                self.rfile.read(length)
                if not self._answer(self.server.stub.next()):  # type: ignore[attr-defined]
                    return

    def _answer(self, answer: Answer) -> bool:
        if answer == "reset":
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if answer == "nothing":
            return False
        if answer == "hang":
            self.server.stub.gone.wait(30)  # type: ignore[attr-defined]
            return False
        if answer == "truncated":
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"image":')
            return False
        status, body, headers = 200, b"<html>It works!</html>", b""
        if isinstance(answer, tuple):
            status, body = answer[0], json.dumps({"message": "refused by the stub"}).encode()
            headers = b"x-amzn-ErrorType: %s\r\n" % answer[1].encode()
        elif isinstance(answer, dict):
            body = json.dumps(answer).encode()
        self.wfile.write(
            b"HTTP/1.1 %d Prepared\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s"
            % (status, len(body), headers, body)
        )
        return True


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextlib.contextmanager
def stub(*answers: Answer) -> Iterator[tuple[Stub, str]]:
    """Serve these answers; yield the server and its URL."""
    served = Stub(answers)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.stub = served  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield served, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            served.gone.set()
            server.shutdown()
