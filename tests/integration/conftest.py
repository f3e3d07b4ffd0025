"""Real servers for the integration tests: one local service and one Airflow per session, shared by all."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.image_builder import LocalService

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_imagebuilder.local.stack.airflow_client import AirflowApi

REPOSITORY = Path(__file__).parents[2]
DAGS = (REPOSITORY / "dags", REPOSITORY / "docs" / "how-to" / "dags", Path(__file__).parent / "dags")
SPEED = 600


@dataclass(frozen=True)
class DagRun:
    """A run that a test has started."""

    api: AirflowApi
    dag_id: str
    run_id: str

    def wait(self, seconds: float = 120) -> str:
        """Wait until it has ended and return its state."""
        state: str = self.api.wait_for_run(self.dag_id, self.run_id, seconds)["state"]
        return state

    def wait_for(
        self, task_id: str, *states: str, seconds: float = 60, map_index: int = -1
    ) -> dict[str, Any]:
        """Wait until a task instance is in one of the states and return it."""
        return self.api.wait_for_task(
            self.dag_id, self.run_id, task_id, states, seconds=seconds, map_index=map_index
        )

    def states(self) -> dict[str, str | None]:
        """Return the state of each task instance, a mapped one as ``task_id[map_index]``."""
        return self.api.states(self.dag_id, self.run_id)

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return the value of an XCom."""
        return self.api.xcom(self.dag_id, self.run_id, task_id, key, map_index)

    def log(self, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return the log of one try."""
        return self.api.task_log(self.dag_id, self.run_id, task_id, try_number, map_index)


class RunDag(Protocol):
    """Starts a run of a Dag of ``dags/`` or ``tests/integration/dags/``."""

    def __call__(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> DagRun: ...


@pytest.fixture(scope="session")
def local_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A local Image Builder, 600 times as fast as AWS."""
    with LocalService(speed=SPEED, home=tmp_path_factory.mktemp("imagebuilder")) as service:
        yield service


@pytest.fixture(scope="session")
def airflow(local_service: LocalService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """An Airflow whose AWS is the local service."""
    home = tmp_path_factory.mktemp("airflow")
    watch = {
        "AIRFLOW__IMAGEBUILDER__POLL_INTERVAL": "1",
        # Images take seconds here, and a busy scheduler can fail a task that resumes before it has noticed
        # that the task deferred.
        "AIRFLOW__IMAGEBUILDER__FIRST_LOOK": "10",
    }
    env = {**local_service.env, **watch}
    with AirflowStack(home, DAGS, env) as stack:
        yield stack


@pytest.fixture(scope="session")
def records(airflow: AirflowStack, local_service: LocalService) -> Iterator[Future[dict[str, Any]]]:
    """The run of test_build_record.py and what was seen of it, in a thread."""
    from tests.integration.records import play

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(play, airflow, local_service)


@pytest.fixture(scope="session", autouse=True)
def records_first(request: pytest.FixtureRequest) -> None:
    """Begin that run before the first test, if the session has its tests."""
    if any(item.path.name == "test_build_record.py" for item in request.session.items):
        request.getfixturevalue("records")


@pytest.fixture
def api(airflow: AirflowStack) -> AirflowApi:
    """The REST API of the shared Airflow."""
    return airflow.api


@pytest.fixture
def run_dag(api: AirflowApi) -> RunDag:
    """Start runs: ``run_dag("golden_image", {"recipe": "..."})``."""

    def start(dag_id: str, conf: Mapping[str, Any] | None = None) -> DagRun:
        api.wait_for_dag(dag_id)
        api.unpause(dag_id)
        return DagRun(api, dag_id, api.trigger(dag_id, conf))

    return start
