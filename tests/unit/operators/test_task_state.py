"""What Airflow keeps about a task, and what its configuration says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import tenacity
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_imagebuilder.operators import task_state as state
from airflow_imagebuilder.operators.task_state import TaskStore, this_try, was_killed
from airflow_imagebuilder.service.errors import StateStoreError

if TYPE_CHECKING:
    from collections.abc import Callable


class StateStore:
    """A task state store that does not answer the first so many times."""

    def __init__(self, failures: int = 0, error: Exception | None = None) -> None:
        self.failures, self.kept = failures, dict[str, Any]()
        self.error = error or AirflowRuntimeError(ErrorResponse(error=ErrorType.GENERIC_ERROR))

    def _pass(self) -> None:
        if self.failures:
            self.failures -= 1
            raise self.error

    def get(self, key: str) -> Any:
        self._pass()
        return self.kept.get(key)

    def set(self, key: str, value: Any) -> None:
        self._pass()
        self.kept[key] = value


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(state._PATIENTLY, "wait", tenacity.wait_none())


def context(store: StateStore | None = None, **ti: Any) -> Any:
    wanted = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "try_number": 1, **ti}
    return {"ti": SimpleNamespace(**wanted), "task_state_store": store}


# -- the store ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [None, OSError("gone")], ids=["api server", "connection"])
def test_the_store_is_asked_again_where_it_does_not_answer(error: Exception | None) -> None:
    store = TaskStore(context(StateStore(2, error)))
    store.set("key", {"arn": "a"})
    assert store.get("key") == {"arn": "a"}


@pytest.mark.parametrize("try_number", [1, 2])
@pytest.mark.parametrize("ask", [lambda store: store.get("key"), lambda store: store.set("key", 1)])
def test_no_try_continues_without_the_store(ask: Callable[[TaskStore], Any], try_number: int) -> None:
    with pytest.raises(StateStoreError, match="No build was started"):
        ask(TaskStore(context(StateStore(100), try_number=try_number)))


def test_a_fault_of_the_store_that_is_no_outage_is_not_swallowed() -> None:
    with pytest.raises(TypeError):
        TaskStore(context(StateStore(1, TypeError("no JSON")))).set("key", object())


def test_a_context_without_a_store_is_refused() -> None:
    with pytest.raises(StateStoreError, match="task_state_store"):
        TaskStore(context(None)).set("key", 1)


# -- tries -------------------------------------------------------------------------------------------------


def test_a_try_is_known_by_its_task_instances_id() -> None:
    first = this_try(context(id="uuid-1", max_tries=2))
    assert (first.seed, first.epoch) == ("uuid-1", 2)
    assert this_try(context(id="uuid-2")).seed != first.seed


def test_a_try_knows_how_often_tasks_of_its_run_were_cleared() -> None:
    cleared = context()
    cleared["dag_run"] = SimpleNamespace(clear_number=3)
    assert this_try(cleared).clears == 3
    assert this_try(context()).clears is None


def test_a_try_without_an_id_is_known_by_its_place() -> None:
    seeds = [
        this_try(context()).seed,
        this_try(context(try_number=2)).seed,
        this_try(context(map_index=0)).seed,
        this_try(context(run_id="other")).seed,
    ]
    assert len(set(seeds)) == len(seeds)
    assert this_try(context()).seed == seeds[0]


# -- kills -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "killed"),
    [
        ("failed", True),
        ("success", True),
        ("skipped", True),
        ("restarting", True),
        ("removed", True),
        ("running", False),
        ("deferred", False),
        # Airflow missed this worker for too long: it was cut off, and the next try finds the image.
        ("up_for_retry", False),
        ("scheduled", False),
        ("queued", False),
        (None, False),
    ],
)
def test_a_kill_is_told_from_a_stopped_worker_by_the_tasks_state(found: str | None, killed: bool) -> None:
    def states(**_: Any) -> dict[str, dict[str, str | None]]:
        return {"r": {"t": found}}

    assert was_killed(context(get_task_states=states)) is killed


def test_a_task_whose_row_is_gone_was_killed() -> None:
    assert was_killed(context(get_task_states=lambda **_: {})) is True


def test_where_the_state_cannot_be_known_nothing_was_killed() -> None:
    def states(**_: Any) -> Any:
        raise OSError("the supervisor is gone")

    assert was_killed(context(get_task_states=states)) is None
