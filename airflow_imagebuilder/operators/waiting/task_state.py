"""What Airflow stores about a task: values that outlive a try, and whether the task was killed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity
from airflow.sdk.exceptions import AirflowRuntimeError

from airflow_imagebuilder.compat import (
    calls_have_a_lock,
    can_ask_airflow,
    older_store,
    only_question,
    stores_in_variables,
)
from airflow_imagebuilder.service.errors import StateStoreError
from airflow_imagebuilder.service.submission.ports import Try
from airflow_imagebuilder.service.submission.record import GUARD_KEY, RECORD_KEY
from airflow_imagebuilder.xcom import TRY_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

    from airflow_imagebuilder.variable_store import VariableStore

log = logging.getLogger(__name__)
T = TypeVar("T")

ASK_PATIENCE = 2.0
"""Seconds to wait for the task's state after SIGTERM; Airflow sends SIGKILL after five."""

KILLED_STATES = frozenset({"failed", "success", "skipped", "restarting", "removed"})
"""States of a running task that a person, or a time limit of Airflow's, has ended."""

_TRIGGER_FAILED = "__fail__"
"""The method that Airflow resumes a task with after its trigger has raised an exception."""

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

    A call that fails is repeated for some seconds. If the store still does not answer, the try fails, the
    first one too: a request that is sent without its token in the store would be built a second time by a
    later try.

    Before Airflow 3.3, which has that store, Variables keep the values. A new try after an upgrade to 3.3
    finds them.

    :param context: the task's context.
    :param written: whether this try may have stored something already (default: no).
    """

    def __init__(self, context: Context, *, written: bool = False) -> None:
        own, older = context.get("task_state_store"), older_store(context)
        first = not written and (getattr(context["ti"], "try_number", None) or 1) <= 1
        self._store: Any = own or older
        # A Variable that a first try finds is of a run with the same id, which was deleted.
        self._read_from: list[Any] = [store for store in (own, None if first else older) if store is not None]

    def get(self, key: str) -> Any:
        """
        Return the value that an earlier try stored; ``None`` if there is none.

        :raises StateStoreError: the store does not answer.
        """
        self._require_store()
        for store in self._read_from:
            found = self._ask(lambda kept_in: kept_in.get(key), store)
            if found is not None:
                return found
        return None

    def set(self, key: str, value: Any) -> None:
        """
        Store a value for later tries.

        :raises StateStoreError: the store does not answer.
        """
        self._require_store()
        self._ask(lambda kept_in: kept_in.set(key, value), self._store)
        if self._store not in self._read_from:
            self._read_from.insert(0, self._store)

    def _require_store(self) -> None:
        if self._store is None:
            raise StateStoreError("this process has no connection to Airflow, as outside of a running task")

    @staticmethod
    def _ask(question: Callable[[Any], T], store: Any) -> T:
        try:
            return tenacity.Retrying(**_PATIENTLY)(question, store)
        except _UNREACHABLE as error:
            raise StateStoreError(str(error) or type(error).__name__) from error


def forget(context: Context) -> None:
    """
    Remove the Variables of an image that ended well: a callback of tasks that succeed, before Airflow 3.3.

    Airflow has stored the success by then, so no retry follows that would need them. The tasks of one image
    are its submitter and the task that waits for it.

    :param context: the task's context.
    """
    task: Any = context["task"]
    if not getattr(task, "wait_for_completion", True):
        return  # another task waits for the image, and a new try of this one may repair it
    own, submitter = older_store(context), getattr(task, "submitter", None)
    if own is None:
        return
    kept = [(own, task.record_kind.key())]
    if submitter and (others := older_store(context, submitter)) and _same_image(own, others):
        kept.append((others, RECORD_KEY))
    for store, key in kept:
        try:
            store.delete(key)
        except _UNREACHABLE as error:
            name = store.variable(key)
            log.warning(
                "Could not remove Variable %s. No task needs it. The clean-up does it: %s", name, error
            )


def _same_image(waiting: VariableStore, submitting: VariableStore) -> bool:
    """Return whether two tasks keep records of the same image: the submitter may have another one by now."""
    try:
        records = waiting.get(GUARD_KEY), submitting.get(RECORD_KEY)
    except _UNREACHABLE:
        return False
    arns = [record.get("arn") for record in records if isinstance(record, Mapping)]
    return len(arns) == len(records) and None not in arns and arns[0] == arns[1]


def this_try(context: Context) -> Try:
    """
    Return which try this is.

    :param context: the task's context.
    :return: its identity and its clears, as :class:`Try` defines them.
    """
    ti = context["ti"]
    identity = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number)
    seed = getattr(ti, "id", None) or identity
    clears = getattr(context.get("dag_run"), "clear_number", None)
    return Try(seed=str(seed), epoch=int(getattr(ti, "max_tries", 0) or 0), clears=clears)


def is_of_another_try(event: object, context: Context) -> bool:
    """
    Return whether a trigger fired an event for another try of the task.

    Airflow 3.0 resumes a new try with the event of the try before, if that one failed after its wait
    (https://github.com/apache/airflow/issues/56704; later versions begin a new try at ``execute``).

    :param event: what the trigger fired.
    :param context: the task's context.
    """
    number = event.get("try_number") if isinstance(event, Mapping) else None
    return number is not None and number != context["ti"].try_number


def note_wait(context: Context) -> None:
    """Note, before Airflow 3.3, which try is about to defer, for :func:`lost_its_trigger`."""
    if stores_in_variables():
        context["ti"].xcom_push(key=TRY_KEY, value=context["ti"].try_number)


def lost_its_trigger(next_method: str, context: Context) -> bool:
    """
    Return whether an earlier try lost its trigger, and Airflow resumes this one in the same way.

    Airflow 3.0 resumes a new try in the way in which it resumed the last one, so after a trigger's exception
    no try would read the image again.

    :param next_method: the method that Airflow resumes the task with.
    :param context: the task's context.
    """
    if next_method != _TRIGGER_FAILED:
        return False
    ti: Any = context["ti"]
    # Airflow kept the XComs of the try before only if it resumes this one.
    waited_in = ti.xcom_pull(task_ids=ti.task_id, key=TRY_KEY, map_indexes=ti.map_index)
    return isinstance(waited_in, int) and waited_in != ti.try_number


def was_killed(context: Context) -> bool | None:
    """
    Return whether SIGTERM means a kill of the task. A worker that is stopped or was cut off gets it, too.

    A kill first changes the task instance's state to one of :data:`KILLED_STATES`, or removes its row. A
    worker that restarts, or a pod that is moved, leaves the task running. A worker that sent no heartbeat for
    too long comes back to a task that is up for retry, scheduled or queued, or whose next try is running. In
    both cases the next try finds the image again.

    :param context: the task's context.
    :return: ``None`` if Airflow does not answer within :data:`ASK_PATIENCE` seconds.
    """
    if not can_ask_airflow():
        log.info("SIGTERM came during a call to Airflow. After it, this task asks whether it was killed.")
        return None
    query = _StateQuery(context["ti"])
    query.start()
    # Without a lock the main thread's next call and this question would read each other's answers. Airflow
    # answers one call after the other, so that call would have to wait for this answer all the same.
    query.join(ASK_PATIENCE if calls_have_a_lock() else None)
    if query.states is None:
        log.warning("Airflow did not say whether this task was killed: %s", query.trouble)
        return None
    return not query.states or not query.states.isdisjoint(KILLED_STATES)


class _StateQuery(threading.Thread):
    """
    Asks Airflow for the task's state in a thread of its own.

    The signal handler runs in the main thread. If the signal has interrupted a call to Airflow, the main
    thread holds the lock that this question needs, and would wait for itself without end.
    """

    def __init__(self, ti: Any) -> None:
        super().__init__(daemon=True)
        self.ti = ti
        self.states: set[str] | None = None
        self.trouble: Exception | str = f"no answer within {ASK_PATIENCE:.0f} s"

    def run(self) -> None:
        """Ask, and keep the answer in ``states`` or the error in ``trouble``."""
        ti = self.ti
        try:
            with only_question():
                found = ti.get_task_states(
                    dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
                )
            self.states = {str(state) for by_task in found.values() for state in by_task.values()}
        except Exception as error:  # noqa: BLE001 (a question without an answer must not cancel a build)
            self.trouble = error
