"""What the tests of this folder share: the wheel, and two venvs that hold it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.distribution.venvs import (
    CONSTRAINTS,
    NEWEST,
    OLDEST,
    REPOSITORY,
    UV,
    Installed,
    index,
    installed,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    if UV.exists():
        env = {**os.environ, **index()}
        run(UV, "build", "-q", "--wheel", "-b", CONSTRAINTS[NEWEST], "--out-dir", folder, REPOSITORY, env=env)
    else:
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder, REPOSITORY)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def oldest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The wheel on the oldest Airflow, with the extra ``local`` at the end."""
    folder = tmp_path_factory.mktemp("oldest")
    yield installed(folder, wheel, OLDEST, "[local]")
    shutil.rmtree(folder)  # an Airflow is large


@pytest.fixture(scope="session")
def newest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The wheel on the newest Airflow, with the extra ``testing`` at the end."""
    folder = tmp_path_factory.mktemp("newest")
    yield installed(folder, wheel, NEWEST, "[testing]", "pytest-xdist")
    shutil.rmtree(folder)
