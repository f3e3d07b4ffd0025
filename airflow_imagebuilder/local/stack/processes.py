"""Server processes that stop when their owner stops.

Each process leads a session of its own. So Ctrl-C in the terminal reaches the owner alone, and everything
that the process forked (workers of an executor, a running task) is found and stopped with it. If the owner
is killed, ``watchdog.py`` stops them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

GRACE = 6.0
"""Seconds between SIGTERM to a process and SIGKILL to its session."""

POLL = 0.05

_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SWEEP_SECONDS = 15.0
"""Seconds that killed processes get to disappear: a loaded machine takes long."""


def session_members(leader: int) -> list[int]:
    """Return the ids of the living processes of a session, its leader included."""
    members = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                members.append(pid)
    return members


def kill_session(leader: int) -> None:
    """Kill every process of a session and wait, for at most 15 seconds, until none is left."""
    deadline = time.monotonic() + SWEEP_SECONDS
    while (members := session_members(leader)) and time.monotonic() < deadline:
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay SIGINT, SIGTERM and SIGHUP to the end of the block, so that a started process is recorded."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread alone
        return
    delayed: list[int] = []
    before = {number: signal.signal(number, lambda *one: delayed.append(one[0])) for number in _INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    for received in delayed:
        os.kill(os.getpid(), received)


class ServerProcess:
    """One server as a subprocess, with a session and a log file of its own.

    :param name: its name in messages.
    :param command: program and arguments.
    :param env: the whole environment of the process.
    :param log: file for stdout and stderr; it is appended to, so that a restart keeps the earlier output.
    """

    def __init__(self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as sink:
            self._log_start = sink.tell()
            self._popen = subprocess.Popen(  # noqa: S603 - the command is ours
                list(command),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its session."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._popen.poll()

    @property
    def output(self) -> str:
        """The output of this process so far, without that of an earlier process in the same log."""
        with self.log.open("rb") as text:
            text.seek(self._log_start)
            return text.read().decode(errors="replace")

    def terminate(self) -> None:
        """Send SIGTERM to the process alone; it stops what it forked itself."""
        self._popen.terminate()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and everything that it forked."""
        for pid in session_members(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def wait(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds and return whether the process has exited."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(max(timeout, 0))
        return self._popen.returncode is not None

    def kill(self) -> None:
        """Kill the process and everything in its session; do nothing if all of it has exited."""
        kill_session(self.pid)
        self.wait(SWEEP_SECONDS)

    def tail(self, lines: int = 30) -> str:
        """Return the last lines of its output."""
        return "\n".join(self.output.splitlines()[-lines:])


def stop_all(processes: Iterable[ServerProcess], grace: float = GRACE) -> None:
    """Stop processes together: SIGTERM to each, a common grace period, then SIGKILL to each session.

    An interruption meanwhile (a second Ctrl-C) ends the grace period; the sessions are killed all the same.

    :param grace: seconds; 0 sends no SIGTERM at all.
    """
    running = list(processes)
    try:
        for process in running if grace else ():
            process.terminate()
        deadline = time.monotonic() + grace
        for process in running:
            process.wait(deadline - time.monotonic())
    finally:
        for process in running:
            process.kill()
