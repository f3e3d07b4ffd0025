"""A task in Airflow as its operator sees it: task instance, task state store, outlet events, context."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.support.fault_plan import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
GONE = "no row"
"""As the state of a task: its row was deleted."""


class FakeStateStore(FaultPlan):
    """A task state store in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        self._meet("before", "get")
        return self.kept.get(key)

    def set(self, key: str, value: Any) -> None:
        self._meet("before", "set")
        self.kept[key] = value
        self._meet("after", "set")


class FakeTaskInstance:
    """
    As much of a task instance as the operators use.

    :param states: the states of the run's tasks by task id; :data:`GONE` for a task without a row.
    :param members: what differs from the usual identity.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    max_tries: int
    id: str | None
    start_date: datetime | None

    def __init__(self, states: dict[str, str | None], **members: Any) -> None:
        identity = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "try_number": 1}
        usual = {**identity, "max_tries": 0, "id": "uuid", "start_date": START}
        vars(self).update({**usual, **members})
        self.states = states
        self.busy = threading.Lock()
        """Held during a call to Airflow, as Airflow's own client does."""
        self.xcoms: dict[str, Any] = {}
        self.at_push: Callable[[], None] = lambda: None
        self.trouble: Exception | None = None

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value
        self.at_push()

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.xcoms.get(key)

    def get_first_reschedule_date(self, _: Any) -> None:
        return None

    def get_task_states(
        self, *, dag_id: str, task_ids: Sequence[str], run_ids: Sequence[str], map_index: int | None = None
    ) -> dict[str, dict[str, str | None]]:
        assert (dag_id, list(run_ids)) == (self.dag_id, [self.run_id])
        with self.busy:
            if self.trouble:
                raise self.trouble
            found = {name: self.states[name] for name in task_ids if self.states[name] != GONE}
            return {self.run_id: found} if found else {}


class OutletEvents:
    """The events of a task's outlets. Airflow's own keys are not the assets: in 3.0 these have no hash."""

    def __init__(self) -> None:
        self._events: dict[str, SimpleNamespace] = {}

    def __getitem__(self, asset: Any) -> SimpleNamespace:
        return self._events.setdefault(repr(asset), SimpleNamespace(extra=None))

    def __len__(self) -> int:
        return len(self._events)


def context() -> Any:
    """Return the context of a running task in its first try."""
    return FakeTask().context


class FakeTask:
    """
    A task with its context, through all of its tries.

    :param state: the task's state in Airflow.
    :param others: states of other tasks of the run, by task id.
    :param ti: members of the task instance that differ from the usual ones.
    """

    def __init__(
        self, state: str | None = "running", *, others: dict[str, str | None] | None = None, **ti: Any
    ) -> None:
        task_id = ti.get("task_id", "t")
        self.ti = FakeTaskInstance({task_id: state, **(others or {})}, **ti)
        self.store = FakeStateStore()
        events: Any = OutletEvents()
        self.context: Any = {"ti": self.ti, "task_state_store": self.store, "outlet_events": events}

    @property
    def state(self) -> str | None:
        return self.ti.states[self.ti.task_id]

    @state.setter
    def state(self, state: str | None) -> None:
        self.ti.states[self.ti.task_id] = state

    @property
    def xcoms(self) -> dict[str, Any]:
        return self.ti.xcoms

    def next_try(self) -> None:
        self.ti.try_number += 1
        self.ti.id = f"{self.ti.id}+"
        self.ti.start_date = datetime.now(timezone.utc)
