"""What has another place in some versions of Airflow: the tests run on all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions._internal.contextmanager import DagContext
from airflow.serialization import serialized_objects

if TYPE_CHECKING:
    from airflow.sdk.exceptions import TaskDeferred
else:
    try:
        from airflow.sdk.exceptions import TaskDeferred
    except ImportError:  # before 3.2
        from airflow.exceptions import TaskDeferred

__all__ = ["TaskDeferred", "is_for_a_worker", "serialized"]


def serialized(dag: Any) -> Any:
    """Return a Dag as the scheduler has it."""
    names = vars(serialized_objects)
    kind = names.get("DagSerialization") or names["SerializedDAG"]  # the second one before 3.2
    DagContext.push(None)  # type: ignore[arg-type]  # in a "with DAG" 3.0 would add the tasks a second time
    try:
        return kind.from_dict(kind.to_dict(dag))
    finally:
        DagContext.pop()


def is_for_a_worker(task: Any) -> bool:
    """Return whether the scheduler sends a task to a worker; it finishes a plain EmptyOperator itself."""
    from airflow.models.taskinstance import TaskInstance

    if decide := getattr(TaskInstance, "is_task_schedulable", None):
        return bool(decide(task))
    callbacks = ("on_execute_callback", "on_success_callback")  # before 3.2, a part of DagRun.schedule_tis
    called = any(getattr(task, name, None) or getattr(task, f"has_{name}", False) for name in callbacks)
    return bool(not task.inherits_from_empty_operator or called or task.outlets or task.inlets)
