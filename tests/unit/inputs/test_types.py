"""What a type checker sees in a Dag file, before Airflow does."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.bases.sensor import BaseSensorOperator

from airflow_imagebuilder.compat import HAS_RETRY_POLICY
from airflow_imagebuilder.operators.arguments.keywords import GuardArguments, SensorArguments, TaskArguments

ROOT = Path(__file__).parents[3]
FILES = Path(__file__).with_name("types")
ERROR = re.compile(r"^.*\bbad\.py:(\d+): error: .*\[([\w-]+)\]$", re.MULTILINE)
# What a Dag author copies; all of them are checked as the author's own type checker would.
SHOWN = ("dags", "docs/how-to/dags", "docs/examples", "docs/testing-your-dags")
NEWER = {"retry_policy", "render_template_as_native_obj"}
"""Arguments of Airflow 3.3 that an older one does not have."""


def checked(*paths: Path) -> str:
    """Return what mypy says about files."""
    # The cache of `make types` makes this quick.
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", *map(str, paths)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not found.stderr, found.stderr
    return found.stdout


def expected() -> list[tuple[str, str]]:
    lines = (FILES / "bad.txt").read_text("utf-8").splitlines()
    codes = ((number, re.search(r"\)  # ([\w-]+)$", line)) for number, line in enumerate(lines, start=1))
    return [(str(number), code[1]) for number, code in codes if code]


@pytest.mark.skipif(not HAS_RETRY_POLICY, reason="types are checked against the newest Airflow")
@pytest.mark.timeout(600)
def test_a_type_checker_refuses_what_is_misspelt_and_nothing_else(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"  # `make types` checks the files of the repository
    bad.write_text((FILES / "bad.txt").read_text("utf-8"), "utf-8")
    said = checked(FILES / "good.py", bad)
    assert ERROR.findall(said) == expected()
    assert f"Found {len(expected())} errors in 1 file" in said


@pytest.mark.skipif(not HAS_RETRY_POLICY, reason="types are checked against the newest Airflow")
@pytest.mark.timeout(600)
def test_the_dags_that_are_shown_are_clean() -> None:
    files = [one for folder in SHOWN for one in (ROOT / folder).rglob("*.py")]
    dags = [one for one in files if not one.name.startswith(("test_", "conftest"))]
    assert dags
    # Where a Dag ignores an error that these types do not have, it is still right.
    lines = checked(*dags).splitlines()
    assert [line for line in lines if " error: " in line and "[unused-ignore]" not in line] == []


def parameters_of(cls: type) -> set[str]:
    return set(inspect.signature(cls.__init__).parameters) - {"self", "kwargs", "args"}  # type: ignore[misc]


def test_the_arguments_of_tasks_are_those_of_airflow() -> None:
    taken, airflows = set(TaskArguments.__annotations__), parameters_of(BaseOperator)
    assert airflows <= taken
    assert taken - airflows <= (set() if HAS_RETRY_POLICY else NEWER)


def test_the_arguments_of_the_sensor_are_those_of_airflow() -> None:
    assert parameters_of(BaseSensorOperator) <= set(SensorArguments.__annotations__)


def test_what_the_group_decides_is_not_among_the_arguments_of_its_guard() -> None:
    left = set(TaskArguments.__annotations__) - set(GuardArguments.__annotations__)
    assert left == {
        "dag",
        "default_args",
        "do_xcom_push",
        "map_index_template",
        "multiple_outputs",
        "outlets",
        "task_display_name",
        "task_group",
        "task_id",
        "trigger_rule",
    }
