"""RemoteService: the control plane of a local Image Builder that runs, by its address.

It needs the standard library alone, so that a command answers at once.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_URL = "http://127.0.0.1:5005"
#: Seconds for one answer; an ``advance`` works for some of them.
PATIENCE = 60
#: The most requests for one ``advance``: minutes of work.
MOST_ADVANCES = 100


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # wrong brackets of IPv6, or a port that is not a number
        return False
    return named and url.split() == [url]


class ControlError(RuntimeError):
    """A request that was not carried out; the message is one line."""


def all_passed(ask: Callable[[dict[str, Any]], dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
    """Send a request, and repeat its ``advance`` until all of it has passed.

    The service ends one request after some seconds of work, e.g. when a pipeline runs each minute.

    :param ask: sends one request, and returns the answer.
    :raises ControlError: time is left after :data:`MOST_ADVANCES` requests.
    """
    answer = ask(request)
    for _ in range(MOST_ADVANCES - 1):
        if "left" not in answer:
            return answer
        answer = ask({"advance": answer["left"]})
    if "left" not in answer:
        return answer
    raise ControlError(
        f"advance: {answer['left']:.0f} seconds are left after {MOST_ADVANCES} requests, because so much "
        "happens. Advance in smaller steps, or disable the pipelines that run most often"
    )


class RemoteService:
    """A local Image Builder.

    :param url: its address; by default ``AWS_ENDPOINT_URL``, else :data:`DEFAULT_URL`.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = (url or os.environ.get("AWS_ENDPOINT_URL") or DEFAULT_URL).rstrip("/")
        if not _is_address(self.url):
            raise ControlError(f"--url {self.url}: not an address; e.g. {DEFAULT_URL}")
        # It runs on this machine: no proxy of the user's environment leads to it.
        self._open = build_opener(ProxyHandler({})).open

    def health(self) -> dict[str, Any]:
        """Return the clock: ``now``, ``epoch`` and ``speed``."""
        return self._ask("health")

    def records(self) -> dict[str, Any]:
        """Return calls, images, changes and faults."""
        return self._ask("records")

    def control(self, request: dict[str, Any]) -> dict[str, Any]:
        """Change the service; ``advance`` is repeated until all of it has passed.

        :return: the clock afterwards.
        :raises ControlError: the service refuses the request and has changed nothing, or does not answer.
        """
        return all_passed(lambda body: self._ask("control", body), request)

    def _ask(self, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.url}/_imagebuilder/{what}"
        request = Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 (checked above)
        try:
            with self._open(request, timeout=PATIENCE) as answer:
                clock = self._read(answer.read())
        except HTTPError as error:
            with error:
                raise ControlError(self._refusal(error)) from error
        except HTTPException as error:  # it has another protocol
            raise ControlError(self._stranger()) from error
        except (URLError, OSError) as error:
            raise ControlError(
                f"no local Image Builder answers on {self.url} ({getattr(error, 'reason', error)}). Start it "
                "with: python -m airflow_imagebuilder.local; or name another address: --url, AWS_ENDPOINT_URL"
            ) from error
        if "speed" not in clock:  # the service itself always sends it
            raise ControlError(self._stranger())
        return clock

    def _read(self, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ControlError(self._stranger())
        return answer

    def _stranger(self) -> str:
        return f"what answers on {self.url} is not a local Image Builder"

    def _refusal(self, error: HTTPError) -> str:
        """Return the service's own words for a refusal."""
        answer = self._read(error.read())
        if "error" in answer and error.code != HTTPStatus.NOT_FOUND:
            return " ".join(str(answer["error"]).split())
        return f"{self.url} answers {error.code}: it is not a local Image Builder, or another version of it"
