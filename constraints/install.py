# ruff: noqa: INP001 (a script of the Makefile)
"""Fill a virtual environment, and show all the time that it moves; needs nothing but Python.

uv takes seconds where pip takes minutes. It does not read pip's configuration, so the index is passed on;
where uv is missing or fails, pip does the work.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUIET = 4.0
"""Seconds between two lines where the output is not a terminal: never more than five pass."""
FRAMES = "|/-\\"
WIDTH = 76
_DETAILS = ("+", "-", "~", "WARNING", "warning")


class Display:
    """Says what is done now, and for how long.

    :param out: where it is printed.
    :param clock: returns seconds.
    """

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._started = self._printed = clock()
        self._frames = 0

    def line(self, text: str) -> None:
        """Print a line."""
        clear = "\r\033[K" if self._out.isatty() else ""
        self._out.write(f"{clear}[{self._clock() - self._started:5.1f} s] {text}\n")
        self._out.flush()
        self._printed = self._clock()

    def moment(self, text: str) -> None:
        """Show that it moves: at once in a terminal, after a pause anywhere else."""
        if self._out.isatty():
            self._frames += 1
            frame = FRAMES[self._frames // 2 % len(FRAMES)]
            shown = f"{frame} {self._clock() - self._started:.0f} s  {text}"
            self._out.write(f"\r\033[K{shown[:WIDTH]}")
            self._out.flush()
        elif self._clock() - self._printed >= QUIET:
            self.line(text)


def run(display: Display, what: str, command: Sequence[str], env: dict[str, str] | None = None) -> str | None:
    """Run a command while the display moves.

    :param what: what it does, for a person.
    :return: its output if it failed, None if it succeeded.
    """
    display.line(f"{what} ...")
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        try:
            # Installers read no keyboard, and a prompt would wait unseen.
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env
            )
        except OSError as error:
            return str(error)
        with process:
            while process.poll() is None:
                display.moment(f"{what}: {last_of(log)}".removesuffix(": "))
                time.sleep(0.1)
        log.seek(0)
        if process.returncode == 0:
            return None
        # A process that was killed, e.g. for its memory, has printed nothing.
        return f"{log.read()}\n{command[0]} ended with exit code {process.returncode}"


def last_of(log: TextIO) -> str:
    """Return the last line that an installer has printed, without those about a single package."""
    size = os.fstat(log.fileno()).st_size
    tail = os.pread(log.fileno(), 4096, max(0, size - 4096)).decode("utf-8", "replace")
    lines = [line.strip() for line in tail.splitlines()]
    return next((line[:WIDTH] for line in reversed(lines) if line and not line.startswith(_DETAILS)), "")


def index_of(pip: Sequence[str]) -> str:
    """Return the package index that pip's configuration names; empty for the default one."""
    if index := os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL"):
        return index
    asked = subprocess.run(  # noqa: S603 - the command is ours
        [*pip, "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""


def fill(display: Display, venv: Path, constraints: Path, extras: str) -> str | None:
    """Make an environment and install the package with extras into it.

    :return: the output of what failed; None if all is installed.
    """
    if venv.exists():
        display.line(f"remove the old {venv} ...")
    shutil.rmtree(venv, ignore_errors=True)
    if failure := run(display, f"make {venv}", [sys.executable, "-m", "venv", str(venv)]):
        return failure
    python = str(venv / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    bounded = ["-c", str(constraints)]
    wanted = [*bounded, "-e", f".[{extras}]"]
    failure = run(display, "install uv", [*pip, "install", *bounded, "uv"])
    if not failure:
        env = {**os.environ, "UV_DEFAULT_INDEX": index_of(pip)}
        uv = [str(venv / "bin" / "uv"), "pip", "install", "--compile-bytecode", "--python", python]
        failure = run(display, "install with uv and compile", [*uv, *wanted], env)
    if failure:
        display.line(f"uv does not work here; pip takes some minutes. Its reason: {failure.strip()[-300:]}")
        failure = run(display, "install with pip", [*pip, "install", *wanted])
    return failure


def main() -> int:
    """Fill the environment and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venv", type=Path)
    parser.add_argument("constraints", type=Path)
    parser.add_argument("extras")
    options = parser.parse_args()
    display = Display(sys.stdout)
    if failure := fill(display, options.venv, options.constraints, options.extras):
        display.line(f"not installed; the last lines of the installer:\n{failure[-3000:]}")
        return 1
    display.line(f"{options.venv} is complete")
    return 0


if __name__ == "__main__":
    sys.exit(main())
