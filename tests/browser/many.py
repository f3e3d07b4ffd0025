"""Records that no run has made: thousands of images, and one with markup in every text."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from airflow_imagebuilder.xcom import BUILD_KEY, WORKFLOW_KEY
from tests.support.airflow_rows import Rows, fill
from tests.support.image_records import build, monitored, steps, workflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.stack.airflow import AirflowStack

IMAGES, RUNS, NAMES = 3000, 300, 50
HOSTILE_DAG, HOSTILE_RUN = "hostile", "manual__2026-01-01T00:00:00+00:00"
MARKUP = '"\'><img src=x onerror="window.owned=1"><script>window.owned=1</script><b class=owned>'
_STRUCTURE = frozenset({"schema", "arn", "type", "status", "execution_id"})
"""Members whose values the pages compare; every other text becomes markup."""


@contextmanager
def session(airflow: AirflowStack) -> Iterator[Session]:
    """Open the database of an Airflow that runs."""
    engine = create_engine(airflow.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    try:
        with Session(engine) as opened:
            yield opened
    finally:
        engine.dispose()


def add_many(airflow: AirflowStack) -> None:
    """Add thousands of images."""
    with session(airflow) as opened:
        fill(opened, IMAGES, RUNS, dags=5, names=NAMES)
        _end_runs(opened)


def add_hostile(airflow: AirflowStack) -> None:
    """Add a failed image with markup in every text of its records."""
    place: dict[str, Any] = {"dag_id": HOSTILE_DAG, "run_id": HOSTILE_RUN}
    test = workflow("boot", "TEST", 600, 900, "FAILED", parallel_group="functional", message="failed")
    failure = dict.fromkeys(("stage", "workflow", "step", "component", "message", "advice", "text"), "failed")
    record = build(1, "hostile", status="FAILED", reason="failed", failure=failure)
    record["workflows"] = [*record["workflows"], test]
    record["containers"] = [{"region": "us-east-1", "image_uris": ["uri"]}]
    seen = monitored(
        test, record["arn"], 900, steps=steps("Launch", "Run", status="FAILED", message="failed")
    )
    with session(airflow) as opened:
        rows = Rows(opened)
        rows.xcom(BUILD_KEY, poisoned(record), **place, state="failed")
        rows.xcom(WORKFLOW_KEY, poisoned(seen), **place, task_id="boot", state="failed")
        rows.flush()
        _end_runs(opened)


def poisoned(value: Any, name: str = "") -> Any:
    """Return a record with markup before every text that may come from outside; times stay times."""
    if isinstance(value, dict):
        return {key: poisoned(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [poisoned(item, name) for item in value]
    if not isinstance(value, str) or name in _STRUCTURE or _is_time(value):
        return value
    return MARKUP + value


def _is_time(value: str) -> bool:
    return value[:2] == "20" and value.endswith("Z")


def _end_runs(opened: Session) -> None:
    # A scheduler that runs would ask again and again for the Dags of runs that are not at their end.
    opened.execute(text("UPDATE dag_run SET state = 'success' WHERE dag_id NOT LIKE 'scene_%'"))
    opened.commit()
