"""The Dags of the how-to pages with the pytest plugin of the package, as users run them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.commands import completed

CHECKS = Path(__file__).parent / "how_to"
ONE_FILE = Path(__file__).parents[2] / "docs" / "testing-your-dags" / "one-file" / "test_bake.py"


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_each_dag_does_what_its_page_promises() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        CHECKS / "check.ini",
        "--confcutdir",
        CHECKS,
        CHECKS,
    ]
    done = completed([str(part) for part in command], seconds=580)
    assert done.returncode == 0, done.stdout[-20000:]
    assert "passed" in done.stdout.splitlines()[-1]


@pytest.mark.integration
def test_the_shortest_test_of_a_dag_passes_in_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "test_bake.py").write_text(ONE_FILE.read_text("utf-8"), "utf-8")
    plugin = ["-p", "airflow_imagebuilder.testing.plugin", "-p", "no:cacheprovider"]
    done = completed([sys.executable, "-m", "pytest", *plugin, "test_bake.py"], seconds=180, cwd=tmp_path)
    assert "2 passed" in done.stdout.splitlines()[-1], done.stdout[-12000:]
