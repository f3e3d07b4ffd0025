"""What a triggerer asks Airflow: the state of a task, and the image that it waits for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import tenacity

from airflow_imagebuilder.compat import uninterrupted
from airflow_imagebuilder.service.arns.grammar import path_of
from airflow_imagebuilder.service.client.time_limit import within
from airflow_imagebuilder.xcom import ARN_KEY, SUBMISSION_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


ASK_PATIENCE = 120.0
"""Seconds to wait for an answer. The first question of a triggerer process takes seconds, because its
supervisor then builds the API that answers it (3 CPU seconds on Airflow 3.3.2; 19 s on a busy machine)."""

XCOM_LAG = 20.0
"""Seconds for which a new try may still show the XComs of the try before. The task's process removes them
after it has parsed the Dag, some seconds after its state has become ``running`` (3.3.2)."""

_XCOM_INTERVAL = 1.0

_OPEN = frozenset({"deferred", "running", "scheduled", "queued", "up_for_retry"})
"""States of a task that was killed or cleared, or whose wait another triggerer has taken over. The image that
the task has announced decides, or the state that follows."""

TASK_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""States of a task that Airflow does not try again."""

_QUESTIONS_AT_ONCE = 4
"""A triggerer that has lost a thousand waits has a thousand questions. Its supervisor answers one after the
other, and sends no heartbeat before it has answered all that have arrived."""


def _may_pass(error: BaseException) -> bool:
    """Return whether to repeat a question after this error. A timeout has taken long enough already."""
    return isinstance(error, Exception) and not isinstance(error, (TimeoutError, asyncio.TimeoutError))


_PATIENTLY: dict[str, Any] = {
    "retry": tenacity.retry_if_exception(_may_pass),
    "stop": tenacity.stop_after_attempt(4),
    "wait": tenacity.wait_random_exponential(0.5, max=4),
    "reraise": True,
}

_Turns = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
_turns: _Turns = WeakKeyDictionary()
_record_turns: _Turns = WeakKeyDictionary()
"""Records have a turn of their own, so that no question about a kill waits behind a thousand of them."""

RECORD_PATIENCE = 30.0
"""Seconds to wait for the answer to a message about a record."""

_warm: list[asyncio.Task[None]] = []
"""The first question of this process; empty before it is asked."""


class NoAnswerError(Exception):
    """Airflow did not say whether a wait was killed, or another process has it now."""


@dataclass(frozen=True)
class KillCheck:
    """
    The answer to whether a wait, whose trigger Airflow has cancelled, was killed.

    :param killed: whether a person, or a time limit of Airflow's, ended the wait, and no other process has
        its image.
    :param why: what shows it, as a clause for the log.
    :param again: whether a new try, which may repair the image, will begin or has just begun.
    """

    killed: bool
    why: str
    again: bool = False


async def ask(question: Any) -> Any:
    """
    Send a message of Airflow's task protocol to the triggerer's supervisor, and return its answer.

    A cancel of the caller does not cancel the question
    (:func:`~airflow_imagebuilder.compat.uninterrupted`).

    :param question: a message of ``airflow.sdk.execution_time.comms``.
    :return: the message that answers it.
    :raises TimeoutError: no answer within :data:`ASK_PATIENCE` seconds.
    :raises Exception: Airflow does not answer, or this process has no supervisor (a worker, ``dag.test()``).
    """
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_QUESTIONS_AT_ONCE)):
        return await _send(question, ASK_PATIENCE)


async def _send(message: Any, patience: float) -> Any:
    from airflow.sdk.execution_time import task_runner

    return await within(patience, uninterrupted(task_runner.SUPERVISOR_COMMS.asend(message)))


def _record_turn() -> asyncio.Semaphore:
    return _record_turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(1))


async def own_record(ti: Any, key: str) -> Any:
    """
    Return an XCom of a trigger's own task; ``None`` if there is none. One trigger asks at a time.

    :raises TimeoutError: no answer within :data:`RECORD_PATIENCE` seconds.
    """
    from airflow.sdk.execution_time.comms import GetXCom

    async with _record_turn():
        return (await _send(GetXCom(key=key, **_whose(ti)), RECORD_PATIENCE)).value


async def write_record(ti: Any, key: str, record: Any, *, still: Callable[[], bool]) -> None:
    """
    Write an XCom of a trigger's own task. One trigger writes at a time.

    :param still: returns, when it is this trigger's turn, whether to write.
    :raises TimeoutError: no answer within :data:`RECORD_PATIENCE` seconds.
    """
    from airflow.sdk.execution_time.comms import SetXCom

    async with _record_turn():
        if still():
            await _send(SetXCom(key=key, value=record, **_whose(ti)), RECORD_PATIENCE)


def _whose(ti: Any) -> dict[str, Any]:
    return {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}


