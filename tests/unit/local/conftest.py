from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bench import Bench
from tests.support.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    with Process("--speed", "600") as process:
        yield process
