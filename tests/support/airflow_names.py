"""Names of Airflow that have another place in some versions: the tests run on all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk.exceptions import TaskDeferred
else:
    try:
        from airflow.sdk.exceptions import TaskDeferred
    except ImportError:  # before 3.2
        from airflow.exceptions import TaskDeferred

__all__ = ["TaskDeferred"]
