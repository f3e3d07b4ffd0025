"""One Airflow and one local Image Builder for the whole fault suite, and the table at its end."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.image_builder import LocalService
from tests.faults.report import Report
from tests.faults.scene import (
    ENDLESS,
    KILL_POINTS,
    SECONDS_OF_ENDLESS,
    SPEED,
    Scene,
    add_pipeline,
    pipeline_of,
)
from tests.faults.throttling import CASES, suffer

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
RUNS, RUNS_FULL = 2, 20
"""Runs per kill point, in the short form and with ``--full``."""

SETTINGS = {
    "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    # Seconds until Airflow takes a silent scheduler or worker for dead; the defaults are some minutes.
    # No shorter: a scheduler that a busy machine keeps waiting would be taken for dead, too.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "60",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    # Images take seconds here, not an hour.
    "IMAGEBUILDER__POLL_INTERVAL": "2",
    # A busy scheduler can fail a task that resumes before it has noticed that the task deferred.
    "IMAGEBUILDER__FIRST_LOOK": "10",
}

_report = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the table that the tests fill."""
    config.stash[_report] = Report()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, and write the figures for ``make matrix``."""
    report = config.stash[_report]
    if path := config.getoption("--figures"):
        path.write_text(json.dumps(report.figures), "utf-8")
    if report.rows:
        terminalreporter.section("faults: what was injected, and what came out")
        for line in report.lines():
            terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the suite, and set the timeout that real servers need on a busy machine."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.timeout(1200))
            if needs_airflow(item):
                item.add_marker(pytest.mark.airflow)


def needs_airflow(item: pytest.Item) -> bool:
    """Return whether a test needs a real Airflow."""
    return "scene" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def runs(pytestconfig: pytest.Config) -> int:
    """How many runs each kill point gets."""
    wanted: int | None = pytestconfig.getoption("--runs")
    return wanted or (RUNS_FULL if pytestconfig.getoption("--full") else RUNS)


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Report:
    """The table at the end of the suite."""
    return pytestconfig.stash[_report]


@pytest.fixture(autouse=True)
def throttled_first(request: pytest.FixtureRequest) -> None:
    """Start the throttled waits before the first test without an Airflow."""
    if not needs_airflow(request.node):
        request.getfixturevalue("throttled")


@pytest.fixture(scope="session")
def throttled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Future[dict[str, dict[str, int]]]]]:
    """The throttled waits, if the session has their test: they mostly sleep."""
    wanted = any(item.path.name == "test_throttling.py" for item in request.session.items)
    cases = CASES if wanted else ()
    with ThreadPoolExecutor(len(CASES)) as pool:
        yield [pool.submit(suffer, case, tmp_path_factory.mktemp("throttled")) for case in cases]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A local Image Builder that keeps its state through a SIGKILL."""
    home = tmp_path_factory.mktemp("imagebuilder")
    with LocalService(speed=SPEED, state=home / "state.jsonl", home=home) as service:
        _add_endless_workflow(service)
        add_pipeline(service, "endless", "build/endless")
        add_pipeline(service, "repaired", "build/golden-build", "test/boot", "test/cis-level-1")
        for point, mode in product(KILL_POINTS, ("deferred", "on_worker")):
            add_pipeline(service, pipeline_of(point, mode))
        yield service


def _add_endless_workflow(service: LocalService) -> None:
    """Register a build workflow that takes half an hour of real time."""
    steps = f"steps:{ENDLESS}\n"
    service.client("imagebuilder").create_workflow(
        name="endless",
        semanticVersion="1.0.0",
        type="BUILD",
        data=f"name: endless\nschemaVersion: 1.0\n{steps}",
    )
    service.control(workflows={"endless": SECONDS_OF_ENDLESS})


@pytest.fixture(scope="session")
def scene(service: LocalService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An Airflow whose AWS is the local service."""
    env = {**service.env, **{f"AIRFLOW__{name}": value for name, value in SETTINGS.items()}}
    home = tmp_path_factory.mktemp("airflow")
    with AirflowStack(home, HERE / "dags", env, parallelism=16) as airflow:
        yield Scene(airflow, service)
