"""Reads Airflow's database with a bounded number of queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select, tuple_

from airflow_imagebuilder.ui.reading import statements
from airflow_imagebuilder.ui.run_view import values
from airflow_imagebuilder.ui.run_view.builds import Past, recipe_name
from airflow_imagebuilder.ui.run_view.estimate import MOST
from airflow_imagebuilder.ui.run_view.images import counts_of
from airflow_imagebuilder.ui.run_view.records import Place, Stored, is_record, report_skipped
from airflow_imagebuilder.xcom import BUILD_KEY, LIVE_BUILD_KEY, WORKFLOW_KEY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy.orm import Session

    from airflow_imagebuilder.ui.reading.statements import Wanted
    from airflow_imagebuilder.ui.run_view.images import Counts

Identity = tuple[int, str, int, str]


class Reader:
    """
    Reads what tasks recorded, of the Dags that a user may read.

    :param session: a session of Airflow's database.
    :param dags: the ids of these Dags.
    """

    _has_counted_skipped = False

    def __init__(self, session: Session, dags: Collection[str]) -> None:
        self._session = session
        self._dags = dags
        self._dialect = session.get_bind().dialect.name

    def run(self, dag_id: str, run_id: str) -> Any:
        """Return the state, the start and the end of a run; ``None`` if it does not exist."""
        from airflow.models.dagrun import DagRun

        statement = select(DagRun.state, DagRun.start_date, DagRun.end_date).where(
            DagRun.dag_id == dag_id, DagRun.run_id == run_id
        )
        return self._session.execute(statement).first()

    def records_of_run(self, dag_id: str, run_id: str) -> tuple[list[Stored], list[Stored]]:
        """Return the records of images and those of workflows that the tasks of a run wrote."""
        xcom, instance = _models()
        statement = self._with_places(xcom, instance).where(
            xcom.dag_id == dag_id,
            xcom.run_id == run_id,
            xcom.key.in_([BUILD_KEY, LIVE_BUILD_KEY, WORKFLOW_KEY]),
        )
        found = [stored for _, stored in self._stored(statement.order_by(xcom.task_id, xcom.map_index))]
        workflows = [one for one in found if one.key == WORKFLOW_KEY]
        return [one for one in found if one.key != WORKFLOW_KEY], workflows

    def images(self, wanted: Wanted) -> tuple[int, list[Stored]]:
        """Return the number of images in a list, and a part of them."""
        total, rows = self._listed(statements.page(self._dialect, self._dags, wanted))
        stored = self._by_identity(rows)
        return total, [stored[_identity(row)] for row in rows if _identity(row) in stored]

    def names(self, wanted: Wanted) -> tuple[int, list[tuple[int, Stored]]]:
        """Return the number of names in a list, and of a part of them the images and the newest one."""
        total, rows = self._listed(statements.names(self._dialect, self._dags, wanted))
        stored = self._by_identity(rows)
        return total, [(row.versions, stored[_identity(row)]) for row in rows if _identity(row) in stored]

    def findings(self, arns: Collection[str]) -> dict[str, Counts]:
        """Return the findings by severity of images, the newest record of each."""
        if not (arns and self._dags):
            return {}
        found = self._session.scalars(statements.findings(self._dialect, self._dags, arns))
        return {values.text(value, "arn") or "": counts_of(value) for value in found if is_record(value)}

    def past(self, recipes: Collection[str]) -> list[Past]:
        """Return earlier images of recipes, of each recipe the newest first."""
        if not (recipes and self._dags):
            return []
        # The images of this run are among them, and are left out later; several tasks may record one image.
        found = self._session.scalars(statements.history(self._dialect, self._dags, recipes, 5 * MOST))
        past = [one for one in (_past(value) for value in found if is_record(value)) if one]
        return list({one.arn: one for one in past}.values())

    def _listed(self, statement: Any) -> tuple[int, list[Any]]:
        self._count_skipped()
        if not self._dags:
            return 0, []
        rows = list(self._session.execute(statement))
        if rows:
            return rows[0].total, rows
        return self._session.scalar(statements.total(statement)) or 0, []

    def _count_skipped(self) -> None:
        if not Reader._has_counted_skipped:
            Reader._has_counted_skipped = True
            number = self._session.scalar(statements.skipped(self._dialect)) or 0
            report_skipped(number, "they are not objects of a schema that this version reads")

    def _by_identity(self, rows: Collection[Any]) -> dict[Identity, Stored]:
        if not rows:
            return {}
        xcom, instance = _models()
        identity = tuple_(xcom.dag_run_id, xcom.task_id, xcom.map_index, xcom.key)
        statement = self._with_places(xcom, instance).where(identity.in_([_identity(row) for row in rows]))
        return dict(self._stored(statement))

    def _with_places(self, xcom: Any, instance: Any) -> Any:
        same = and_(
            instance.dag_id == xcom.dag_id,
            instance.task_id == xcom.task_id,
            instance.run_id == xcom.run_id,
            instance.map_index == xcom.map_index,
        )
        columns = (xcom.dag_run_id, xcom.dag_id, xcom.run_id, xcom.task_id, xcom.map_index, xcom.key)
        return select(*columns, xcom.value, instance.state, instance.try_number).join(
            instance, same, isouter=True
        )

    def _stored(self, statement: Any) -> Iterable[tuple[Identity, Stored]]:
        rows = list(self._session.execute(statement))
        readable = [row for row in rows if is_record(row.value)]
        report_skipped(len(rows) - len(readable), "they are not objects of a schema that this version reads")
        return [(_identity(row), Stored(row.key, row.value, _place(row))) for row in readable]


def _models() -> tuple[Any, Any]:
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel

    return XComModel, TaskInstance


def _identity(row: Any) -> Identity:
    return row.dag_run_id, row.task_id, row.map_index, row.key


def _place(row: Any) -> Place:
    state = None if row.state is None else str(getattr(row.state, "value", row.state))
    return Place(row.dag_id, row.run_id, row.task_id, row.map_index, state, row.try_number or 0)


def _past(record: Mapping[str, Any]) -> Past | None:
    arn, duration = values.text(record, "arn"), values.number(record, "duration")
    recipe = recipe_name(values.text(record, "recipe"))
    return Past(arn, recipe, duration) if arn and recipe and duration else None
