"""Answers of the API of the pages, with ten thousand images in Airflow's database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HEADS = ["10,000 images, 1,000 runs, SQLite", "Answer, ms", "CPU, ms", "Statements"]
REPOSITORY = Path(__file__).parents[1]
PATHS = (
    "/images",
    "/images?sort=duration",
    "/images?text=golden-7",
    "/images?text=ami-00",
    "/images?offset=9950",
    "/names",
    "/trend?name=golden-3",
    "/dags/bake-1/runs/run-11",
)
REPEATS = 5


def rows(home: Path) -> list[list[Any]]:
    """Measure in a process of its own, since Airflow reads its configuration at the first import."""
    home.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__API_AUTH__JWT_SECRET": "for-measurements-" * 4,
    }
    command = [sys.executable, "-m", "benchmarks.pages"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True
    )
    found: list[list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    import time

    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    from tests.support.airflow_rows import fill
    from tests.support.ui_server import client, counted_queries

    initdb()
    with create_session(scoped=False) as session:
        fill(session)
    admin = client()
    admin.get("/imagebuilder/api/v1/images")  # imports, and what a process does once
    measured = []
    for path in PATHS:
        taken = []
        for _ in range(REPEATS):
            with counted_queries() as queries:
                start, cpu = time.perf_counter(), time.process_time()
                assert admin.get(f"/imagebuilder/api/v1{path}").status_code == 200
                taken.append((time.perf_counter() - start, time.process_time() - cpu))
        answer, cpu = (sorted(part)[REPEATS // 2] * 1000 for part in zip(*taken, strict=True))
        measured.append([f"`{path}`", answer, cpu, len(queries)])
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
