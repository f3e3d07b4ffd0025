"""A stand-in for the supervisor of a triggerer, which answers a trigger's questions to Airflow."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import DeleteXCom, GetTaskStates, GetXCom, SetXCom

from airflow_imagebuilder.triggers import supervisor
from tests.support.task import GONE

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

TI = SimpleNamespace(
    id="0190-uuid", dag_id="d", run_id="r", task_id="bake", map_index=-1, try_number=1, context_carrier={}
)


class Supervisor:
    """
    Answers with what a test sets.

    :param state: the state of the task that asks; :data:`GONE` where it has no row.
    :param xcoms: values by task id and key.
    :param others: states of other tasks, by task id: one per question, the last one again and again. An
        exception is raised.
    """

    def __init__(
        self,
        state: str | None = "deferred",
        xcoms: dict[tuple[str, str], Any] | None = None,
        others: dict[str, list[str | Exception | None]] | None = None,
    ) -> None:
        self.state, self.xcoms, self.others = state, dict(xcoms or {}), others or {}
        self.asked: list[str] = []
        self.tasks: list[str] = []
        """The tasks whose states were asked for."""
        self.written: list[tuple[str, Any]] = []
        """The XComs that were set, each with its key, in order."""
        self.answered = 0
        self.at_once = self.most_at_once = 0
        self.error: Exception | None = None
        self.errors = 0
        self.open = asyncio.Event()
        self.open.set()

    async def asend(self, question: Any) -> Any:
        self.asked.append(type(question).__name__)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            await self.open.wait()
        finally:
            self.at_once -= 1
        if self.error and self.errors:
            self.errors -= 1
            raise self.error
        self.answered += 1
        return self.answer(question)

    def answer(self, question: Any) -> Any:
        if isinstance(question, GetTaskStates):
            assert question.task_ids is not None
            assert question.run_ids == ["r"]
            (task_id,) = question.task_ids
            self.tasks.append(task_id)
            state = self._other(task_id) if task_id in self.others else self.state
            return SimpleNamespace(task_states={} if state == GONE else {"r": {task_id: state}})
        if isinstance(question, SetXCom):
            self.xcoms[question.task_id, question.key] = question.value
            self.written.append((question.key, question.value))
            return None
        assert isinstance(question, GetXCom)
        return SimpleNamespace(value=self.xcoms.get((question.task_id, question.key)))

    def _other(self, task_id: str) -> str | None:
        states = self.others[task_id]
        state = states.pop(0) if len(states) > 1 else states[0]
        if isinstance(state, Exception):
            raise state
        return state


def install(monkeypatch: pytest.MonkeyPatch, answers: Any) -> None:
    """Send this process's questions to a stand-in, without waits in between."""
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", answers, raising=False)
    monkeypatch.setattr(supervisor, "_warm", [])
    monkeypatch.setattr(supervisor, "_XCOM_INTERVAL", 0.001)
    monkeypatch.setattr(supervisor, "XCOM_LAG", 0.05)
    monkeypatch.setitem(supervisor._PATIENTLY, "wait", lambda _: 0.0)


async def eventually(condition: Callable[[], bool]) -> None:
    """Run the loop until a condition holds, for 20 seconds at most."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "not reached within 20 s"
        await asyncio.sleep(0.001)


class TaskSupervisor:
    """
    A stand-in for the supervisor of a task on a worker, which takes its XComs.

    ``written`` has each XCom that was set, with its key; ``kept`` the last value of each key.
    """

    def __init__(self) -> None:
        self.written: list[tuple[str, Any]] = []
        self.kept: dict[str, Any] = {}
        self.error: Exception | None = None
        self.refuses_removal = False

    def send(self, message: Any) -> Any:
        if self.error:
            raise self.error
        if isinstance(message, GetXCom):
            assert (message.task_id, message.map_index) == ("t", -1)
            return SimpleNamespace(value=self.kept.get(message.key))
        if isinstance(message, DeleteXCom):
            assert (message.task_id, message.map_index) == ("t", -1)
            if self.refuses_removal:
                raise OSError("no answer")
            self.kept.pop(message.key, None)
            return None
        assert isinstance(message, SetXCom)
        self.written.append((message.key, message.value))
        self.kept[message.key] = message.value
        return None

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.written]


def install_for_task(monkeypatch: pytest.MonkeyPatch) -> TaskSupervisor:
    """Send the questions of a task in this process to a stand-in."""
    answers = TaskSupervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", answers, raising=False)
    # On an older Airflow a task of FakeTask keeps its values in the store of FakeTask, too.
    monkeypatch.setattr("airflow_imagebuilder.operators.waiting.task_state.older_store", lambda *_: None)
    return answers
