"""Waits for images: the stock pattern and this package, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.service import bench

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).parents[1]
STEPS = "ListWorkflowStepExecutions"
HEADS = [
    "images", "waits each", "pattern", "CPU s", "KB per wait", "peak MB", "longest block s",
    "longest collection s", "blocks > 0.2 s", "polls", "of images x intervals", "step calls", "connections",
    "terminal to event: median s", "99 % s", "lost", "load",
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """
    One measurement.

    :param images: how many images.
    :param pattern: ``stock``, ``package``, or ``package, no lists`` (ListImageBuildVersions is forbidden).
    :param waits: waits per image.
    :param life: seconds that an image takes at least; at most 1.5 times that.
    :param throttled: share of all calls that is answered 429.
    :param mode: botocore's retry mode.
    :param rate: calls per second that the package may make.
    """

    images: int
    pattern: str
    waits: int = 1
    life: float = 10.0
    interval: float = 5.0
    throttled: float = 0.0
    mode: str | None = None
    rate: float = 1000.0
    env: Mapping[str, str] = field(default_factory=dict)

    def run(self, home: Path) -> list[Any]:
        """Measure, and return the row of a table."""
        load = os.getloadavg()[0]
        with bench(home) as served:
            arns = served.fill(self.images, life=self.life, workflows=self.waits > 1)
            served.count()
            served.service.control(faults=self._faults())
            measured = self._child(arns, served)
            ends, calls, cpu = served.ends(), served.calls(), served.cpu()
        late = sorted(at - ends[arn] for arn, at in measured["ended"].items())
        waits = self.images * self.waits
        intervals = sum(end - measured["began"] for end in ends.values()) / self.interval
        steps = calls.pop(STEPS, 0)
        asked = sum(calls.values())
        lost = [error.partition("\n")[0] for error in measured["errors"][:1]]
        print(f"    {calls}, {steps} {STEPS}", *lost, flush=True)
        print(f"    service {cpu:.1f} CPU s, {measured['seconds']:.0f} s", flush=True)
        return [
            self.images, self.waits, self.pattern, measured["cpu"],
            (measured["rss_peak"] - measured["rss_before"]) / 1024 / waits, measured["rss_peak"] / 2**20,
            measured["longest_block"], measured["collecting"], measured["blocks"], asked, asked / intervals,
            steps, measured["connections"], quantile(late, 0.5), quantile(late, 0.99), measured["lost"],
            load,
        ]  # fmt: skip

    def _faults(self) -> list[dict[str, Any]]:
        faults: list[dict[str, Any]] = []
        if "no lists" in self.pattern:
            faults.append(
                {"operation": "ListImageBuildVersions", "kind": "error", "code": "ForbiddenException"}
            )
        if self.throttled:
            code = "CallRateLimitExceededException"
            faults.append({"kind": "error", "code": code, "status": 429, "rate": self.throttled})
        return faults

    def _child(self, arns: list[str], served: Any) -> dict[str, Any]:
        command = [sys.executable, "-m", "benchmarks.waiting", self.pattern.partition(",")[0]]
        command += [f"--waits={self.waits}", f"--interval={self.interval}"]
        command += [f"--mode={self.mode}"] if self.mode else []
        command += ["--listens"] if "AIRFLOW__IMAGEBUILDER__QUEUE_URL" in self.env else []
        env = {
            **os.environ, **served.service.env, "PYTHONPATH": str(REPOSITORY),
            "AIRFLOW__IMAGEBUILDER__MAX_CALLS_PER_SECOND": str(self.rate), **self.env,
        }  # fmt: skip
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True, cwd=REPOSITORY
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(json.dumps(arns))
            child.stdin.close()
            while child.stdout.readline().strip() not in ("ready", ""):
                pass
            served.service.control(speed=1)
            output = child.stdout.read()
        measured: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        return measured


def quantile(values: list[float], share: float) -> float | None:
    """Return a quantile of sorted values; None if there are none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else None
