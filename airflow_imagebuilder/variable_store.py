"""What a task keeps between its tries before Airflow 3.3, which has a store for that: Variables."""

from __future__ import annotations

import hashlib
import json
from typing import Any

PREFIX = "imagebuilder-"
"""How the key of each such Variable begins."""


class VariableStore:
    """
    Airflow Variables with the methods of Airflow 3.3's task state store.

    XComs cannot keep them: Airflow removes a task's XComs before a new try runs. ``airflow.sdk.Variable`` is
    not used: its ``set`` logs an error of the API server and returns as if it had stored the value, and its
    ``get`` and ``set`` ask the worker's secrets backends first.

    :param ti: the task instance.
    :param task_id: another task of the same run, unmapped; ``None`` (default) means the task instance's own.
    """

    def __init__(self, ti: Any, task_id: str | None = None) -> None:
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
            return json.loads(answer.value) if answer.value else None
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
        self._send(PutVariable(key=name, value=json.dumps(value), description=owner))

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
