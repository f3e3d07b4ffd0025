"""A process that ends the servers of an owner that was killed.

It reads a pipe that only the owner holds. When the owner is gone, however it went, the pipe closes, and what
is on the list then is ended. Signals of the terminal do not reach it: it has a session of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING

from airflow_imagebuilder.local.stack.processes import (
    GRACE,
    POLL,
    SWEEP_SECONDS,
    kill_session,
    session_members,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_imagebuilder.local.stack.processes import ServerProcess


class Watchdog:
    """A process that ends the watched sessions when its owner is gone without having done so."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, process: ServerProcess) -> None:
        """Put a process under guard."""
        self._tell(f"+{process.pid}")

    def release(self, process: ServerProcess) -> None:
        """Take a process that has ended off the list: its id may be given to another one from here on."""
        self._tell(f"-{process.pid}")

    def close(self) -> None:
        """Close the pipe; the guard ends what is still on its list, then itself."""
        # A guard that somebody killed must not take the servers' owner down, here and below.
        with contextlib.suppress(BrokenPipeError):
            self._pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(GRACE + SWEEP_SECONDS)

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._pipe.write(f"{line}\n".encode())
            self._pipe.flush()

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._popen.stdin is not None  # noqa: S101 - asked for above
        return self._popen.stdin


def watch_owner(lines: Iterable[str]) -> None:
    """Keep the list that the owner sends until the pipe ends, then end every session still on it."""
    leaders: set[int] = set()
    for line in lines:
        change, leader = line[0], int(line[1:])
        (leaders.add if change == "+" else leaders.discard)(leader)
    for leader in leaders:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while any(session_members(leader) for leader in leaders) and time.monotonic() < deadline:
        time.sleep(POLL)
    for leader in leaders:
        kill_session(leader)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watch_owner(sys.stdin)
