"""The deadline of docs/how-to/dags/deadline.py, of a second instead of hours, for a run that lasts longer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "dags" / "deadline.py"
names: dict[str, Any] = {}
# Without the Dag of the page, which this file would define once more.
exec(PAGE.read_text("utf-8").partition("\nwith DAG(")[0], names)
deadline: dict[str, Any] = names["DEADLINE"]
for alert in deadline.values():
    alert.interval = timedelta(seconds=1)

with DAG("late", schedule=None, **deadline):

    @task
    def sleep() -> None:
        import time

        time.sleep(12)

    sleep()
