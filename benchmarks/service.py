"""A local Image Builder full of images, whose clock is stopped until all waits have begun."""

# ruff: noqa: TID251  # the benchmarks measure against the local service

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.stack.image_builder import LocalService

if TYPE_CHECKING:
    from collections.abc import Iterator

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:"
PATTERN = Path(__file__).parents[1] / "docs" / "how-to" / "events" / "event-pattern.json"

WORKFLOWS: list[tuple[str, str, str | None]] = [
    ("build", "golden-build", None),
    *(("test", name, "functional") for name in ("boot", "network", "services", "storage", "time-sync")),
    ("test", "users", "functional"),
    ("test", "performance", None),
    ("test", "cis-level-1", "security"),
    ("test", "package-audit", "security"),
]
"""Type, name and group of the ten workflows of an image with eleven waits."""


class Bench:
    """
    The service, and the calls that it got.

    :param service: a running local service.
    """

    def __init__(self, service: LocalService) -> None:
        self.service = service
        self._before: dict[str, int] = {}
        self._cpu = 0.0

    def fill(self, images: int, *, life: float, workflows: bool = False, together: bool = False) -> list[str]:
        """
        Create images that finish ``life`` to 1.5 times ``life`` seconds after the clock was started.

        :param together: whether all finish after ``life`` seconds.
        """
        build, test = ([0.5, 0.5], [0.3, 0.3]) if together else ([0.4, 0.7], [0.3, 0.5])
        tests = 4 if workflows else 1  # functional tests run in two waves of five
        self.service.control(
            durations={
                "pending": 0.1, "creating": 0.1, "gap": 0, "integration": 0.1, "distribution": life * 0.2,
                "build": [life * one for one in build], "test": [life * one / tests for one in test],
            }
        )  # fmt: skip
        client, request = self.service.client("imagebuilder"), self._request(workflows=workflows)
        return [client.create_image(**request)["imageBuildVersionArn"] for _ in range(images)]

    def queue(self) -> str:
        """Make a queue that announces the ends of images from now on, and return its URL."""
        # The clock was stopped for a while; an event that seems older than the wait would be ignored.
        self.service.control(advance=86_400)
        sqs, events = self.service.client("sqs"), self.service.client("events")
        url: str = sqs.create_queue(QueueName="imagebuilder-benchmark")["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        events.put_rule(Name="ends", EventPattern=PATTERN.read_text("utf-8"))
        events.put_targets(Rule="ends", Targets=[{"Id": "queue", "Arn": found["QueueArn"]}])
        return url

    def count(self) -> None:
        """Start counting calls and CPU time."""
        self._before, self._cpu = self._calls(), self._spent()

    def calls(self) -> dict[str, int]:
        """Return the calls since :meth:`count`, by operation."""
        counted = {name: count - self._before.get(name, 0) for name, count in self._calls().items()}
        return {name: count for name, count in counted.items() if count}

    def cpu(self) -> float:
        """Return the CPU seconds of the service since :meth:`count`."""
        return self._spent() - self._cpu

    def ends(self) -> dict[str, float]:
        """Return when each image became terminal, in real time."""
        return {one["arn"]: one["history"][-1]["real"] for one in self.service.records()["images"]}

    def _calls(self) -> dict[str, int]:
        return {name: counted["total"] for name, counted in self.service.records()["calls"].items()}

    def _spent(self) -> float:
        [pid] = self.service.pids.values()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def _request(*, workflows: bool) -> dict[str, Any]:
        request: dict[str, Any] = {
            "imageRecipeArn": f"{ARN}image-recipe/golden-al2023/1.0.0",
            "infrastructureConfigurationArn": f"{ARN}infrastructure-configuration/golden-build",
        }
        if workflows:
            request["executionRole"] = "ImageBuilderExecution"
            request["workflows"] = [
                {
                    "workflowArn": f"{ARN}workflow/{kind}/{name}/1.0.0/1",
                    **({"parallelGroup": group} if group else {}),
                }
                for kind, name, group in WORKFLOWS
            ]
        return request


@contextmanager
def bench(home: Path) -> Iterator[Bench]:
    """Run a local service whose clock is stopped."""
    with LocalService(speed=0, home=home) as service:
        yield Bench(service)
