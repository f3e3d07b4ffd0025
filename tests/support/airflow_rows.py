"""Rows of Airflow's database: Dags, runs, task instances and XComs, without a scheduler."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, delete, insert, select

from airflow_imagebuilder.xcom import BUILD_KEY, FINDINGS_KEY, LIVE_BUILD_KEY
from tests.support.image_records import build, findings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOW = datetime(2026, 11, 2, 6, tzinfo=timezone.utc)


class Rows:
    """Writes rows. A Dag, a run and a task instance are made at their first mention."""

    def __init__(self, session: Session) -> None:
        from airflow.models.dagbundle import DagBundleModel

        self._session = session
        self._runs: dict[tuple[str, str], int] = {}
        self._dags: set[str] = set()
        self._instances: set[tuple[str, str, str, int]] = set()
        self._pending: dict[Any, list[dict[str, Any]]] = {}
        if not session.scalar(select(DagBundleModel.name).where(DagBundleModel.name == "tests")):
            self._one(DagBundleModel, name="tests", active=True)

    def dag(self, dag_id: str) -> None:
        from airflow.models.dag import DagModel

        if dag_id in self._dags:
            return
        self._dags.add(dag_id)
        members = {
            "dag_id": dag_id,
            "is_paused": False,
            "is_stale": False,
            "bundle_name": "tests",
            "max_active_tasks": 16,
            "max_active_runs": 16,
            "max_consecutive_failed_dag_runs": 0,
            "has_task_concurrency_limits": False,
            "timetable_type": "",
            "partition_mapper_info": {},
        }
        columns = {column.name for column in DagModel.__table__.columns}
        self._one(DagModel, **{name: value for name, value in members.items() if name in columns})

    def run(self, dag_id: str, run_id: str = "run-1", state: str = "running") -> int:
        from airflow.models.dagrun import DagRun

        self.dag(dag_id)
        key = (dag_id, run_id)
        if key not in self._runs:
            number = self._runs[key] = 1 + (max(self._runs.values()) if self._runs else self._newest_run())
            self._one(
                DagRun.__table__,
                id=number,
                dag_id=dag_id,
                run_id=run_id,
                state=state,
                run_type="manual",
                run_after=NOW,
                start_date=NOW,
                clear_number=0,
            )
        return self._runs[key]

    def instance(
        self,
        dag_id: str,
        run_id: str = "run-1",
        task_id: str = "image",
        map_index: int = -1,
        *,
        state: str | None = "success",
        try_number: int = 1,
    ) -> None:
        from airflow.models.taskinstance import TaskInstance

        self.run(dag_id, run_id)
        key = (dag_id, run_id, task_id, map_index)
        if key in self._instances:
            return
        self._instances.add(key)
        self._later(
            TaskInstance.__table__,
            id=_identity(TaskInstance.__table__.c.id.type),
            dag_id=dag_id,
            run_id=run_id,
            task_id=task_id,
            map_index=map_index,
            state=state,
            try_number=try_number,
            max_tries=0,
            pool="default_pool",
            pool_slots=1,
        )

    def xcom(  # noqa: PLR0917 - the key of the table
        self,
        key: str,
        value: Any,
        dag_id: str = "bake",
        run_id: str = "run-1",
        task_id: str = "image",
        map_index: int = -1,
        *,
        age: float = 0,
        **instance: Any,
    ) -> None:
        """Write an XCom, ``age`` seconds ago; ``instance`` has the state and the try of its task."""
        from airflow.models.xcom import XComModel

        self.instance(dag_id, run_id, task_id, map_index, **instance)
        self._later(
            XComModel.__table__,
            dag_run_id=self._runs[dag_id, run_id],
            task_id=task_id,
            map_index=map_index,
            key=key,
            dag_id=dag_id,
            run_id=run_id,
            value=value,
            timestamp=NOW - timedelta(seconds=age),
        )

    def flush(self) -> None:
        """Write what has been collected; the order is that of foreign keys."""
        for table in sorted(self._pending, key=lambda one: one.name == "xcom"):
            self._session.execute(insert(table), self._pending[table])
        self._pending.clear()
        self._session.commit()

    def _newest_run(self) -> int:
        from airflow.models.dagrun import DagRun

        return max([0, *map(int, self._session.scalars(select(DagRun.id)))])

    def _one(self, table: Any, **members: Any) -> None:
        self._session.execute(insert(table), [members])

    def _later(self, table: Any, **members: Any) -> None:
        self._pending.setdefault(table, []).append(members)


def emptied(session: Session) -> None:
    """Remove the rows of every table that :class:`Rows` writes."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel

    for model in (XComModel, TaskInstance, DagRun, DagModel):
        session.execute(delete(model.__table__))
    session.commit()


def fill(session: Session, images: int = 10_000, runs: int = 1_000, dags: int = 10, names: int = 50) -> None:
    """
    Write images with their records, findings of half of them, and twice as many other XComs.

    :param session: a session of an Airflow database that has its tables.
    :param images: number of images, spread over the runs.
    :param runs: number of runs, spread over the Dags.
    :param dags: number of Dags.
    :param names: number of names that the images share.
    """
    rows = Rows(session)
    for number in range(images):
        run = number * runs // images
        place: dict[str, Any] = {"dag_id": f"bake-{run % dags}", "run_id": f"run-{run}", "map_index": number}
        record = build(
            number, f"golden-{number % names}", begun=number * 300, duration=900.0 + number * 7919 % 600
        )
        rows.xcom(BUILD_KEY, record, **place)
        if number % 100 == 0:  # what a triggerer wrote late; the worker had removed it
            rows.xcom(LIVE_BUILD_KEY, {**record, "status": "DISTRIBUTING", "ended": False}, **place, age=60)
        if number % 2:
            rows.xcom(FINDINGS_KEY, findings(record["arn"], high=number % 5), **place)
        for other in range(2):
            rows.xcom(f"other-{other}", {"rows": [number] * 20}, **place)
        if number % 1000 == 999:
            rows.flush()
    rows.flush()


def _identity(kind: Any) -> Any:
    """Return a new id: text before Airflow 3.1."""
    identity = uuid.uuid4()
    # SQLAlchemy 1.4 wraps a type that differs between databases.
    return str(identity) if isinstance(getattr(kind, "impl", kind), String) else identity
