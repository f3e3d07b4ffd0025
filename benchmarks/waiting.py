"""One measurement, in a process of its own: the cost of many waits in one event loop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import json
import logging
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypedDict

from benchmarks.service import WORKFLOWS

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = 0.005


class Measured(TypedDict):
    """The measurements of one process."""

    began: float
    cpu: float
    rss_before: int
    rss_peak: int
    longest_block: float
    blocks: int
    collecting: float
    connections: int
    seconds: float
    queue_calls: int
    ended: dict[str, float]
    lost: int
    errors: list[str]


def rss() -> int:
    """Return the resident memory now, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def peak() -> int:
    """Return the highest resident memory since :func:`forget_peak`, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def forget_peak() -> None:
    """Reset the peak of the resident memory."""
    Path("/proc/self/clear_refs").write_text("5")


def sockets() -> int:
    """Return the number of this process's TCP connections."""
    mine = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            mine.add(str(descriptor.readlink()))
    return sum(
        f"socket:[{line.split()[9]}]" in mine
        for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "01"
    )


def count_queue_calls() -> list[str]:
    """Return a list that grows by each call to SQS from now on."""
    from airflow_imagebuilder.service.client.aio_client import AioClient

    calls, call = list[str](), AioClient.call

    async def counted(self: AioClient, operation: str, **params: Any) -> dict[str, Any]:
        if "QueueUrl" in params:
            calls.append(operation)
        return await call(self, operation, **params)

    AioClient.call = counted  # type: ignore[method-assign]
    return calls


class Loop:
    """Watches the event loop: how long it was blocked, and how many connections there were."""

    def __init__(self) -> None:
        self.longest, self.blocks, self.connections, self.collecting = 0.0, 0, 0, 0.0
        self._collection = 0.0
        gc.callbacks.append(self._collected)

    def _collected(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collection = time.perf_counter()
        else:
            self.collecting = max(self.collecting, time.perf_counter() - self._collection)

    async def run(self) -> None:
        counted = 0.0
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            late = time.perf_counter() - before - TICK
            self.longest, self.blocks = max(self.longest, late), self.blocks + (late > 0.2)
            if time.perf_counter() - counted > 2:
                counted = time.perf_counter()
                self.connections = max(self.connections, await asyncio.to_thread(sockets))


def stock(arn: str, given: argparse.Namespace) -> BaseTrigger:
    """Return a wait of the stock pattern, which does not know workflows: each is for the image."""
    from benchmarks.stock import StockTrigger

    return StockTrigger(
        arn, given.interval, aws_conn_id=None, region_name="us-east-1", botocore_config=_config(given)
    )


def package(arn: str, number: int, given: argparse.Namespace) -> BaseTrigger:
    """Return a wait of the package: the first is for the image, the others are for its workflows."""
    from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger
    from airflow_imagebuilder.triggers.workflow import ImageBuilderWorkflowTrigger

    shared: dict[str, Any] = {
        "image_build_version_arn": arn,
        "poll_interval": given.interval,
        "aws_conn_id": None,
        "region_name": "us-east-1",
        "botocore_config": _config(given),
    }
    if not number:
        # Only the wait of a deferred task listens. Without a kill to ask for, the rest is the same.
        trigger = ImageBuilderImageTrigger(**shared, cancel_on_kill=not given.listens)
        trigger.task_instance = _TASK if given.listens else None
        return trigger
    kind, name, group = WORKFLOWS[number - 1]
    return ImageBuilderWorkflowTrigger(
        workflow_type=kind.upper(), workflow_name=name, parallel_group=group, **shared
    )


_TASK: Any = SimpleNamespace(
    dag_id="bench", run_id="bench", task_id="image", map_index=-1, try_number=1, id="bench"
)


def _config(given: argparse.Namespace) -> dict[str, Any] | None:
    return {"retries": {"mode": given.mode}} if given.mode else None


async def measure(arns: list[str], given: argparse.Namespace) -> Measured:
    ended: dict[str, float] = {}
    errors: list[str] = []

    async def one(arn: str, number: int) -> None:
        trigger = stock(arn, given) if given.pattern == "stock" else package(arn, number, given)
        try:
            event = await anext(aiter(trigger.run()))
        except Exception as error:  # noqa: BLE001 (a lost wait is a result)
            errors.append(f"{type(error).__name__}: {error}")
            return
        payload = event.payload if isinstance(event.payload, dict) else {}
        if "error" in (payload.get("status"), payload.get("outcome")):
            errors.append(str(payload.get("message")))
        elif not number:
            ended[arn] = time.time()

    loop, queue_calls = Loop(), count_queue_calls()
    watch = asyncio.ensure_future(loop.run())
    gc.collect()
    await asyncio.sleep(0.1)
    forget_peak()
    before, cpu, began, started = rss(), time.process_time(), time.perf_counter(), time.time()
    loop.longest = loop.collecting = 0.0
    waits = []
    for arn in arns:
        for number in range(given.waits):
            waits.append(asyncio.ensure_future(one(arn, number)))
            await asyncio.sleep(0)  # as a triggerer starts its triggers
    await asyncio.gather(*waits)
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - began
    watch.cancel()
    return Measured(
        began=started, cpu=cpu, rss_before=before, rss_peak=peak(), longest_block=loop.longest,
        blocks=loop.blocks, collecting=loop.collecting, connections=loop.connections, seconds=seconds,
        queue_calls=len(queue_calls),
        ended=ended, lost=len(errors), errors=errors[:3],
    )  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("pattern", choices=["stock", "package"])
    options.add_argument("--waits", type=int, default=1, help="waits per image")
    options.add_argument("--interval", type=float, default=5.0)
    options.add_argument("--listens", action="store_true", help="as deferred tasks, which read a queue")
    options.add_argument("--mode", help="botocore's retry mode")
    given = options.parse_args()
    logging.disable(logging.INFO)
    arns: list[str] = json.load(sys.stdin)
    # A triggerer has loaded these modules long before its first wait, so they are not counted.
    for name in ("aiobotocore.session", "aiohttp", "benchmarks.stock", "airflow_imagebuilder.triggers"):
        importlib.import_module(name)
    for name in (
        "airflow_imagebuilder.hooks",
        "airflow_imagebuilder.triggers.watch.metrics",
        "airflow_imagebuilder.triggers.watch.queue",
        "airflow_imagebuilder.triggers.watch.settings",
    ):
        importlib.import_module(name)
    importlib.import_module("airflow_imagebuilder.service.watcher.watcher")
    print("ready", flush=True)
    print(json.dumps(asyncio.run(measure(arns, given))), flush=True)


if __name__ == "__main__":
    main()
