"""A metrics system that fails costs numbers, and no wait."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.service.client.loop_registry import LoopRegistry
from airflow_imagebuilder.service.watcher.watcher import ImageWatcher, WatchSettings
from tests.support.clockwork import ARN, Service, run, statuses, wall

if TYPE_CHECKING:
    from collections.abc import Callable


class Broken:
    """A metrics system that raises on some of its methods, for as long as it is broken."""

    def __init__(self, *names: str, mended: Callable[[], bool] = lambda: False) -> None:
        self.names, self.mended = names, mended
        self.taken: dict[str, float] = {}

    def take(self, method: str, name: str, value: float) -> None:
        if method in self.names and not self.mended():
            raise ValueError(f"no {method} today")
        self.taken[name] = self.taken.get(name, 0) + value

    def incr(self, name: str, count: int) -> None:
        self.take("incr", name, count)

    def gauge(self, name: str, value: float) -> None:
        self.take("gauge", name, value)

    def timing(self, name: str, seconds: float) -> None:
        self.take("timing", name, seconds)


def wait_with(metrics: Broken, service: Service) -> list[str]:
    async def main() -> list[str]:
        settings = WatchSettings(poll_interval=10)
        async with ImageWatcher(service.connect, settings=settings, metrics=metrics, wall=wall) as watcher:
            return [status for _, status in await statuses(watcher, ARN)]

    return run(main())


@pytest.mark.parametrize("names", [("incr",), ("gauge",), ("timing",), ("incr", "gauge", "timing")])
def test_a_metrics_system_that_raises_ends_no_wait(
    names: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="airflow_imagebuilder")
    service = Service()
    service.image(ARN, (0, "BUILDING"), (290, "AVAILABLE"))
    assert wait_with(Broken(*names), service) == ["BUILDING", "AVAILABLE"]
    assert service.opened == service.closed == 1
    lines = [record.getMessage() for record in caplog.records]
    assert all(any(f"no {name} today" in line for name in names) for line in lines)
    assert 1 <= len(lines) <= 6  # five minutes, and at most one line per minute


def test_numbers_are_complete_once_the_metrics_system_has_recovered() -> None:
    service = Service()
    service.image(ARN, (0, "BUILDING"), (290, "AVAILABLE"))
    metrics = Broken("incr", "gauge", "timing", mended=lambda: len(service.calls) > 20)
    wait_with(metrics, service)
    assert metrics.taken["calls"] == len(service.calls)


def test_what_fails_while_it_is_closed_does_not_reach_the_last_user(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn:
        async def aclose(self) -> None:
            raise ValueError("not now")

    async def main() -> str:
        shared: LoopRegistry[Stubborn] = LoopRegistry()
        async with shared.use("a", Stubborn):
            return "the answer"

    assert asyncio.run(main()) == "the answer"
    assert "not now" in caplog.text
