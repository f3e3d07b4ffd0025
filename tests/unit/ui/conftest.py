"""One Airflow database for these tests; each test writes what it needs into an empty one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from airflow.utils.session import create_session

from tests.support.airflow_rows import Rows, emptied
from tests.support.ui_server import client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

os.environ.setdefault("AIRFLOW__API_AUTH__JWT_SECRET", "for-tests-alone-" * 4)


@pytest.fixture
def rows(airflow_database: None) -> Iterator[Rows]:
    """Write rows of Airflow's tables, which are empty before."""
    with create_session(scoped=False) as session:
        emptied(session)
        yield Rows(session)


@pytest.fixture
def admin(rows: Rows) -> TestClient:
    """A client of an admin."""
    return client()
