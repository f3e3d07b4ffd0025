"""The demo as a user starts it: its exit codes, and that it leaves no process behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from airflow_imagebuilder.local.stack.processes import session_members

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

DAGS = Path(__file__).parent / "dags"


class Demo:
    """A demo in a session of its own, as a terminal runs it."""

    def __init__(self, state: Path, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            "airflow_imagebuilder.local.demo",
            "--state",
            str(state),
            *options,
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.sessions = {self.process.pid}
        self.printed = ""

    def until(self, text: str) -> None:
        """Read its output until a line contains ``text``."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line
            if text in line:
                break
        else:
            pytest.fail(f"the demo exited without {text!r}:\n{self.printed}")
        self.sessions |= {child.pid for child in psutil.Process(self.process.pid).children()}

    def end(self, seconds: float = 120) -> int:
        """Wait until it exits and return its exit code."""
        rest, _ = self.process.communicate(timeout=seconds)
        self.printed += rest
        return self.process.returncode

    def left(self) -> list[int]:
        """Return the processes that it started and that still run."""
        return [pid for session in self.sessions for pid in session_members(session)]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path, "--dags", str(DAGS), "--dag-id", "stack_probe")
    yield running
    running.process.kill()
    running.process.communicate()


def test_a_failing_dag_ends_the_demo_with_its_log_and_nothing_left(demo: Demo) -> None:
    demo.until("bake ...")
    assert demo.end() == 1
    assert re.search(r"Dag run \S+ ended failed", demo.printed)
    assert "Log of task say, try 1" in demo.printed
    assert "KeyError: 'say'" in demo.printed
    assert demo.left() == []
    # It promises five, and a busy machine may be late.
    times = [float(time) for time in re.findall(r"^\[ *([0-9.]+) s\]", demo.printed, re.MULTILINE)]
    assert max(later - earlier for earlier, later in pairwise(times)) < 10, demo.printed


@pytest.mark.parametrize("moment", ["database and local service ...", "Airflow ..."])
def test_ctrl_c_ends_the_demo_and_leaves_nothing(demo: Demo, moment: str) -> None:
    demo.until(moment)
    os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.end() == 130
    assert "everything is stopped" in demo.printed
    assert demo.left() == []


def test_a_second_demo_in_the_same_folder_is_refused(demo: Demo, tmp_path: Path) -> None:
    demo.until("Airflow ...")
    second = Demo(tmp_path)
    assert second.end() == 1
    assert "another demo runs in" in second.printed
    assert demo.process.poll() is None
