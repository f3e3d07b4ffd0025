"""Guard: keeps web pages away from the service.

A page in a browser on this machine can send requests to a port on loopback. By DNS rebinding it can even read
the answers: then the name in the ``Host`` header is the page's. And what another site's page sends has an
``Origin`` header, or says so in ``Sec-Fetch-Site``.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.local.emulator.http.asgi import Send

_PORT = re.compile(r":[0-9]{1,5}$")


class Guard:
    """Refuses requests that only a web page sends.

    :param names: names of this machine under which clients may ask for the service, beside localhost and
        addresses.
    """

    def __init__(self, names: frozenset[str] = frozenset()) -> None:
        self._names = frozenset(name.lower() for name in names)

    def fault(self, headers: Mapping[bytes, bytes]) -> str | None:
        """Return why a request is refused; None if it may pass."""
        host = headers.get(b"host", b"").decode("latin-1")
        if host and not self._is_ours(host):
            return (
                f"The request asks for the host '{host}', which is not this service. Ask for localhost, or "
                f"start the service with --allow-host {_PORT.sub('', host)}."
            )
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and not self._is_ours(urlsplit(origin).netloc):
            return f"The request comes from a page of '{origin}'."
        # Sent by browsers alone. A form or a picture that asks with GET has no Origin.
        site = headers.get(b"sec-fetch-site", b"none").decode("latin-1")
        if site not in ("none", "same-origin"):
            return f"The request comes from a page of another site ({site})."
        return None

    def _is_ours(self, host: str) -> bool:
        name = _PORT.sub("", host).strip("[]").lower().rstrip(".")
        if name == "localhost" or name.endswith(".localhost") or name in self._names:
            return True
        if any(name.endswith(f".{own}") for own in self._names):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def without_cors(send: Send) -> Send:
    """Return a ``send`` that drops moto's permission for pages of every site."""

    async def quiet(message: object) -> None:
        if isinstance(message, dict) and message.get("type") == "http.response.start":
            headers = [
                (name, value)
                for name, value in message.get("headers", [])
                if not bytes(name).lower().startswith(b"access-control-")
            ]
            message = {**message, "headers": headers}
        await send(message)  # type: ignore[arg-type]

    return quiet
