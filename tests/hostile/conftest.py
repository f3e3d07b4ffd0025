from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server() -> Iterator[Process]:
    """One service for the tests that leave nothing behind that another could see."""
    with Process("--speed", "600") as process:
        yield process
