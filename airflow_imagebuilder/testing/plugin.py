"""
The pytest plugin: ``-p airflow_imagebuilder.testing.plugin`` is the switch for test mode.

It works when it is named before a test or a ``conftest.py`` imports Airflow: in ``addopts`` of pytest's
configuration. It is not an entry point of this package: pytest would load that in every project where the
package is installed, and a plugin that starts test mode must be a choice.

Each worker of pytest-xdist loads it in its own process, and so has an Airflow home and a local Image Builder
of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from airflow_imagebuilder.testing import dag_runs
from airflow_imagebuilder.testing.image_builder import ImageBuilder
from airflow_imagebuilder.testing.mode import FAST, SPEED, TestModeError, start_test_mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_imagebuilder.local.stack.image_builder import LocalService

_end: Callable[[], None] | None = None
_too_late: TestModeError | None = None
try:
    # Now: the next thing that pytest loads is a conftest.py, which may import Airflow.
    _end = start_test_mode()
except TestModeError as error:
    _too_late = error


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of pytest's configuration file."""
    parser.addini("airflow_dags_folder", "folder with Dags, from pytest's rootdir (dags)", default="dags")
    parser.addini("image_builder_speed", "virtual seconds per second (3600)", default=f"{SPEED:g}")
    parser.addini("image_builder_account", "the account of the local Image Builder", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Name the folder of the Dags before a ``conftest.py`` can import Airflow."""
    _name_dags_folder(early_config)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run if test mode could not start."""
    if _too_late is not None:
        raise pytest.UsageError(str(_too_late))
    _name_dags_folder(config)


def pytest_unconfigure() -> None:
    """End test mode: restore the environment and remove the Airflow home."""
    if _end is not None:
        _end()


def _name_dags_folder(config: pytest.Config) -> None:
    folder = config.rootpath / str(config.getini("airflow_dags_folder"))
    if folder.is_dir() and _too_late is None:
        os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder)


@pytest.fixture(scope="session")
def airflow_database() -> Path:
    """An Airflow database of this session, with all tables; the path of its file."""
    from airflow.utils.db import initdb

    from airflow_imagebuilder import compat

    initdb()
    compat.share_execution_api()
    return Path(os.environ["AIRFLOW_HOME"]) / "airflow.db"


@pytest.fixture(scope="session")
def image_builder_service(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalService]:
    """The process of the local Image Builder; tests use ``image_builder``."""
    from airflow_imagebuilder.local.stack.image_builder import LocalService

    account = str(pytestconfig.getini("image_builder_account")) or None
    speed = float(str(pytestconfig.getini("image_builder_speed")))
    home = tmp_path_factory.mktemp("image_builder")
    with LocalService(speed=speed, home=home, account=account) as service:
        yield service


@pytest.fixture
def image_builder(
    image_builder_service: LocalService,
    airflow_database: Path,  # noqa: ARG001  (dag.test() needs it)
    pytestconfig: pytest.Config,
) -> Iterator[ImageBuilder]:
    """A local Image Builder as new, to which boto3 and the connection ``aws_default`` are pointed."""
    service = ImageBuilder(image_builder_service, float(str(pytestconfig.getini("image_builder_speed"))))
    service.reset()
    with patch.dict(os.environ, {**service.env, **FAST}):
        yield service
    service.start_clock()
    if service.complaint:
        pytest.fail(service.complaint, pytrace=False)


@pytest.fixture
def run_dag(image_builder: ImageBuilder) -> Callable[..., dag_runs.Run]:
    """:func:`airflow_imagebuilder.testing.run_dag` against the local Image Builder."""

    def run(*args: object, **kwargs: object) -> dag_runs.Run:
        if image_builder.is_stopped:
            raise ValueError("run_dag: the clock is stopped, so no image finishes; call start_clock() first")
        return dag_runs.run_dag(*args, **kwargs)  # type: ignore[arg-type]

    return run
