"""Waits that poll, and waits that listen as well: calls, CPU time and latency."""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.service import bench
from benchmarks.tables import table
from benchmarks.waits import Case, quantile

POLLED, HEARD = "polled", "by events"
HEADS = [
    "images", "pattern", "lists", "ends", "calls per second allowed", "calls per image",
    "SQS calls per image", "CPU s", "end to event: median s", "99 % s", "last s", "lost", "load",
]  # fmt: skip


@dataclass(frozen=True)
class Listening(Case):
    """
    One measurement.

    :param pattern: ``package`` or ``package, no lists``, as for :class:`benchmarks.waits.Case`.
    :param heard: whether a queue announces the ends.
    :param together: whether all images end at the same time, after ``life`` seconds.
    """

    heard: bool = False
    together: bool = False
    env: dict[str, str] = field(default_factory=dict)

    def run(self, home: Path) -> list[Any]:
        """Measure, and return the row of a table."""
        load = os.getloadavg()[0]
        with bench(home) as served:
            if self.heard:
                self.env["AIRFLOW__IMAGEBUILDER__QUEUE_URL"] = served.queue()
            arns = served.fill(self.images, life=self.life, together=self.together)
            served.count()
            served.service.control(faults=self._faults())
            measured = self._child(arns, served)
            ends, calls = served.ends(), served.calls()
        late = sorted(at - ends[arn] for arn, at in measured["ended"].items())
        print(f"    {calls}, {measured['queue_calls']} SQS, {measured['seconds']:.0f} s", flush=True)
        return [
            self.images, HEARD if self.heard else POLLED, "no" if "no lists" in self.pattern else "yes",
            "together" if self.together else "spread", self.rate, sum(calls.values()) / self.images,
            measured["queue_calls"] / self.images, measured["cpu"], quantile(late, 0.5),
            quantile(late, 0.99), late[-1] if late else None, measured["lost"], load,
        ]  # fmt: skip


def cases(images: int = 1000) -> list[Listening]:
    """Return the measurements: ends spread over two intervals of 5 s, and together at the default rate."""
    patterns = [(pattern, heard) for pattern in ("package", "package, no lists") for heard in (False, True)]
    return [Listening(images, pattern, life=20, interval=5.0, heard=heard) for pattern, heard in patterns] + [
        Listening(images, pattern, life=45, interval=30.0, rate=10.0, heard=heard, together=True)
        for pattern, heard in patterns
    ]


def main() -> None:
    """Measure these alone, and print their table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.listening", description=__doc__)
    options.add_argument("--images", type=int, default=1000)
    images: int = options.parse_args().images
    rows = []
    with tempfile.TemporaryDirectory(prefix="imagebuilder-bench-") as home:
        for case in cases(images):
            rows.append(case.run(Path(home)))
            print(table(HEADS, rows), flush=True)


if __name__ == "__main__":
    main()
