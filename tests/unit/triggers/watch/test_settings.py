"""How often the triggers poll: Airflow's configuration, and a task's own interval."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_imagebuilder.service.watcher.settings import WatchSettings
from airflow_imagebuilder.triggers.watch.settings import watch_settings


def test_without_configuration_the_defaults_hold() -> None:
    assert watch_settings() == WatchSettings()


def test_the_configuration_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {
        "poll_interval": 7.0,
        "max_calls_per_second": 3.0,
        "first_look": 6.0,
        "call_timeout": 9.0,
        "max_connections": 4,
        "grace": 11.0,
    }
    for name, value in wanted.items():
        monkeypatch.setenv(f"AIRFLOW__IMAGEBUILDER__{name.upper()}", str(value))
    assert watch_settings() == WatchSettings(**wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("interval", [7, 7.0, timedelta(seconds=7)], ids=str)
def test_a_tasks_own_interval_comes_first(interval: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__IMAGEBUILDER__POLL_INTERVAL", "60")
    assert watch_settings(interval).poll_interval == 7


def test_an_interval_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="poll_interval must be above 0"):
        watch_settings(-1)
