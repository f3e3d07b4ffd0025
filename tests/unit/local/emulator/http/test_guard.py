"""The guard: which hosts and origins may ask."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.http.guard import Guard, without_cors


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:5005", "127.0.0.1", "[::1]:5005", "localhost:5005", "LOCALHOST", "10.1.2.3:5005"),
        *("bucket.localhost:5005", "image-builder:5005", "bucket.image-builder:5005", "localhost."),
    ],
)
def test_the_service_is_asked_for_by_its_own_names(host: str) -> None:
    assert Guard(frozenset({"image-builder"})).fault({b"host": host.encode()}) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:5005",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "image-builder",
        "\xff",
        ":5005",
    ],
)
def test_another_name_is_refused_with_the_way_out(host: str) -> None:
    why = Guard().fault({b"host": host.encode("latin-1")})
    assert why is not None
    assert "--allow-host" in why


def test_a_request_without_a_host_is_not_a_browsers() -> None:
    assert Guard().fault({}) is None


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        ("http://localhost:8080", False),
        ("http://127.0.0.1:5005", False),
        ("https://evil.example", True),
        ("null", True),
        ("http://localhost.evil.example", True),
    ],
)
def test_a_page_of_another_site_is_refused(origin: str, refused: bool) -> None:
    why = Guard().fault({b"host": b"127.0.0.1:5005", b"origin": origin.encode()})
    assert (why is not None) is refused


@pytest.mark.asyncio
async def test_the_permission_for_every_site_is_dropped() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"text/xml"), (b"Access-Control-Allow-Origin", b"*")]
    await without_cors(send)({"type": "http.response.start", "status": 200, "headers": headers})
    await without_cors(send)({"type": "http.response.body", "body": b"x"})
    assert sent[0]["headers"] == [(b"content-type", b"text/xml")]
    assert sent[1]["body"] == b"x"
