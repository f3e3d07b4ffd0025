"""Shell: a terminal that runs one command after the other, or one that stays until it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.stack.processes import kill_session, session_members

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_END = "__the_command_has_ended__"
_GRACE = 40.0


class TerminalError(RuntimeError):
    """A command failed, or took too long; the message has the end of its output."""


class Shell:
    """A bash in a session of its own, which a reader types into.

    :param folder: where it starts.
    :param env: its whole environment.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=dict(env),
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.append(line)

    @property
    def output(self) -> str:
        """Everything that it has printed so far."""
        return "".join(self._lines)

    def type(self, command: str) -> None:
        """Type a command."""
        assert self._process.stdin
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def run(self, command: str, seconds: float) -> str:
        """Run a command and return what it prints.

        :raises TerminalError: it failed, or has not ended in time.
        """
        begin = len(self._lines)
        self.type(f"{command}\necho {_END} $?")
        deadline = time.monotonic() + seconds
        while not (ended := next((line for line in self._lines[begin:] if line.startswith(_END)), None)):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise TerminalError(
                    f"$ {command}\nnot ended in {seconds:.0f} s; it printed:\n{self.output[-3000:]}"
                )
            time.sleep(0.05)
        printed = "".join(line for line in self._lines[begin:] if not line.startswith(_END))
        if ended.split()[-1] != "0":
            raise TerminalError(f"$ {command}\nexit code {ended.split()[-1]}; it printed:\n{printed[-3000:]}")
        return printed

    @property
    def ended(self) -> bool:
        """Whether the shell itself has ended."""
        return self._process.poll() is not None

    def interrupt(self) -> None:
        """Press Ctrl-C: the command gets SIGINT, as from a terminal."""
        for pid in session_members(self._process.pid):
            if pid != self._process.pid and _group(pid) == self._process.pid:
                os.kill(pid, signal.SIGINT)

    def close(self) -> None:
        """End whatever still runs: with Ctrl-C first, so that servers stop by themselves."""
        deadline = time.monotonic() + _GRACE
        if not self.ended:
            self.type("exit")
        again = 0.0
        while not self.ended and time.monotonic() < deadline:
            if time.monotonic() > again:  # a command that begins only now is interrupted, too
                self.interrupt()
                again = time.monotonic() + _GRACE / 3
            time.sleep(0.1)
        kill_session(self._process.pid)
        self._process.wait(_GRACE)
        self._reader.join(_GRACE)


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
