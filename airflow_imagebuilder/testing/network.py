"""Network: no name of AWS is resolved while tests run."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator

DOMAINS = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "on.aws")
"""The domains of AWS's endpoints; a proxy must not be asked for them either."""


class AwsRequestRefusedError(RuntimeError):
    """A test was about to call AWS itself."""


@contextmanager
def without_aws() -> Iterator[None]:
    """
    Refuse to resolve the names of AWS in this process.

    Endpoints in the environment point boto3 at the local service. This is for a client with an endpoint of
    its own in code, in a connection or in a configuration. Names that a library of C resolves are not seen.
    """
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if is_of_aws(host):
            name = host.decode() if isinstance(host, bytes) else host
            raise AwsRequestRefusedError(
                f"A test was about to call {name}. In test mode all calls to AWS go to the local Image "
                "Builder: remove the endpoint_url from the client, the connection or the configuration."
            )
        return resolve(host, *args, **kwargs)

    with patch.object(socket, "getaddrinfo", getaddrinfo):
        yield


def is_of_aws(host: object) -> bool:
    """Return whether a host name belongs to AWS."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if not isinstance(text, str):
        return False
    name = text.lower().rstrip(".")
    return any(name == domain or name.endswith(f".{domain}") for domain in DOMAINS)
