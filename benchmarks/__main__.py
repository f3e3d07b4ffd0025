"""Measure, print tables, and write them to RESULTS.md. A benchmark asserts nothing."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import imports, listening, pages, throughput, triggerer, waits
from benchmarks.tables import table
from benchmarks.waits import Case

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("apache-airflow", "apache-airflow-providers-amazon", "aiobotocore", "botocore", "moto")
STOCK, LISTS, GETS = "stock", "package", "package, no lists"

CASES: dict[str, list[Case]] = {
    "Waits for as many images": [
        Case(images, pattern) for images in (1, 100, 1000) for pattern in (STOCK, GETS, LISTS)
    ]
    + [Case(5000, GETS, rate=2000), Case(5000, LISTS, rate=2000)],
    "A hundred images with eleven waits each": [
        Case(100, pattern, waits=11, life=60) for pattern in (STOCK, GETS, LISTS)
    ],
    "20 % of all calls answered 429, botocore's mode standard": [
        Case(100, pattern, life=30, throttled=0.2, mode="standard") for pattern in (STOCK, GETS, LISTS)
    ],
    "A thousand images that take longer: calls spared by lists": [
        Case(1000, pattern, life=60) for pattern in (GETS, LISTS)
    ],
}
QUICK: dict[str, list[Case]] = {"Waits": [Case(100, pattern) for pattern in (STOCK, GETS, LISTS)]}

NOTES = """\
## What the columns mean

- CPU: of the process that waits, from its first wait on (without imports).
- KB per wait: growth of the resident set to its peak, with the client (12 MB, once).
- Longest block: the longest time for which the event loop was blocked, also while it made the client.
- Longest collection: the longest pause of Python's garbage collector within a block. It scans all objects of
  an Airflow process.
- Polls: all calls except those for the steps of a workflow. A monitor makes the latter when its workflow or
  one more of its steps has stopped, to log the steps.
- Of images x intervals: polls, as a share of one per image and interval, from the first wait to its end.
- Terminal to event: from the time at which the image became terminal in the local service to the trigger's
  event. The stock pattern polls first at once, the package after five seconds. On a real triggerer a task
  finishes when Airflow has written its state.
- 10,000 images: builds of one version, as golden images are.
- Load: of the machine, over one minute, before the measurement.
- Ends: spread over half of the images' life, or all together. Calls per second allowed: the option
  ``max_calls_per_second``, which is 10 by default.
- "No lists": ListImageBuildVersions is forbidden, so that each image is polled by GetImage.
"""


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--quick", action="store_true", help="one minute instead of twenty")
    options.add_argument("--no-triggerer", action="store_true", help="leave out the real triggerer")
    options.add_argument("--tasks", type=int, default=1000, help="deferred tasks on the real triggerer")
    given = options.parse_args()
    parts = [_head()]
    with tempfile.TemporaryDirectory(prefix="imagebuilder-bench-") as folder:
        home = Path(folder)
        for title, cases in (QUICK if given.quick else CASES).items():
            _add(parts, title, waits.HEADS, [_run(case, home) for case in cases])
        if not given.quick:
            rows = [case.run(home / "service") for case in listening.cases()]
            _add(parts, "Waits that listen", listening.HEADS, rows)
            _add(parts, "Imports and Dag files", imports.HEADS, imports.rows())
            _add(parts, "The pages in Airflow's UI", pages.HEADS, pages.rows(home / "pages"))
            _add(parts, "The local service", throughput.HEADS, throughput.rows(home))
        if not (given.quick or given.no_triggerer):
            rows = [triggerer.measure(one, given.tasks, home / one[:7]) for one in triggerer.PATTERNS]
            _add(parts, "A real triggerer", triggerer.HEADS, rows)
    if not given.quick:
        RESULTS.write_text("\n".join(parts) + f"\n{NOTES}", encoding="utf-8")
        print(f"written to {RESULTS}")


def _run(case: Case, home: Path) -> list[Any]:
    print(f"  {case.images} images, {case.waits} waits each, {case.pattern} ...", flush=True)
    return case.run(home / "service")


def _add(parts: list[str], title: str, heads: list[str], rows: list[list[Any]]) -> None:
    parts.append(f"## {title}\n\n{table(heads, rows)}")
    print(parts[-1], flush=True)


def _head() -> str:
    date = time.strftime("%Y-%m-%d", time.gmtime())
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}"
    return f"# What waiting costs\n\n{date}; {machine}; Python {platform.python_version()}, {packages}.\n"


if __name__ == "__main__":
    main()
