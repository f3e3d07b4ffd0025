"""A real triggerer with many deferred tasks: how long until all finish, and how long its loop blocks."""

# ruff: noqa: TID251  # the benchmarks measure against the local service

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_imagebuilder.local.stack.airflow import AirflowStack
from benchmarks.service import Bench, bench

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 900.0
HEADS = [
    "deferred tasks", "pattern", "until all are deferred s", "last image to last task s",
    "image to task: median s", "99 % s", "blocked-loop warnings", "longest s", "triggerer CPU s",
    "triggerer MB", "calls", "not finished", "load",
]  # fmt: skip
PATTERNS = {
    "nothing but Airflow": "benchmarks.ending.IdleEnding",
    "stock": "benchmarks.ending.StockEnding",
    "package": "benchmarks.ending.PackageEnding",
}


def _rows(stack: AirflowStack, query: str) -> list[tuple[Any, ...]]:
    path = stack.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///").partition("?")[0]
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(query).fetchall()


def _states(stack: AirflowStack) -> Counter[str]:
    return Counter(dict(_rows(stack, "select state, count(*) from task_instance group by state")))


def _running(stack: AirflowStack) -> int:
    [(count,)] = _rows(stack, "select count(*) from trigger where triggerer_id is not null")
    return int(count)


def _until(stack: AirflowStack, reached: Any) -> float:
    """Wait until ``reached`` returns true, and return the time."""
    end = time.monotonic() + PATIENCE
    while not reached() and time.monotonic() < end:
        if (dead := stack.dead()) is not None:
            raise RuntimeError(dead)
        time.sleep(0.5)
    return time.time()


def _family(pid: int) -> list[int]:
    """Return the ids of a process and of all processes that it has started."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found = [pid]
    for one in found:
        found.extend(parents.get(one, []))
    return found


def _spent(pids: list[int]) -> tuple[float, float]:
    """Return the CPU seconds and the peak megabytes of processes."""
    cpu = memory = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        status = Path(f"/proc/{pid}/status").read_text()
        memory += int(status.split("VmHWM:")[1].split()[0]) / 1024
    return cpu, memory


def _ended(stack: AirflowStack, arns: list[str]) -> dict[str, float]:
    """Return when the task of each image finished."""
    query = "select run_id, end_date from task_instance where state = 'success'"
    return {
        arns[int(run.removeprefix("wait_"))]: datetime.fromisoformat(end)
        .replace(tzinfo=timezone.utc)
        .timestamp()
        for run, end in _rows(stack, query)
    }


def measure(pattern: str, tasks: int, home: Path, *, life: float = 40.0, interval: float = 5.0) -> list[Any]:
    """Defer ``tasks`` tasks on a real triggerer, let the images finish, and return the row of a table."""
    home.mkdir(parents=True, exist_ok=True)
    with bench(home / "service") as served:
        arns = served.fill(tasks, life=life)
        env = {
            **served.service.env,
            "PYTHONPATH": str(REPOSITORY),
            "BENCH_TRIGGER": PATTERNS[pattern],
            "BENCH_INTERVAL": str(interval),
            "AIRFLOW__TRIGGERER__CAPACITY": str(tasks + 10),
            "AIRFLOW__IMAGEBUILDER__MAX_CALLS_PER_SECOND": "1000",
        }
        with AirflowStack(home / "airflow", REPOSITORY / "benchmarks" / "dags", env) as stack:
            return _measure(pattern, stack, served, arns)


def _measure(pattern: str, stack: AirflowStack, served: Bench, arns: list[str]) -> list[Any]:
    load = os.getloadavg()[0]
    stack.api.wait_for_dag("waits", 180)
    stack.api.unpause("waits")
    served.count()
    began = time.time()
    for number, arn in enumerate(arns):
        stack.api.trigger("waits", {"arn": arn}, f"wait_{number}")
    deferred = _until(stack, lambda: _running(stack) >= len(arns)) - began
    served.service.control(speed=1)
    _until(stack, lambda: _states(stack)["success"] + _states(stack)["failed"] >= len(arns))
    cpu, memory = _spent(_family(stack.pids["triggerer"]))
    ends, tasks, calls = served.ends(), _ended(stack, arns), served.calls()
    late = sorted(tasks[arn] - ends[arn] for arn in tasks) if calls else []
    log = stack.log("triggerer").read_text()
    blocked = [float(seconds) for seconds in re.findall(r"blocked for ([0-9.]+) seconds", log)]
    return [
        len(arns), pattern, deferred, max(tasks.values()) - max(ends.values()) if late else None,
        late[len(late) // 2] if late else None, late[int(len(late) * 0.99)] if late else None,
        len(blocked), max(blocked, default=0.0), cpu, memory, sum(calls.values()),
        len(arns) - len(tasks), load,
    ]  # fmt: skip
