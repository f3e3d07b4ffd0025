"""A stand-in for the supervisor of a triggerer: answers what a trigger asks Airflow."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetTaskStates, GetXCom

from airflow_imagebuilder.triggers import supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

TI = SimpleNamespace(
    id="0190-uuid", dag_id="d", run_id="r", task_id="bake", map_index=-1, try_number=1, context_carrier={}
)
GONE = "no row"


class Supervisor:
    """
    Answers as Airflow stands.

    :param state: the state of the task that asks; :data:`GONE` where it has no row.
    :param xcoms: values by task id and key.
    """

    def __init__(
        self, state: str | None = "deferred", xcoms: dict[tuple[str, str], Any] | None = None
    ) -> None:
        self.state, self.xcoms = state, dict(xcoms or {})
        self.asked: list[str] = []
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
            states = {} if self.state == GONE else {"r": {question.task_ids[0]: self.state}}
            return SimpleNamespace(task_states=states)
        assert isinstance(question, GetXCom)
        return SimpleNamespace(value=self.xcoms.get((question.task_id, question.key)))


def install(monkeypatch: pytest.MonkeyPatch, answers: Any) -> None:
    """Let this process's questions go to a stand-in, with no waits in between."""
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", answers, raising=False)
    monkeypatch.setattr(supervisor, "_warm", [])
    monkeypatch.setattr(supervisor, "_XCOM_INTERVAL", 0.001)
    monkeypatch.setattr(supervisor, "XCOM_LAG", 0.05)
    monkeypatch.setitem(supervisor._PATIENTLY, "wait", lambda _: 0.0)


async def eventually(condition: Callable[[], bool]) -> None:
    """Let everything else of the loop run until a condition holds."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("not reached")
