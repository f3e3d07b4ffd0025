"""Before Airflow 3.3 Variables keep what outlives a try: what is stored, found, ignored and removed."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_imagebuilder.compat import older_store, stores_in_variables
from airflow_imagebuilder.operators.waiting import task_state as state
from airflow_imagebuilder.operators.waiting.task_state import TaskStore, forget
from airflow_imagebuilder.service.errors import StateStoreError
from airflow_imagebuilder.service.submission.record import (
    GUARD_KEY,
    RECORD_KEY,
    GuardRecord,
    SubmissionRecord,
)
from airflow_imagebuilder.variable_store import PREFIX, VariableStore
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import create
from tests.support.task import FakeTask

API_ERROR = AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))


class Variables:
    """Airflow's Variables, as a task's supervisor reads and writes them."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.error: Exception | None = None
        self.asked: list[str] = []

    def send(self, question: Any) -> Any:
        kind = type(question).__name__
        self.asked.append(kind)
        if self.error:
            raise self.error
        if kind == "PutVariable":
            self.kept[question.key] = question
            return None
        if kind == "DeleteVariable":
            return self.kept.pop(question.key, None)
        if question.key in self.kept:
            return SimpleNamespace(value=self.kept[question.key].value)
        missing = ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
        if len(self.asked) % 2:  # Airflow answers in both ways
            raise AirflowRuntimeError(missing)
        return missing


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    found = Variables()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", found, raising=False)
    monkeypatch.setitem(state._PATIENTLY, "wait", tenacity.wait_none())
    return found


def older(**ti: Any) -> Any:
    """Return a context without a task state store."""
    context = FakeTask(**ti).context
    del context["task_state_store"]
    return context


def test_a_value_comes_back_as_it_was_stored(variables: Variables) -> None:
    store, value = VariableStore(FakeTask().ti), {"arn": "a", "sent": [1, None]}
    assert (store.get("key"), store.get("key")) == (None, None)
    store.set("key", value)
    assert (store.get("key"), store.get("other")) == (value, None)
    store.delete("key")
    assert variables.kept == {}


def test_a_variable_says_whose_it_is(variables: Variables) -> None:
    VariableStore(FakeTask(task_id="bake", map_index=3).ti).set("key", 1)
    ((name, put),) = variables.kept.items()
    assert name.startswith(PREFIX)
    assert len(name) <= 250
    owner = {"dag_id": "d", "run_id": "r", "task_id": "bake", "map_index": 3}
    assert json.loads(put.description) == owner


def test_each_task_of_each_run_has_its_own(variables: Variables) -> None:
    others: list[dict[str, Any]] = [
        {},
        {"map_index": 0},
        {"task_id": "t2"},
        {"run_id": "r2"},
        {"dag_id": "d2"},
    ]
    for member in others:
        VariableStore(FakeTask(**member).ti).set("key", member)
    VariableStore(FakeTask().ti).set("other key", 0)
    assert len(variables.kept) == len(others) + 1
    assert [VariableStore(FakeTask(**m).ti).get("key") for m in others] == others
    assert VariableStore(FakeTask(task_id="image", map_index=2).ti, "t").get("key") == {}


def test_a_value_that_was_not_stored_is_an_error(variables: Variables) -> None:
    variables.error = API_ERROR
    with pytest.raises(StateStoreError, match="This try started no build"):
        TaskStore(older()).set("key", 1)
    assert variables.asked == ["PutVariable"] * 4, "repeated first"


def test_a_new_try_finds_what_the_first_one_stored(variables: Variables) -> None:
    TaskStore(older()).set("key", 1)
    assert TaskStore(older(try_number=2)).get("key") == 1
    assert TaskStore(older(), written=True).get("key") == 1, "the first try, when it resumes"


def test_a_value_that_is_not_there_is_asked_for_once(variables: Variables) -> None:
    # Airflow 3.0 and 3.1 log each such question as an error.
    assert TaskStore(older(try_number=2)).get("key") is None
    assert variables.asked == ["GetVariable"]
    assert TaskStore(older()).get("key") is None
    assert variables.asked == ["GetVariable"], "a first try asks nothing"


def test_a_first_try_ignores_the_variable_of_a_deleted_run_with_the_same_id(variables: Variables) -> None:
    TaskStore(older()).set("key", "the deleted run's")
    store = TaskStore(older())
    assert store.get("key") is None
    store.set("key", "this run's")
    assert store.get("key") == "this run's"


STARTED = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
RUN = SimpleNamespace(start_date=STARTED, clear_number=1)


