"""Server processes: their output, their signals, and that stopping them leaves nothing."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.local.stack.processes import (
    ServerProcess,
    session_members,
    stop_all,
    uninterrupted,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLEEPS = "import time; time.sleep(600)"
IGNORES_SIGTERM = (
    f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); {SLEEPS}"
)
FORKS = (
    f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]); "
    f"print('up', flush=True); {SLEEPS}"
)
SECONDS = 30


class Servers:
    """Starts Python processes that share one log."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "server.log"
        self.started: list[ServerProcess] = []

    def start(self, code: str) -> ServerProcess:
        command = [sys.executable, "-c", code]
        self.started.append(ServerProcess("server", command, env=os.environ, log=self._log))
        return self.started[-1]

    def start_and_wait(self, code: str) -> ServerProcess:
        """Start a process that prints a line once it is ready."""
        process = self.start(code)
        while "up" not in process.output:
            assert process.returncode is None, process.output
        return process


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path)
    yield servers
    for process in servers.started:
        process.kill()


def test_a_process_leads_a_session_of_its_own(servers: Servers) -> None:
    process = servers.start_and_wait(IGNORES_SIGTERM)
    assert session_members(process.pid) == [process.pid]
    assert os.getsid(process.pid) != os.getsid(0)


def test_the_output_is_that_of_this_process_and_not_of_an_earlier_one_in_the_same_log(
    servers: Servers,
) -> None:
    first = servers.start("print('first')")
    assert first.wait(SECONDS)
    second = servers.start("import sys; print('one'); print('two'); sys.stdout.flush(); sys.exit(3)")
    assert second.wait(SECONDS)
    assert (second.output, second.returncode) == ("one\ntwo\n", 3)
    assert second.tail(lines=1) == "two"
    assert second.log.read_text() == "first\none\ntwo\n"


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period(servers: Servers) -> None:
    process = servers.start_and_wait(IGNORES_SIGTERM)
    stop_all([process], grace=0.2)
    assert process.returncode == -signal.SIGKILL


def test_a_process_gets_the_chance_to_stop_by_sigterm(servers: Servers) -> None:
    process = servers.start(
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); "
        f"print('up', flush=True); {SLEEPS}"
    )
    while "up" not in process.output:
        assert process.returncode is None, process.output
    stop_all([process], grace=SECONDS)
    assert process.returncode == 7


def test_what_a_process_forked_is_stopped_with_it(servers: Servers) -> None:
    process = servers.start_and_wait(FORKS)
    assert len(session_members(process.pid)) == 2
    stop_all([process], grace=0)
    assert session_members(process.pid) == []


def test_an_interruption_during_the_grace_period_kills_all_the_same(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = servers.start_and_wait(IGNORES_SIGTERM)

    def interrupted(_self: ServerProcess, _timeout: float) -> bool:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(ServerProcess, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stop_all([process], grace=SECONDS)
    assert process.returncode == -signal.SIGKILL


def test_an_interruption_is_delayed_until_the_block_is_over() -> None:
    events: list[str] = []
    before = signal.signal(signal.SIGHUP, lambda *_: events.append("hang-up"))
    try:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGHUP)
            events.append("recorded")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert events == ["recorded", "hang-up"]


def test_an_interruption_after_the_block_has_its_own_handler_again() -> None:
    events: list[str] = []
    before = signal.signal(signal.SIGHUP, lambda *_: events.append("hang-up"))
    try:
        with uninterrupted():
            pass
        os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert events == ["hang-up"]


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
