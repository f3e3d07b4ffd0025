"""The application of the pages, mounted as Airflow mounts it, with users of different rights."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event

from airflow_imagebuilder.pages import PREFIX
from airflow_imagebuilder.ui.app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

ADMIN, ONE_DAG = "admin", "one-dag"


class OneDagManager(SimpleAuthManager):
    """An auth manager with a user who may read the Dag ``bake`` alone."""

    def is_authorized_dag(
        self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None
    ) -> bool:
        if user.username == ONE_DAG and details is not None and details.id not in {None, "bake"}:
            return False
        return bool(
            super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
        )


def served(root_path: str = "") -> FastAPI:
    """Return an application as Airflow's API server: ours is mounted in it."""
    from airflow.api_fastapi import app as airflow_app

    manager = OneDagManager()  # type: ignore[no-untyped-call]
    if hasattr(airflow_app, "_AuthManagerState"):
        airflow_app._AuthManagerState.instance = manager
    else:  # before 3.1
        airflow_app.auth_manager = manager  # type: ignore[attr-defined]
    root = FastAPI(root_path=root_path)
    root.mount(PREFIX, create_app())
    return root


def token_of(user: str) -> str:
    """Return a token as the login of the simple auth manager makes it."""
    return str(
        OneDagManager().generate_jwt(  # type: ignore[no-untyped-call]
            SimpleAuthManagerUser(username=user, role="admin" if user == ADMIN else "viewer")
        )
    )


def client(user: str | None = ADMIN, app: FastAPI | None = None) -> TestClient:
    """Return a client that is logged in, by its header; ``None`` without a login."""
    headers = {"Authorization": f"Bearer {token_of(user)}"} if user else {}
    return TestClient(app or served(), headers=headers, follow_redirects=False, raise_server_exceptions=False)


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """Collect the statements that run in the block."""
    from airflow import settings

    statements: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    engine = settings.engine
    assert engine is not None
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", count)
