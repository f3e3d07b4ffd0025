"""The deadline of docs/how-to/dags/deadline.py, of a second instead of hours, for a run that lasts longer."""

from __future__ import annotations

import runpy
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, task

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "dags" / "deadline.py"
deadline = runpy.run_path(str(PAGE))["DEADLINE"]
for alert in deadline.values():
    alert.interval = timedelta(seconds=1)

with DAG("late", schedule=None, **deadline):

    @task
    def sleep() -> None:
        import time

        time.sleep(12)

    sleep()
