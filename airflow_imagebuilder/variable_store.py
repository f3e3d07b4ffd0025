"""What a task keeps between its tries before Airflow 3.3, which has a store for that: Variables."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

CLOCKS_DIFFER = 120.0
"""Seconds by which the clocks of a worker and of a scheduler may differ."""

PREFIX = "imagebuilder-"
"""How the key of each such Variable begins."""


class VariableStore:
    """
    Airflow Variables with the methods of Airflow 3.3's task state store.

    XComs cannot keep them: Airflow removes a task's XComs before a new try runs. ``airflow.sdk.Variable`` is
    not used: its ``set`` logs an error of the API server and returns as if it had stored the value, and its
    ``get`` and ``set`` ask the worker's secrets backends first.

    A run that was deleted leaves its Variables, and a new run may get its id. So each value is kept with its
    time and with the clears of its run: those of another run count as missing.

    :param ti: the task instance.
    :param task_id: another task of the same run, unmapped; ``None`` (default) means the task instance's own.
    :param run: the run, with ``start_date`` and ``clear_number``; ``None`` (default) trusts every value.
    """

    def __init__(self, ti: Any, task_id: str | None = None, *, run: Any = None) -> None:
        self._started: datetime | None = getattr(run, "start_date", None)
        self._clears: int | None = getattr(run, "clear_number", None)
        own = task_id in (None, ti.task_id)
        self._owner = {
            "dag_id": ti.dag_id,
            "run_id": ti.run_id,
            "task_id": ti.task_id if own else task_id,
            "map_index": getattr(ti, "map_index", -1) if own else -1,
        }

    def get(self, key: str) -> Any:
        """
        Return the stored value; ``None`` if there is none.

        :raises AirflowRuntimeError: Airflow does not answer.
        """
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable

        try:
            answer = self._send(GetVariable(key=self.variable(key)))
        except AirflowRuntimeError as error:
            answer = error.error
        if not isinstance(answer, ErrorResponse):
            kept = json.loads(answer.value) if answer.value else {}
            return None if self._is_of_another_run(kept) else kept.get("value")
        if answer.error == ErrorType.VARIABLE_NOT_FOUND:
            return None
        raise AirflowRuntimeError(answer)

    def set(self, key: str, value: Any) -> None:
        """
        Store a JSON-safe value.

        :raises AirflowRuntimeError: Airflow did not store it.
        """
        from airflow.sdk.execution_time.comms import PutVariable

        name, owner = self.variable(key), json.dumps(self._owner)
        kept = json.dumps({"value": value, "at": time.time(), "clears": self._clears})
        self._send(PutVariable(key=name, value=kept, description=owner))

    def _is_of_another_run(self, kept: Mapping[str, Any]) -> bool:
        """
        Return whether a deleted run with the same id has stored a value.

        A clear of a finished run counts up its clears, and renews its start: a value with the same clears
        cannot be older than the start.
        """
        clears, at = kept.get("clears"), kept.get("at")
        if clears is None or at is None or self._clears is None or self._started is None:
            return False
        early = at < self._started.timestamp() - CLOCKS_DIFFER
        return bool(clears > self._clears or (clears == self._clears and early))

    def delete(self, key: str) -> None:
        """
        Remove a value. Does nothing if there is none.

        :raises AirflowRuntimeError: Airflow does not answer.
        """
        from airflow.sdk.execution_time.comms import DeleteVariable

        self._send(DeleteVariable(key=self.variable(key)))

    def variable(self, key: str) -> str:
        """Return the key of the Variable: short, since an id may have 250 characters, as the key may."""
        identity = json.dumps([*self._owner.values(), key])
        return PREFIX + hashlib.sha256(identity.encode()).hexdigest()[:32]

    @staticmethod
    def _send(message: Any) -> Any:
        from airflow.sdk.execution_time import task_runner

        return task_runner.SUPERVISOR_COMMS.send(message)
