"""What Airflow keeps about a task: the state that outlives a try, and whether somebody killed it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity
from airflow.sdk.exceptions import AirflowRuntimeError

from airflow_imagebuilder.service.errors import StateStoreError
from airflow_imagebuilder.service.submission.ports import Try

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

log = logging.getLogger(__name__)
T = TypeVar("T")

ASK_PATIENCE = 2.0
"""Seconds to wait for the task's state after SIGTERM; Airflow sends SIGKILL after five."""

KILLED_STATES = frozenset({"failed", "success", "skipped", "restarting", "removed"})
"""States of a task that a person, or a time limit of Airflow's, has ended while a worker runs it."""

_UNREACHABLE = (AirflowRuntimeError, OSError)
_PATIENTLY: dict[str, Any] = {
    "retry": tenacity.retry_if_exception_type(_UNREACHABLE),
    "stop": tenacity.stop_after_attempt(4),
    "wait": tenacity.wait_exponential(0.5, max=4),
    "reraise": True,
}


class TaskStore:
    """
    Airflow's task state store, for :class:`~airflow_imagebuilder.service.submission.submission.Submission`.

    It is asked again for some seconds. If it still does not answer, the try fails, the first one too: what
    cannot be stored must not be sent, since a later try could not find it and would build a second image.

    :param context: the task's context.
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")

    def get(self, key: str) -> Any:
        """
        Return the value of an earlier try, or ``None``.

        :raises StateStoreError: the store does not answer.
        """
        return self._ask(lambda store: store.get(key))

    def set(self, key: str, value: Any) -> None:
        """
        Keep a value for the tries to come.

        :raises StateStoreError: the store does not answer.
        """
        self._ask(lambda store: store.set(key, value))

    def _ask(self, question: Callable[[Any], T]) -> T:
        if self._store is None:
            raise StateStoreError("this task's context has no task_state_store")
        try:
            return tenacity.Retrying(**_PATIENTLY)(question, self._store)
        except _UNREACHABLE as error:
            raise StateStoreError(str(error) or type(error).__name__) from error


def this_try(context: Context) -> Try:
    """Return which try this is; :class:`Try` says what the members mean."""
    ti = context["ti"]
    identity = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number)
    seed = getattr(ti, "id", None) or identity
    clears = getattr(context.get("dag_run"), "clear_number", None)
    return Try(seed=str(seed), epoch=int(getattr(ti, "max_tries", 0) or 0), clears=clears)


def was_killed(context: Context) -> bool | None:
    """
    Tell a user's kill from a worker that is stopped or was cut off: all of them send SIGTERM.

    A kill changes the task instance's state first, to one of :data:`KILLED_STATES`, or removes its row. A
    worker that restarts, or a pod that is moved, leaves the task running. A worker that Airflow missed for
    too long comes back to a task that is up for retry, scheduled or queued, or whose next try is at work. In
    both cases the next try finds the image again.
    """
    query = _StateQuery(context["ti"])
    query.start()
    query.join(ASK_PATIENCE)
    if query.states is None:
        log.warning("Cannot tell whether the task was killed or its worker stopped: %s", query.trouble)
        return None
    return not query.states or not query.states.isdisjoint(KILLED_STATES)


class _StateQuery(threading.Thread):
    """
    Asks for the task's state, beside the main thread.

    Signals are handled in the main thread. Where they interrupt it in the middle of a call to Airflow, it
    holds the lock that the question needs, and would wait for itself for ever.
    """

    def __init__(self, ti: Any) -> None:
        super().__init__(daemon=True)
        self.ti = ti
        self.states: set[str] | None = None
        self.trouble: Exception | str = f"no answer within {ASK_PATIENCE:.0f} s"

    def run(self) -> None:
        ti = self.ti
        try:
            found = ti.get_task_states(
                dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
            )
            self.states = {str(state) for by_task in found.values() for state in by_task.values()}
        except Exception as error:  # noqa: BLE001 (not knowing, whatever the reason, must not cancel a build)
            self.trouble = error
