"""Runs of Dags in the process of a test, with the errors of their tasks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.sdk import DAG


class DagRunStateError(AssertionError):
    """A run of a Dag did not finish in the state that the test expects."""


@dataclass(frozen=True)
class Run:
    """A run of a Dag that has finished.

    :param dag_id: the Dag.
    :param run_id: the id of the run.
    :param state: ``success`` or ``failed``.
    :param states: the state of each task instance by task id, of a mapped one as ``task_id[map_index]``.
    :param errors: the last error of each task that failed, or failed and was tried again, by the same names.
    :param dag_run: Airflow's own object.
    """

    dag_id: str
    run_id: str
    state: str
    states: Mapping[str, str | None]
    errors: Mapping[str, str]
    dag_run: Any = field(repr=False)

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return an XCom of a task; None if there is none.

        :raises ValueError: the Dag does not have the task.
        :param task_id: the task.
        :param key: ``return_value`` by default.
        :param map_index: of a mapped task; -1 (default) for one that is not mapped.
        """
        instances = self.dag_run.get_task_instances()
        tasks = sorted({ti.task_id for ti in instances})
        if task_id not in tasks:
            raise ValueError(
                f"xcom: the Dag {self.dag_id} has no task {task_id!r}; it has {', '.join(tasks)}"
            )
        ti = instances[0]
        return ti.xcom_pull(task_ids=task_id, key=key, map_indexes=map_index)

    def __str__(self) -> str:
        """Say how the run ended, and why."""
        lines = [f"Run {self.run_id} of Dag {self.dag_id} is {self.state}."]
        for name, state in self.states.items():
            if state not in ("success", "skipped") or name in self.errors:
                error = self.errors.get(name, "")
                lines.append(f"  {name} is {state}" + (f": {error}" if error else ""))
        return "\n".join(lines)


def run_dag(
    dag: DAG,
    conf: Mapping[str, Any] | None = None,
    *,
    expect: str | None = "success",
    retry_delay: timedelta | None = timedelta(0),
) -> Run:
    """
    Run a Dag with ``dag.test()`` in this process, one task after another, and check how it ends.

    The Dag may come from any file, the test's own included. Airflow's database must exist: the fixture
    ``run_dag`` cares for that.

    :param dag: the Dag.
    :param conf: values of its params.
    :param expect: the state in which the run has to finish, ``success`` by default, or ``failed``;
        ``None`` takes both.
    :param retry_delay: the pause before another try of a task, instead of the task's own; zero by default.
        ``None`` keeps the task's own. A delay that a retry policy asks for is kept.
    :raises DagRunStateError: the run finished in another state. The message has the errors of its tasks.
    :raises ValueError: ``expect`` is not a state in which a run finishes; nothing ran.
    """
    __tracebackhide__ = True
    if expect not in ("success", "failed", None):
        raise ValueError(f"run_dag: expect={expect!r} is not 'success', 'failed' or None")
    from airflow_imagebuilder import compat
    from airflow_imagebuilder.service.submission import repair

    errors: dict[str, str] = {}
    # AWS may show the old state for a while after a repair; the local service does not.
    grace = patch.object(repair, "REPAIR_GRACE", 2.0)
    with compat.failures_of_tasks(errors), _quick_retries(dag, retry_delay), _own_params(dag), grace:
        compat.share_execution_api()
        compat.register_dag(dag)
        dag_run = dag.test(run_conf=dict(conf) if conf else None)
    run = Run(
        dag_id=dag.dag_id,
        run_id=dag_run.run_id,
        state=_text(dag_run.state),
        states=_states(dag_run),
        errors=errors,
        dag_run=dag_run,
    )
    if expect is not None and run.state != expect:
        raise DagRunStateError(f"{run}\nThe test expects: {expect}.")
    return run


def _text(state: Any) -> str:
    return str(getattr(state, "value", state))


def _states(dag_run: Any) -> dict[str, str | None]:
    instances = sorted(dag_run.get_task_instances(), key=lambda ti: (ti.task_id, ti.map_index))
    return {
        name_of(ti.task_id, ti.map_index): None if ti.state is None else _text(ti.state) for ti in instances
    }


def name_of(task_id: str, map_index: int | None) -> str:
    """Return how a task instance is named in :class:`Run`."""
    return task_id if map_index in (None, -1) else f"{task_id}[{map_index}]"


@contextmanager
def _own_params(dag: DAG) -> Iterator[None]:
    """Keep the values of the params: Airflow writes the conf of a run into them."""
    tasks: list[Any] = list(dag.task_dict.values())
    groups = [dag.params, *(task.params for task in tasks)]
    params = [group.get_param(name) for group in groups for name in group]
    before = [param.value for param in params]
    try:
        yield
    finally:
        for param, own in zip(params, before, strict=True):
            param.value = own


@contextmanager
def _quick_retries(dag: DAG, delay: timedelta | None) -> Iterator[None]:
    if delay is None:
        yield
        return
    tasks: list[Any] = list(dag.task_dict.values())
    before = [task.retry_delay for task in tasks]
    for task in tasks:
        task.retry_delay = delay
    try:
        yield
    finally:
        for task, own in zip(tasks, before, strict=True):
            task.retry_delay = own
