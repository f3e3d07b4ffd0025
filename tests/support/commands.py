"""Commands that a test runs to their end, and conditions that it waits for."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def completed(
    command: Sequence[object],
    *,
    seconds: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """
    Run a command without a keyboard, and return it with what it printed.

    :param seconds: after which it is killed, and the test fails.
    :param env: its environment; that of the test by default.
    :param cwd: its folder; that of the test by default.
    """
    return subprocess.run(
        [str(part) for part in command],
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """
    Wait until a condition holds.

    :param seconds: after which the test fails.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not reached within {seconds:.0f} s"
        time.sleep(0.02)
