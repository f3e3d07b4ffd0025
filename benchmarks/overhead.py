"""
Airflow's own overhead for an image with eight tests: the time of the run less the time that AWS needs.

``python -m benchmarks.overhead`` starts a local service and an Airflow, bakes the image, one run after
another, and prints a Markdown table.
"""

# ruff: noqa: TID251  # the benchmarks measure against the local service

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.airflow_client import TERMINAL
from airflow_imagebuilder.local.stack.image_builder import LocalService
from benchmarks.tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence

DAGS = Path(__file__).parent / "dags"
SPEED = 600.0
# Shares of an image's time; eight tests run in two waves of five.
SHARES = {"pending": 0.01, "creating": 0.02, "build": 0.45, "gap": 0.0, "test": 0.2, "integration": 0.0}
CASES = ((2, 30.0), (2, 90.0), (30, 90.0))
HEADS = (
    "polls every (s)",
    "image needs (s)",
    "run takes (s)",
    "overhead (s)",
    "before CreateImage (s)",
    "after the end (s)",
    "most worker slots while AWS tests",
)


@dataclass(frozen=True)
class Measured:
    """One run, in seconds since the epoch."""

    began: float
    submitted: float
    done: float
    ended: float
    slots: int

    def row(self, interval: int) -> Sequence[Any]:
        needed, took = self.done - self.submitted, self.ended - self.began
        before, after = self.submitted - self.began, self.ended - self.done
        return (interval, needed, took, took - needed, before, after, self.slots)


def measure(airflow: AirflowStack, service: LocalService, interval: int, seconds: float) -> Measured:
    """Bake one image that takes ``seconds`` in real time."""
    service.control(durations={name: share * seconds * SPEED for name, share in SHARES.items()})
    dag_id, known = f"overhead_{interval}", len(service.records()["images"])
    airflow.api.wait_for_dag(dag_id)
    airflow.api.unpause(dag_id)
    run_id = airflow.api.trigger(dag_id)
    slots = [0]
    deadline = time.monotonic() + seconds + 300
    while (run := airflow.api.run(dag_id, run_id))["state"] not in TERMINAL:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{run_id}: {airflow.api.states(dag_id, run_id)}")
        images = service.records()["images"][known:]
        states = airflow.api.states(dag_id, run_id)
        if images and watched(states) and images[0]["status"] == "TESTING":
            slots.append(sum(state in {"queued", "running"} for state in states.values()))
        time.sleep(1)
    if run["state"] != "success":
        raise RuntimeError(f"{run_id} ended {run['state']}: {airflow.api.states(dag_id, run_id)}")
    history = service.records()["images"][known]["history"]
    began, ended = (
        datetime.fromisoformat(run[key].replace("Z", "+00:00")) for key in ("start_date", "end_date")
    )
    return Measured(began.timestamp(), history[0]["real"], history[-1]["real"], ended.timestamp(), max(slots))


def watched(states: dict[str, str | None]) -> bool:
    """Return whether the image and five tests, all that can wait together, are deferred."""
    tests = [state for name, state in states.items() if ".test[" in name]
    return states["bake.image"] == "deferred" and tests.count("deferred") == 5


def rows(home: Path, runs: int = 2) -> list[Sequence[Any]]:
    """Measure every case ``runs`` times, and return the best of each."""
    with (
        LocalService(speed=SPEED, home=home / "imagebuilder") as service,
        AirflowStack(home / "airflow", DAGS, service.env) as airflow,
    ):
        measure(airflow, service, 2, 10)  # the first run imports and compiles
        return [
            min((measure(airflow, service, *case).row(case[0]) for _ in range(runs)), key=lambda row: row[3])
            for case in CASES
        ]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Airflow's overhead for an image with eight tests.")
    parser.add_argument("--runs", type=int, default=2, help="runs per case; the best is printed (default 2)")
    runs: int = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="imagebuilder-bench-") as home:
        print(table(HEADS, rows(Path(home), runs)))


if __name__ == "__main__":
    main()
