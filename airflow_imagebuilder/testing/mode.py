"""Test mode: what must be set before Airflow is imported, so that tests touch nothing of the user's."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from airflow_imagebuilder.testing.network import DOMAINS, without_aws

if TYPE_CHECKING:
    from collections.abc import Callable

SPEED = 3600.0
"""Virtual seconds per second: a build of an hour takes a second."""

FAST = {
    "AIRFLOW__IMAGEBUILDER__POLL_INTERVAL": "0.2",
    "AIRFLOW__IMAGEBUILDER__FIRST_LOOK": "0",
}
"""Polls that suit builds of a second. Not for production: a task must not resume in its first seconds."""

NOT_STARTED = "http://127.0.0.1:9/use-the-fixture-image_builder"
"""The endpoint of AWS in a test without the local service: a port that refuses, in words for the message."""

_FOREIGN = ("AIRFLOW", "_AIRFLOW", "AWS_")


class TestModeError(RuntimeError):
    """Test mode was started too late."""

    __test__ = False  # for pytest


def start_test_mode() -> Callable[[], None]:
    """
    Give this process an Airflow of its own in a temporary folder, and no way to an AWS account.

    All variables of Airflow and AWS are removed from the environment, those of connections and Airflow
    Variables too: a test sets what it needs. Airflow's own unit-test mode stays off; it is made for Airflow's
    own tests and loads example Dags.

    :raises TestModeError: Airflow has been imported already and has read another home.
    :return: a function that restores the environment and removes the folder.
    """
    if "airflow.configuration" in sys.modules or "airflow.sdk.configuration" in sys.modules:
        raise TestModeError(
            "Airflow was imported before test mode started, so tests could write to the database of "
            f"{os.environ.get('AIRFLOW_HOME', '~/airflow')}. Start it first: put "
            "'-p airflow_imagebuilder.testing.plugin' into \"addopts\" of pytest's configuration."
        )
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="airflow-imagebuilder-tests-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        stack.enter_context(patch.dict(os.environ))
        for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
            del os.environ[name]
        os.environ.update(_environment(home))
        stack.enter_context(without_aws())
        return stack.pop_all().close
    raise AssertionError  # for mypy: an ExitStack may swallow an error


def _environment(home: Path) -> dict[str, str]:
    (home / "dags").mkdir()
    direct = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    # With a proxy, the name of an endpoint would be resolved by the proxy, where nothing refuses it.
    no_proxy = ",".join(filter(None, (direct, "127.0.0.1", "localhost", *(f".{d}" for d in DOMAINS))))
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        # The default asks the resolver for a full name, which takes seconds if no resolver answers.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AWS_ENDPOINT_URL": NOT_STARTED,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        **FAST,
    }
