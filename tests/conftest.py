"""The environment of every test: an Airflow home of its own, and no AWS account within reach."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

_HOME = Path(tempfile.mkdtemp(prefix="airflow-imagebuilder-tests-"))
_REPOSITORY = Path(__file__).parents[1]


def _isolate() -> None:
    """Set the environment. Airflow reads it when it is first imported, so a fixture would be too late."""
    # The Compose file builds on AIRFLOW_IMAGE; Airflow does not read it.
    foreign = [name for name in os.environ if name.startswith(("AIRFLOW", "AWS_"))]
    for name in [name for name in foreign if name != "AIRFLOW_IMAGE"]:
        del os.environ[name]
    os.environ.update(
        {
            "AIRFLOW_HOME": str(_HOME),
            "AIRFLOW__CORE__DAGS_FOLDER": str(_REPOSITORY / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )


_isolate()


def pytest_unconfigure() -> None:
    """Remove the Airflow home."""
    shutil.rmtree(_HOME, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--full``, the long form of the fault suites, and what ``make matrix`` asks for."""
    parser.addoption("--runs", type=int, help="runs per kill point of the fault suite")
    parser.addoption("--figures", type=Path, help="file for the figures of the fault suite, as JSON")
    parser.addoption(
        "--full", action="store_true", help="repeat and widen the fault suites, as before a release"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Run the unit tests before the integration tests; leave ``full`` tests out of the short form.

    In several processes the integration tests run first: a long one that begins last would be waited for.
    """
    one_of_several = hasattr(config, "workerinput")  # set by pytest-xdist
    items.sort(key=lambda item: (item.get_closest_marker("integration") is not None) != one_of_several)
    if not config.getoption("--full"):
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Create the database of the Airflow home, for tests that call ``dag.test()``."""
    from airflow.utils.db import initdb

    initdb()
