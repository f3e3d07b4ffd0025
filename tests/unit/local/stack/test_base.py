"""The start and stop of a stack: no server stays behind, and messages hold the log."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.local.stack.base import Stack, StackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Servers(Stack):
    """A stack of one server, whose readiness the test decides."""

    code = "import time; time.sleep(600)"
    failure: BaseException | None = None

    def _launch_all(self) -> None:
        self._launch("the server", [sys.executable, "-c", self.code], os.environ)
        if self.failure:
            raise self.failure

    def wait_ready(self) -> None:
        self._await(lambda: False, "the server is not ready")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    stack = Servers(tmp_path / "home", start_seconds=0)
    yield stack
    stack.stop()


def test_a_start_that_takes_too_long_names_the_logs_and_leaves_nothing(servers: Servers) -> None:
    with pytest.raises(StackError, match=r"the server is not ready after 0 s; see the logs in .*/home/logs"):
        servers.start()
    assert servers.pids == {}


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), StackError("broken")], ids=["Ctrl-C", "error"])
def test_a_start_that_is_interrupted_leaves_nothing(servers: Servers, failure: BaseException) -> None:
    servers.failure = failure
    with pytest.raises(type(failure)):
        servers.start()
    assert servers.pids == {}


def test_a_server_that_stops_during_the_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    servers = Servers(tmp_path, start_seconds=30)
    servers.code = "import sys; sys.exit('no such database')"
    with pytest.raises(
        StackError, match=r"the server ended with 1; .*the-server\.log ends:\nno such database"
    ):
        servers.start()


def test_without_waiting_the_server_runs_and_stops_once(servers: Servers) -> None:
    servers.start(wait=False)
    assert list(servers.pids) == ["the server"]
    assert servers.dead() is None
    with pytest.raises(ValueError, match="the server runs already, as process"):
        servers.start(wait=False)
    assert servers.pids == {}
    servers.stop()


def test_a_with_block_does_not_start_again_what_runs(servers: Servers) -> None:
    servers.start(wait=False)
    pids = servers.pids
    with servers as entered:
        assert entered.pids == pids
    assert servers.pids == {}
