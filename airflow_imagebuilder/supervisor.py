"""What a triggerer asks Airflow: how a task stands now, and which image it waits for."""

from __future__ import annotations

import asyncio
from typing import Any

ASK_PATIENCE = 120.0
"""Seconds to wait for an answer. The first question of a triggerer process takes seconds: its supervisor then
builds the API that answers it (3 CPU seconds on Airflow 3.3.2; 19 s were seen on a busy machine)."""

_questions: set[asyncio.Task[Any]] = set()
"""Questions on their way. Held here, because a task that nothing else refers to may be collected."""


async def ask(question: Any) -> Any:
    """
    Send a message of Airflow's task protocol to the triggerer's supervisor, and return its answer.

    The question itself is never cancelled, whatever becomes of the caller: on Airflow 3.0 and 3.1 a cancelled
    question loses its place in the queue of answers, and the triggerer process dies.

    :param question: a message of ``airflow.sdk.execution_time.comms``.
    :raises TimeoutError: no answer within :data:`ASK_PATIENCE` seconds.
    :raises Exception: Airflow does not answer, or this process has no supervisor (a worker, ``dag.test()``).
    """
    from airflow.sdk.execution_time import task_runner

    asking = asyncio.create_task(task_runner.SUPERVISOR_COMMS.asend(question))
    _questions.add(asking)
    asking.add_done_callback(_questions.discard)
    return await asyncio.wait_for(asyncio.shield(asking), ASK_PATIENCE)


async def task_states(ti: Any, task_id: str | None = None) -> set[str]:
    """
    Return the states that a task is in now: one, or none where its row is gone (a deleted Dag).

    :param ti: the task instance of the trigger that asks.
    :param task_id: another task of the same run, unmapped; ``None`` asks for the trigger's own.
    """
    from airflow.sdk.execution_time.comms import GetTaskStates

    own = (
        {"task_ids": [ti.task_id], "map_index": ti.map_index} if task_id is None else {"task_ids": [task_id]}
    )
    answer = await ask(GetTaskStates(dag_id=ti.dag_id, run_ids=[ti.run_id], **own))
    return {str(state) for by_task in answer.task_states.values() for state in by_task.values()}


async def xcom(ti: Any, key: str, task_id: str | None = None) -> Any:
    """
    Return an XCom of a task; ``None`` where there is none.

    :param ti: the task instance of the trigger that asks.
    :param key: the XCom's key.
    :param task_id: another task of the same run, unmapped; ``None`` asks for the trigger's own.
    """
    from airflow.sdk.execution_time.comms import GetXCom

    own = {"task_id": ti.task_id, "map_index": ti.map_index} if task_id is None else {"task_id": task_id}
    return (await ask(GetXCom(key=key, dag_id=ti.dag_id, run_id=ti.run_id, **own))).value
