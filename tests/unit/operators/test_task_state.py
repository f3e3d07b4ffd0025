"""What Airflow keeps about a task between its tries, and whether the task was killed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import tenacity
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_imagebuilder.operators.waiting import task_state as state
from airflow_imagebuilder.operators.waiting.task_state import TaskStore, this_try, was_killed
from airflow_imagebuilder.service.errors import StateStoreError
from tests.support.task import GONE, FakeStateStore, FakeTask

if TYPE_CHECKING:
    from collections.abc import Callable


def failing_store(times: int = 0, error: Exception | None = None) -> FakeStateStore:
    """Return a task state store that does not answer the first calls."""
    store = FakeStateStore()
    error = error or AirflowRuntimeError(ErrorResponse(error=ErrorType.GENERIC_ERROR))
    for method in ("get", "set"):
        store.before(method, error, times=times)
    return store


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(state._PATIENTLY, "wait", tenacity.wait_none())


def context(store: FakeStateStore | None = None, **ti: Any) -> Any:
    return {**FakeTask(**{"id": None, **ti}).context, "task_state_store": store}


# -- the store -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [None, OSError("gone")], ids=["api server", "connection"])
def test_a_store_that_does_not_answer_is_asked_again(error: Exception | None) -> None:
    store = TaskStore(context(failing_store(2, error)))
    store.set("key", {"arn": "a"})
    assert store.get("key") == {"arn": "a"}


@pytest.mark.parametrize("try_number", [1, 2])
@pytest.mark.parametrize("ask", [lambda store: store.get("key"), lambda store: store.set("key", 1)])
def test_no_try_continues_without_the_store(ask: Callable[[TaskStore], Any], try_number: int) -> None:
    with pytest.raises(StateStoreError, match="This try started no build"):
        ask(TaskStore(context(failing_store(100), try_number=try_number)))


def test_only_an_outage_of_the_store_is_retried() -> None:
    with pytest.raises(TypeError):
        TaskStore(context(failing_store(1, TypeError("no JSON")))).set("key", object())


def test_a_context_without_a_store_is_refused() -> None:
    with pytest.raises(StateStoreError, match="no connection to Airflow"):
        TaskStore(context(None)).set("key", 1)


# -- tries -----------------------------------------------------------------------------------------------


def test_the_id_of_the_task_instance_identifies_a_try() -> None:
    first = this_try(context(id="uuid-1", max_tries=2))
    assert (first.seed, first.epoch) == ("uuid-1", 2)
    assert this_try(context(id="uuid-2")).seed != first.seed


def test_a_try_knows_how_often_tasks_of_its_run_were_cleared() -> None:
    cleared = context()
    cleared["dag_run"] = SimpleNamespace(clear_number=3)
    assert this_try(cleared).clears == 3
    assert this_try(context()).clears is None


def test_a_try_without_an_id_is_identified_by_dag_run_task_and_number() -> None:
    seeds = [
        this_try(context()).seed,
        this_try(context(try_number=2)).seed,
        this_try(context(map_index=0)).seed,
        this_try(context(run_id="other")).seed,
    ]
    assert len(set(seeds)) == len(seeds)
    assert this_try(context()).seed == seeds[0]


# -- kills -----------------------------------------------------------------------------------------------


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
        # Airflow missed the heartbeats of this worker: it was cut off, and the next try finds the image.
        ("up_for_retry", False),
        ("scheduled", False),
        ("queued", False),
        (None, False),
    ],
)
def test_the_tasks_state_distinguishes_a_kill_from_a_stopped_worker(found: str | None, killed: bool) -> None:
    assert was_killed(FakeTask(found).context) is killed


def test_a_task_whose_row_is_gone_was_killed() -> None:
    assert was_killed(FakeTask(GONE).context) is True


def test_without_an_answer_it_is_not_known_whether_the_task_was_killed() -> None:
    task = FakeTask("failed")
    task.ti.trouble = OSError("the supervisor is gone")
    assert was_killed(task.context) is None
