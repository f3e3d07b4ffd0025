"""The Makefile explains itself, and the installation behind it always moves."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.commands import completed, until

REPOSITORY = Path(__file__).parents[2]
MAKEFILE = (REPOSITORY / "Makefile").read_text("utf-8")
PHONY = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
assert PHONY
TARGETS = set(PHONY[1].replace("\\\n", " ").split())
INNER = {"node"}
"""Targets that a person has no reason to name: checks of others."""


def make(*arguments: str) -> str:
    done = completed(["make", "-s", *arguments], seconds=60, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(page: str) -> dict[str, str]:
    """Return the text of each target on the page."""
    return dict(re.findall(r"^  make (\S+) +(\S.*)$", page, re.MULTILINE))


def test_make_alone_prints_the_page() -> None:
    assert make() == make("help") != ""


def test_every_target_is_on_the_page_with_a_text() -> None:
    assert set(shown(make())) == TARGETS - {"help"}


def test_the_page_is_aligned_in_groups() -> None:
    page = make()
    columns = {match.end() for match in re.finditer(r"^  make \S+ +", page, re.MULTILINE)}
    starts = {len(line[0]) for line in re.findall(r"^((  make \S+ +))\S", page, re.MULTILINE)}
    assert columns
    assert len(starts) == 1
    assert [line for line in page.splitlines() if line and line[0] != " "] == [
        "Try it",
        "Change it",
        "Longer suites",
        "Written and built files",
        "Variables, before or after the target",
    ]


@pytest.mark.parametrize("variable", ["ARGS", "AIRFLOW", "PYTHON", "ACCOUNT", "REGION", "STAND_INS"])
def test_the_page_names_the_variables(variable: str) -> None:
    assert re.search(rf"^  (\S+ )?{variable}=", make(), re.MULTILINE)


def test_contributing_and_the_page_have_the_same_targets() -> None:
    table = re.findall(
        r"^\| (`make .*?) \|", (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE
    )
    described = {name for cell in table for name in re.findall(r"`make ([a-z-]+)`", cell)}
    assert described == TARGETS - INNER


# -- two commands at once ----------------------------------------------------------------------------------

PYTEST = """#!/bin/sh
case "$*" in
  *--ignore*) name=last ;;
  *test_queues.py|*"not airflow"*) name=first ;;
  *test_take_overs.py) name=second ;;
  *) exit 0 ;;
esac
echo $$ >$name.tmp && mv $name.tmp $name
test "$FAILS" != $name || exit 3
test -z "$FAILS" || exit 0
exec sleep 60
"""
"""A Python that knows some calls of pytest, and takes a minute for each."""

AT_ONCE = {"test": ("first", "last"), "test-faults": ("first", "second", "last")}
"""What a target runs at once: the last one in the foreground."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The Makefile, with a stub for Python and one test file that runs beside the others."""
    for name in ("Makefile", "pyproject.toml", "constraints"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / "tests" / "integration").mkdir(parents=True)
    (tmp_path / "tests" / "integration" / "test_queues.py").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTEST)
    python.chmod(0o755)
    (tmp_path / ".venv" / ".installed").touch()
    (tmp_path / "tmp").mkdir()
    return tmp_path


def started(clone: Path, target: str, fails: str = "") -> subprocess.Popen[bytes]:
    """Begin a target in a session of its own."""
    # make hands its own variables on, also those of a make that runs this test.
    others = ("MAKE", "MFLAGS", "ARGS", "AIRFLOW", "PYTHON", "UNITS_PASSED")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(others)}
    env = {**kept, "TMPDIR": str(clone / "tmp"), "FAILS": fails}
    return subprocess.Popen(
        ["make", "-s", target], cwd=clone, env=env, start_new_session=True, stderr=subprocess.DEVNULL
    )


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("target", AT_ONCE)
def test_an_interruption_ends_what_runs_beside_too(clone: Path, target: str) -> None:
    process = started(clone, target)
    try:
        until(lambda: all((clone / name).exists() for name in AT_ONCE[target]))
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) != 0
        until(lambda: not any(runs(int((clone / name).read_text())) for name in AT_ONCE[target]))
        assert list((clone / "tmp").iterdir()) == []
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("target", AT_ONCE)
@pytest.mark.parametrize("fails", ["none", "first", "second", "last"])
def test_each_command_counts(clone: Path, target: str, fails: str) -> None:
    done = started(clone, target, fails).wait(20)
    assert (done != 0) == (fails in AT_ONCE[target])
    assert all((clone / name).exists() for name in AT_ONCE[target])
    assert list((clone / "tmp").iterdir()) == []


