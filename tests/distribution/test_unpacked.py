"""The source distribution, unpacked: it tests, documents and builds itself."""

from __future__ import annotations

import os
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.distribution.venvs import CONSTRAINTS, NEWEST, REPOSITORY, UV, index, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.dist, pytest.mark.timeout(600), pytest.mark.xdist_group("sdist")]
TESTS = "tests/unit/test_distribution.py tests/unit/service/results tests/unit/testing/test_page.py"
EPOCH = {"SOURCE_DATE_EPOCH": "1790000000"}


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    """The environment of a person who has unpacked it, with the packages that this machine has already."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_"))}
    return {**kept, **index(), **EPOCH, "PYTHON": sys.executable}


@pytest.fixture(scope="module")
def sdist(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both distributions of this checkout."""
    if not UV.exists():
        pytest.skip("`make dist` needs uv, and pip could not install it")
    out = tmp_path_factory.mktemp("dist")
    run(
        UV,
        "build",
        "-q",
        "--no-create-gitignore",
        "-b",
        CONSTRAINTS[NEWEST],
        "--out-dir",
        out,
        REPOSITORY,
        env=env,
    )
    return out


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, elsewhere."""
    (path,) = sdist.glob("*.tar.gz")
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


def test_it_tests_itself(unpacked: Path, env: dict[str, str]) -> None:
    printed = run("make", "test", f"ARGS=-q {TESTS}", env=env, cwd=unpacked)
    assert " passed" in printed
    assert not [line for line in printed.splitlines() if " failed" in line]


def test_it_documents_itself(unpacked: Path, env: dict[str, str]) -> None:
    printed = run("make", "docs", env=env, cwd=unpacked)
    assert "build/docs/index.html" in printed
    assert (unpacked / "build" / "docs" / "index.html").is_file()


def test_it_builds_the_same_distributions(sdist: Path, unpacked: Path, env: dict[str, str]) -> None:
    run("make", "dist", env=env, cwd=unpacked)
    made = {path.name: path.read_bytes() for path in (unpacked / "dist").iterdir()}
    assert made == {path.name: path.read_bytes() for path in sdist.iterdir()}
