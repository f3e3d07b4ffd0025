"""The script that has to pass before a change lands, with stubs for programs: what runs, what ends it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import completed, until

if TYPE_CHECKING:
    import subprocess

REPOSITORY = Path(__file__).parents[2]
MAKE = """#!/bin/sh
grep -q '^SigIgn:.*[2367abef]$' /proc/self/status && echo "deaf $*" >>"$LOG"
passed= what=
for argument in "$@"; do
  case $argument in UNITS_PASSED=*) passed=${argument#*=} ;; *) what="$what $argument" ;; esac
done
what=${what# }
test "$1" != "$SLOW" || trap 'echo "killed $what" >>"$LOG"; exit 1' TERM
echo "begin $what" >>"$LOG"
test "$1" != "$SLOW" || { sleep 60 & wait; }
test "$1" != "$LONG" || sleep 1
tries=0
while test "$what" = "$FAILS" && test -n "$SLOW" && ! grep -q "begin $SLOW" "$LOG" && test $tries -lt 100; do
  sleep 0.1; tries=$((tries + 1))
done
test "$what" != "$FAILS" || { echo "end $what" >>"$LOG"; exit 7; }
test -z "$passed" || touch "$passed"
echo "end $what" >>"$LOG"
"""
NEEDED = {
    "install",
    "lint",
    "types",
    "ui-check",
    "test-docs",
    "test-dist",
    "test",
    "demo",
    "tutorial",
    "test-browser",
    "test-faults",
    "compose-demo",
    "test-compose",
}
"""What must have run before a change lands."""


class Run:
    """A copy of the script, in a folder where every program that it calls is a stub."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        programs = folder / "bin"
        for name, text in {"make": MAKE, "node": "", "npm": "", "chromium": ""}.items():
            self._program(programs / name, text or "#!/bin/sh\n")
        self._program(folder / "tests" / "distributed" / "with-engine.sh", '#!/bin/sh\n"$@"\n')
        (folder / ".ci").mkdir()
        shutil.copy(REPOSITORY / ".ci" / "run", folder / ".ci")

    def _program(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755)

    def __call__(
        self, *, fails: str = "", slow: str = "", long: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """
        Run it.

        :param fails: the arguments of a call of make that fails.
        :param slow: a target that takes a minute.
        :param long: a target that takes a second.
        """
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "LOG": str(self.log), "FAILS": fails, "SLOW": slow, "LONG": long}
        env.pop("PYTHON", None)
        return completed(["bash", self.folder / ".ci" / "run"], seconds=60, env=env)

    @property
    def events(self) -> list[tuple[str, str]]:
        """What make has begun and ended, in this order."""
        return [
            (kind, rest)
            for kind, _, rest in (line.partition(" ") for line in self.log.read_text().splitlines())
        ]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_everything_that_must_hold_is_run_on_the_newest_and_parts_of_it_on_the_oldest_airflow(
    run: Run,
) -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    begun = [rest for kind, rest in run.events if kind == "begin"]
    assert {rest.split()[0] for rest in begun} >= NEEDED
    for target in ("install", "test", "demo"):
        versions = ["AIRFLOW=" in rest for rest in begun if rest.split()[0] == target]
        assert sorted(versions) == [False, True]
    assert "== done" in done.stdout
    assert "deaf" not in {kind for kind, _ in run.events}, "SIGINT is ignored, and tests send it"


@pytest.mark.parametrize("other", ["test", "demo", "test-dist", "compose-build"])
def test_the_faults_have_the_machine_for_themselves(run: Run, other: str) -> None:
    run(long=other)
    names = [rest.split()[0] for _, rest in run.events]
    first = names.index("test-faults")
    assert run.events[first : first + 2] == [("begin", "test-faults"), ("end", "test-faults")]
    open_before = sum(1 if kind == "begin" else -1 for kind, _ in run.events[:first])
    assert open_before == 0


def test_what_needs_the_processors_waits_until_the_unit_tests_have_passed(run: Run) -> None:
    waits = ("test-dist", "install AIRFLOW=", "test AIRFLOW=")
    done = run(fails="test")
    assert done.returncode == 7
    assert [rest for _, rest in run.events if rest.startswith(waits)] == []


def test_two_demos_at_once_have_folders_of_their_own(run: Run) -> None:
    run()
    newest, oldest = sorted((r for k, r in run.events if k == "begin" and r.startswith("demo")), key=len)
    assert ("--state" in newest, "--state" in oldest) == (False, True)


@pytest.mark.parametrize("target", ["lint", "types", "test-dist", "demo", "test-faults"])
def test_what_fails_fails_the_run_and_nothing_that_follows_is_tried(run: Run, target: str) -> None:
    done = run(fails=target)
    assert done.returncode == 7
    assert "== done" not in done.stdout


def test_a_failure_kills_what_runs_beside(run: Run) -> None:
    done = run(fails="lint", slow="types")
    assert done.returncode == 7
    until(lambda: ("killed", "types") in run.events, 10)


def test_images_that_are_not_built_in_the_background_are_left_to_the_demo(run: Run) -> None:
    done = run(fails="compose-build")
    assert done.returncode == 0
    assert "The images were not built in the background" in done.stdout