@pytest.mark.parametrize(
    ("clears", "after", "found"),
    [
        (1, 60.0, True),
        (1, -60.0, True),  # the clocks of a worker and a scheduler differ
        (1, -600.0, False),  # a deleted run's
        (0, -600.0, True),  # from before the clear, which renewed the start of the run
        (2, 60.0, False),  # a deleted run's, which had been cleared more often
    ],
)
def test_a_later_try_ignores_the_variable_of_a_deleted_run(
    clears: int, after: float, found: bool, variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_imagebuilder.variable_store.time.time", lambda: STARTED.timestamp() + after)
    context = older()
    context["dag_run"] = SimpleNamespace(start_date=STARTED, clear_number=clears)
    TaskStore(context).set("key", "a record")
    second = older(try_number=2)
    second["dag_run"] = RUN
    assert TaskStore(second).get("key") == ("a record" if found else None)


def test_after_an_upgrade_to_airflow_3_3_a_new_try_finds_the_variable(variables: Variables) -> None:
    TaskStore(older()).set("key", 1)
    assert TaskStore(FakeTask(try_number=2).context).get("key") == 1
    assert TaskStore(FakeTask().context).get("key") is None
    upgraded = FakeTask(try_number=2)
    TaskStore(upgraded.context).set("key", 2)
    assert (upgraded.store.get("key"), TaskStore(upgraded.context).get("key")) == (2, 2)


def test_outside_of_a_running_task_there_is_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(task_runner, "SUPERVISOR_COMMS", raising=False)
    assert older_store(FakeTask().context) is None
    with pytest.raises(StateStoreError, match="no connection to Airflow"):
        TaskStore(older()).set("key", 1)


# -- what a success removes --------------------------------------------------------------------------------


def kept_after(variables: Variables, task: Any, submitted: str | None = "image A") -> list[str]:
    """Store the records of a submitter and of a guard, let one of them succeed; return whose are left."""
    submitter, guard = FakeTask(task_id="create_image").ti, FakeTask(task_id="image").ti
    VariableStore(submitter).set(RECORD_KEY, {"arn": submitted})
    VariableStore(guard).set(GUARD_KEY, {"arn": "image A"})
    own = guard if hasattr(task, "submitter") else submitter
    task.record_kind = GuardRecord if own is guard else SubmissionRecord
    forget({"ti": own, "task": task})  # type: ignore[typeddict-item]
    return sorted(json.loads(put.description)["task_id"] for put in variables.kept.values())


def test_the_success_of_a_waiting_submitter_removes_its_variable(variables: Variables) -> None:
    assert kept_after(variables, SimpleNamespace(wait_for_completion=True)) == ["image"]


def test_a_submitter_that_does_not_wait_keeps_its_variable(variables: Variables) -> None:
    assert kept_after(variables, SimpleNamespace(wait_for_completion=False)) == ["create_image", "image"]


def test_the_success_of_a_guard_removes_the_variables_of_both(variables: Variables) -> None:
    assert kept_after(variables, SimpleNamespace(submitter="create_image")) == []
    assert kept_after(variables, SimpleNamespace(submitter=None)) == ["create_image"]


@pytest.mark.parametrize("submitted", ["image B", None], ids=["another image", "a token without an image"])
def test_the_success_of_a_guard_spares_the_record_of_another_image(
    submitted: str | None, variables: Variables
) -> None:
    assert kept_after(variables, SimpleNamespace(submitter="create_image"), submitted) == ["create_image"]


def test_a_variable_that_cannot_be_removed_is_logged(
    variables: Variables, caplog: pytest.LogCaptureFixture
) -> None:
    variables.error = API_ERROR
    forget({"ti": FakeTask().ti, "task": create(FakeImageBuilder("BUILDING"))})  # type: ignore[typeddict-item]
    assert "Could not remove Variable imagebuilder-" in caplog.text


def test_only_an_airflow_that_keeps_variables_gets_the_callback() -> None:
    operator = create(FakeImageBuilder("BUILDING"), on_success_callback=print)
    callbacks: Any = operator.on_success_callback
    assert list(callbacks) == [print, *([forget] if stores_in_variables() else [])]


def test_the_callback_keeps_those_of_the_dag(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import DAG

    monkeypatch.setattr("airflow_imagebuilder.operators.waiting.operator.stores_in_variables", lambda: True)
    with DAG("d", schedule=None, default_args={"on_success_callback": print}):
        callbacks: Any = create(FakeImageBuilder("BUILDING")).on_success_callback
    assert list(callbacks) == [print, forget]