# -- install -----------------------------------------------------------------------------------------------


def load() -> Any:
    spec = importlib.util.spec_from_file_location("install", REPOSITORY / "constraints" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["install"] = module
    spec.loader.exec_module(module)
    return module


install = load()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_no_five_seconds_of_an_installation_pass_without_a_line() -> None:
    out, now = io.StringIO(), [0.0]
    display = install.Display(out, lambda: now[0])
    display.line("install ...")
    while now[0] < 30:
        now[0] += 0.1
        display.moment("install: Resolved 232 packages")
    times = [float(time) for time in re.findall(r"^\[ *([0-9.]+) s\]", out.getvalue(), re.MULTILINE)]
    assert len(times) > 5
    assert max(later - earlier for earlier, later in pairwise([*times, now[0]])) < 5
    assert "s] install: Resolved 232 packages\n" in out.getvalue()


def test_in_a_terminal_each_moment_is_another_picture() -> None:
    out = Terminal()
    display = install.Display(out)
    for _ in range(8):
        display.moment("install")
    assert {picture.strip()[0] for picture in out.getvalue().split("\r\033[K")[1:]} == set(install.FRAMES)


class Seen(Terminal):
    """A terminal that makes a file once it has shown a text."""

    def __init__(self, text: str, file: Path) -> None:
        super().__init__()
        self._text, self._file = text, file

    def write(self, text: str) -> int:
        if self._text in text:
            self._file.touch()
        return super().write(text)


INSTALLER = """
import pathlib, sys, time
print('Resolved\\n + one==1', flush=True)
end = time.monotonic() + 30
while not pathlib.Path(sys.argv[1]).exists() and time.monotonic() < end:
    time.sleep(0.01)
sys.exit(int(sys.argv[2]))
"""


@pytest.mark.parametrize("code", [0, 3])
def test_what_an_installer_printed_last_is_shown_and_all_of_it_is_kept_for_a_failure(
    tmp_path: Path, code: int
) -> None:
    seen = tmp_path / "seen"
    display = install.Display(Seen("install: Resolved", seen))
    failure = install.run(display, "install", [sys.executable, "-c", INSTALLER, str(seen), str(code)])
    assert seen.exists()
    ended = f"Resolved\n + one==1\n\n{sys.executable} ended with exit code {code}"
    assert failure == (None if code == 0 else ended)


def test_an_installer_that_is_killed_without_a_word_has_failed() -> None:
    dies = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    failure = install.run(install.Display(io.StringIO()), "install", [sys.executable, "-c", dies])
    assert failure.strip() == f"{sys.executable} ended with exit code -9"


def test_a_program_that_is_not_there_is_a_failure() -> None:
    assert "nowhere" in install.run(install.Display(io.StringIO()), "install", ["/nowhere/uv"])


def test_where_uv_fails_pip_installs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[list[str]] = []

    def run(_display: object, what: str, command: list[str], _env: object = None) -> str | None:
        ran.append(command)
        return "no such option" if what.startswith("install with uv") else None

    monkeypatch.setattr(install, "run", run)
    monkeypatch.setattr(install, "index_of", lambda _: "")
    out = io.StringIO()
    assert install.fill(install.Display(out), tmp_path / "venv", Path("c.txt"), "dev") is None
    assert ran[-1][1:] == [
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "-c",
        "c.txt",
        "-e",
        ".[dev]",
    ]
    assert "pip takes some minutes. Its reason: no such option" in out.getvalue()
