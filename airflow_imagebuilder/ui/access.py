"""Who may see what: Airflow's own dependencies, for the routes of the application."""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003 - FastAPI reads it
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from airflow.utils.session import create_session
from fastapi import Depends

from airflow_imagebuilder.ui.reading.reader import Reader

LOGIN = Depends(get_user)
"""Any user of Airflow."""

RECORDS = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))
"""A user who may read XComs: of the Dag in the path, where the path names one."""

RUNS = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
"""A user who may read runs."""

TASKS = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))
"""A user who may read task instances."""


def _reader(user: GetUserDep) -> Iterator[Reader]:
    # The application is mounted: Airflow keeps the auth manager in the state of its own application.
    dags: Any = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    with create_session(scoped=False) as session:
        yield Reader(session, dags)


ReaderOfUser = Annotated[Reader, Depends(_reader)]
"""Reads what tasks of the Dags recorded that the user may read."""
