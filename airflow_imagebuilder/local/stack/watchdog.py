"""Watchdog: a process that stops the servers of an owner that was killed.

It reads a pipe that the owner alone holds open. When the owner exits for any reason, the pipe closes, and the
watchdog stops every server on its list. Signals of the terminal do not reach it: it has a session of its own.
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
    """A process that stops the watched sessions if its owner exits without stopping them."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, process: ServerProcess) -> None:
        """Add a process to the list."""
        self._send(f"+{process.pid}")

    def release(self, process: ServerProcess) -> None:
        """Remove a process that has exited from the list, because the system may reuse its id."""
        self._send(f"-{process.pid}")

    def close(self) -> None:
        """Close the pipe; the watchdog stops everything that is still on its list, then exits."""
        # The pipe is broken if the watchdog was killed. Its owner must continue, here and below.
        with contextlib.suppress(BrokenPipeError):
            self._pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(GRACE + SWEEP_SECONDS)

    def _send(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._pipe.write(f"{line}\n".encode())
            self._pipe.flush()

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._popen.stdin is not None  # noqa: S101 - asked for above
        return self._popen.stdin


def watch_owner(lines: Iterable[str]) -> None:
    """Keep the list that the owner sends until the pipe closes, then stop every session on it.

    :param lines: ``+<pid>`` adds the session of a process, ``-<pid>`` removes it.
    """
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
