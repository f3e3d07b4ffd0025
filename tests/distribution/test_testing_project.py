"""The project of docs/testing-your-dags.md: its tests, in a venv from the wheel."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.distribution.venvs import Installed, run
from tests.support.commands import completed

REPOSITORY = Path(__file__).parents[2]
PROJECT = REPOSITORY / "docs" / "testing-your-dags"
pytestmark = [pytest.mark.dist, pytest.mark.timeout(900), pytest.mark.xdist_group("newest")]


@pytest.fixture(scope="module")
def python(newest: Installed) -> Path:
    """The interpreter of a venv that holds the wheel with its extra, and nothing of this checkout."""
    return newest.venv.python


def environment(home: Path) -> dict[str, str]:
    """A shell of a user with an Airflow and an AWS account of their own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow/airflow.db",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://AKIAIOSFODNN7EXAMPLE:secret@",
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL": "https://imagebuilder.us-east-1.amazonaws.com",
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.parametrize("workers", [2, pytest.param(0, marks=pytest.mark.full)])
def test_the_tests_of_the_project_pass_and_touch_nothing_of_the_user(
    python: Path, project: Path, tmp_path: Path, workers: int
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    chosen = ["-n", workers] if workers else []
    output = run(
        python, "-m", "pytest", "-p", "no:cacheprovider", *chosen, cwd=project, env=environment(home)
    )
    assert re.search(r"\d+ passed", output), output
    assert "failed" not in output.splitlines()[-1]
    assert list(home.rglob("*")) == []


LEAVES = """
import boto3, pytest

def test_without_the_fixture_no_call_leaves() -> None:
    with pytest.raises(Exception, match="use-the-fixture-image_builder"):
        boto3.client("imagebuilder").list_images()

def test_a_client_with_an_endpoint_of_aws_is_refused(image_builder) -> None:
    url = "https://imagebuilder.eu-west-1.amazonaws.com"
    with pytest.raises(Exception, match="was about to call imagebuilder.eu-west-1.amazonaws.com"):
        boto3.client("imagebuilder", endpoint_url=url).list_images()

@pytest.fixture(autouse=True)
def resources() -> None:
    pass
"""


def test_no_request_leaves_to_aws(python: Path, project: Path, tmp_path: Path) -> None:
    (project / "tests" / "test_leaves.py").write_text(LEAVES)
    output = run(
        python, "-m", "pytest", "-q", "tests/test_leaves.py", cwd=project, env=environment(tmp_path / "home")
    )
    assert "2 passed" in output, output


def test_a_project_that_does_not_turn_it_on_is_not_changed(python: Path, tmp_path: Path) -> None:
    test = "import os, sys\n\ndef test_it() -> None:\n"
    test += f"    assert os.environ['AIRFLOW_HOME'] == {str(tmp_path / 'airflow')!r}\n"
    test += "    assert not [name for name in sys.modules if name.startswith('airflow')]\n"
    (tmp_path / "test_plain.py").write_text(test)
    run(python, "-m", "pytest", "-q", "test_plain.py", cwd=tmp_path, env=environment(tmp_path))


def test_a_switch_that_comes_too_late_is_refused(python: Path, project: Path, tmp_path: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (project / "conftest.py").write_text(
        'import airflow.configuration\n\npytest_plugins = ["airflow_imagebuilder.testing.plugin"]\n'
    )
    command = [python, "-m", "pytest", "tests"]
    done = completed(command, seconds=120, env=environment(tmp_path), cwd=project)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Airflow was imported before test mode started" in done.stderr
