"""A Dag to make operators and task groups in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow.sdk import DAG

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d", schedule=None) as dag:
        yield dag