async def task_states(ti: Any, task_id: str | None = None) -> set[str]:
    """
    Return the state of a task: a set of one, or an empty set if its row is gone (a deleted Dag).

    :param ti: the task instance of the trigger that asks.
    :param task_id: another task of the same run, unmapped; ``None`` (default) means the trigger's own.
    """
    from airflow.sdk.execution_time.comms import GetTaskStates

    whose = (
        {"task_ids": [ti.task_id], "map_index": ti.map_index} if task_id is None else {"task_ids": [task_id]}
    )
    answer = await ask(GetTaskStates(dag_id=ti.dag_id, run_ids=[ti.run_id], **whose))
    return {str(state) for by_task in answer.task_states.values() for state in by_task.values()}


async def xcom(ti: Any, key: str, task_id: str | None = None) -> Any:
    """
    Return an XCom of a task; ``None`` if there is none.

    :param ti: the task instance of the trigger that asks.
    :param key: the XCom's key.
    :param task_id: another task of the same run, unmapped; ``None`` (default) means the trigger's own.
    """
    from airflow.sdk.execution_time.comms import GetXCom

    whose = {"task_id": ti.task_id, "map_index": ti.map_index} if task_id is None else {"task_id": task_id}
    return (await ask(GetXCom(key=key, dag_id=ti.dag_id, run_id=ti.run_id, **whose))).value


async def check_kill(
    ti: Any, arn: str, *, submitter: str | None = None, submitted_by: str | None = None
) -> KillCheck:
    """
    Return whether a wait for an image was killed, or another process has it now.

    Airflow cancels a trigger with the same message when a person ends its task and when another triggerer has
    taken it over (3.3.0 to 3.3.2, https://github.com/apache/airflow/issues/73454).

    :param ti: the task instance of the trigger that was cancelled.
    :param arn: the image that it waited for.
    :param submitter: the task that submitted the image; ``None`` (default) if it is the trigger's own.
    :param submitted_by: the try of that task that this wait knows.
    :raises NoAnswerError: Airflow did not answer.
    """
    try:
        found = await _by_own_task(ti, arn)
        if found.killed and submitter and await _has_new_submission(ti, arn, submitter, submitted_by):
            return KillCheck(False, f"a later try of {submitter} has this image now")
    except Exception as error:
        raise NoAnswerError(str(error) or type(error).__name__) from error
    return found


async def _by_own_task(ti: Any, arn: str) -> KillCheck:
    """Judge from the task's state and, where several causes fit, from the image that it has announced."""
    lag_ends = time.monotonic() + XCOM_LAG
    while True:
        states = await _patiently(task_states, ti)
        if not states or not states <= _OPEN:
            return KillCheck(True, _state_clause(states), again=not states <= TASK_ENDED)
        announced = await _patiently(xcom, ti, ARN_KEY)
        if states in ({"deferred"}, {"up_for_retry"}):
            return _between(states, arn, announced)
        if announced != arn:
            why = f"it was cleared, and has not announced this image: {_state_clause(states)}"
            return KillCheck(True, why, again=True)
        if time.monotonic() >= lag_ends:
            return _after_lag(states)
        await asyncio.sleep(_XCOM_INTERVAL)


def _after_lag(states: set[str]) -> KillCheck:
    if states == {"running"}:
        return KillCheck(False, "its task runs with this image: it has resumed, or a new try has it")
    return KillCheck(True, _state_clause(states), again=True)


def _between(states: set[str], arn: str, announced: Any) -> KillCheck:
    if isinstance(announced, str) and path_of(announced, "image") and announced != arn:
        return KillCheck(True, f"it was cleared: its new try waits for {announced}")
    if states == {"deferred"}:
        return KillCheck(False, "its task is still deferred: another triggerer watches it now")
    return KillCheck(False, "its task is up for retry: Airflow's next try finds the image")


def _state_clause(states: set[str]) -> str:
    if not states:
        return "its row is gone: the Dag or the run was deleted"
    return f"its state is {' '.join(sorted(states))} now"


async def _has_new_submission(ti: Any, arn: str, submitter: str, submitted_by: str | None) -> bool:
    """
    Return whether a later try of the submitting task has the image now, because it has repaired it.

    Without an XCom a new try of that task has begun and announced nothing yet: it waits for the cancel.
    """
    found = await _patiently(xcom, ti, SUBMISSION_KEY, submitter)
    if not isinstance(found, Mapping) or found.get("arn") != arn or submitted_by is None:
        return False
    return found.get("submitted_by") not in (None, submitted_by)


async def _patiently(question: Any, *arguments: Any) -> Any:
    return await tenacity.AsyncRetrying(**_PATIENTLY, sleep=asyncio.sleep)(question, *arguments)


def warm_up(ti: Any) -> None:
    """
    Ask Airflow a first question in the background, once per process: the later ones are answered faster.

    Returns at once. The caller gets no error of it.

    :param ti: the task instance of a trigger; ``None`` (no triggerer runs this) asks nothing.
    """
    if ti is not None and not _warm:
        _warm.append(asyncio.create_task(_first_question(ti)))


async def _first_question(ti: Any) -> None:
    began = time.monotonic()
    try:
        await task_states(ti)
    except Exception as error:  # noqa: BLE001 (nothing waits for the answer)
        log.debug("Airflow did not answer the first question of this triggerer process: %r", error)
    else:
        log.debug("Airflow answered this process's first question in %.2f s", time.monotonic() - began)
