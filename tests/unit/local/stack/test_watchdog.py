"""The watchdog: it stops what is on its list when the owner is gone, and nothing else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.local.stack.processes import ServerProcess, session_members
from airflow_imagebuilder.local.stack.watchdog import Watchdog, watch_owner

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator
    from pathlib import Path

MODULE = "airflow_imagebuilder.local.stack.watchdog"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    process = ServerProcess("server", command, env=os.environ, log=tmp_path / "log")
    yield process
    process.kill()


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Replace the signals by a record of them."""
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(f"{MODULE}.os.kill", lambda pid, number: calls.append((number.name, pid)))
    monkeypatch.setattr(f"{MODULE}.session_members", lambda _: [])
    monkeypatch.setattr(f"{MODULE}.kill_session", lambda pid: calls.append(("session", pid)))
    return calls


def test_every_session_on_the_list_gets_sigterm_and_is_then_killed(killed: list[tuple[str, int]]) -> None:
    watch_owner(["+1000001\n"])
    assert killed == [("SIGTERM", 1000001), ("session", 1000001)]


def test_a_released_process_is_left_alone_because_its_id_may_be_reused(killed: list[tuple[str, int]]) -> None:
    watch_owner(["+1000001\n", "+1000002\n", "-1000001\n"])
    assert {pid for _, pid in killed} == {1000002}


def test_a_session_whose_leader_has_exited_is_swept_too(
    killed: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_pid: int, _number: signal.Signals) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(f"{MODULE}.os.kill", gone)
    watch_owner(["+1000001\n"])
    assert killed == [("session", 1000001)]


def test_when_the_pipe_closes_the_watched_server_is_stopped(server: ServerProcess) -> None:
    watchdog = Watchdog()
    watchdog.watch(server)
    watchdog.close()
    assert server.wait(30)
    assert session_members(server.pid) == []


def test_a_released_server_survives_the_watchdog(server: ServerProcess) -> None:
    watchdog = Watchdog()
    watchdog.watch(server)
    watchdog.release(server)
    watchdog.close()
    assert server.returncode is None


def test_a_killed_watchdog_does_not_stop_its_owner(server: ServerProcess) -> None:
    watchdog = Watchdog()
    watchdog._popen.kill()
    watchdog._popen.wait(30)
    watchdog.watch(server)
    watchdog.release(server)
    watchdog.close()
    assert server.returncode is None
