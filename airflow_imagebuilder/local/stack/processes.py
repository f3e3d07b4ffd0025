"""Server processes that end with their owner, however their owner ends.

Each process leads a session of its own, so that a Ctrl-C in the terminal reaches only the owner and so that
everything the process forked (an executor's workers, a running task) can be found again and ended with it.
``guard.py`` does so for an owner that was killed.
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
    from types import FrameType

GRACE = 6.0
"""Seconds that a process gets to end after SIGTERM before its session is killed."""

POLL = 0.05

_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SWEEP_SECONDS = 15.0
"""Seconds that the kernel gets to end what was killed: a loaded machine takes its time."""


def session_members(leader: int) -> list[int]:
    """Return the pids of the living processes in the session that ``leader`` started, itself among them."""
    members = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                members.append(pid)
    return members


def kill_session(leader: int) -> None:
    """End every process of a session with SIGKILL and wait, in bounded time, until none is left."""
    give_up = time.monotonic() + SWEEP_SECONDS
    while (members := session_members(leader)) and time.monotonic() < give_up:
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put an interruption off until the block is through: what it started must be on record by then."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    came: list[tuple[int, FrameType | None]] = []
    before = {number: signal.signal(number, lambda *one: came.append(one)) for number in _INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    for caught, frame in came:
        put_off = before[signal.Signals(caught)]
        if callable(put_off):
            put_off(caught, frame)
        elif put_off != signal.SIG_IGN:
            os.kill(os.getpid(), caught)


class ServerProcess:
    """One server started as a subprocess: its own session, its output in its own file.

    :param name: what it is called in messages.
    :param command: program and arguments.
    :param env: the whole environment of the process.
    :param log: file that takes stdout and stderr; appended to, so that a restart keeps the story.
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
        """The process id, which is the id of its session too."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._popen.poll()

    @property
    def output(self) -> str:
        """What this process has printed so far, without what an earlier one left in the same log."""
        with self.log.open("rb") as text:
            text.seek(self._log_start)
            return text.read().decode(errors="replace")

    def terminate(self) -> None:
        """Ask the process to end (SIGTERM); what it forked is its own business."""
        self._popen.terminate()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and to everything that it forked."""
        for pid in session_members(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def wait(self, timeout: float) -> bool:
        """Wait for the process and tell whether it has ended within ``timeout`` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(max(timeout, 0))
        return self._popen.returncode is not None

    def kill(self) -> None:
        """End the process and everything in its session with SIGKILL; do nothing where all has ended."""
        kill_session(self.pid)
        self.wait(SWEEP_SECONDS)

    def tail(self, lines: int = 30) -> str:
        """Return the last lines of what it printed."""
        return "\n".join(self.output.splitlines()[-lines:])


def stop_all(processes: Iterable[ServerProcess], grace: float = GRACE) -> None:
    """End processes side by side: SIGTERM, ``grace`` seconds together, then SIGKILL to each session.

    :param grace: seconds; 0 sends no SIGTERM at all.

    An interruption on the way (a second Ctrl-C) skips the grace, never the killing.
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
