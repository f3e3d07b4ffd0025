"""
A hundred waits in one process, on one event loop, with the triggers driven directly.

``python -m tests.faults.waits ours|stock`` prints ``ready`` once everything is imported, reads a line with
a JSON list of ARNs, waits for all of them at once, prints ``polling`` once every wait has its client, and
at the end a JSON object: endings, and how many.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger

from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

POLL_INTERVAL = 5
LIMIT = 600
"""Seconds that a wait may last."""


class StockHook(AwsGenericHook[Any]):  # type: ignore[misc]  # follow_imports = skip
    """What a Dag author writes today: the provider's generic hook, with a waiter of their own."""

    clients = 0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(client_type="imagebuilder", **kwargs)

    async def get_async_conn(self, *args: Any, **kwargs: Any) -> Any:
        client = await super().get_async_conn(*args, **kwargs)
        StockHook.clients += 1
        return client

    @property
    def waiter_path(self) -> Path:
        return Path(__file__).with_name("imagebuilder_waiters.json")


class StockTrigger(AwsBaseWaiterTrigger):  # type: ignore[misc]  # follow_imports = skip
    """The provider's waiter trigger over that waiter."""

    def __init__(self, arn: str) -> None:
        super().__init__(
            serialized_fields={},
            waiter_name="image_available",
            waiter_args={"imageBuildVersionArn": arn},
            failure_message="Image build failed",
            status_message="Image is",
            status_queries=["image.state.status"],
            return_value=arn,
            waiter_delay=POLL_INTERVAL,
            waiter_max_attempts=LIMIT // POLL_INTERVAL,
            aws_conn_id="aws_default",
        )

    def hook(self) -> StockHook:
        return StockHook(aws_conn_id=self.aws_conn_id)


async def ours(arn: str) -> str:
    """Wait with this package's trigger."""
    trigger = ImageBuilderImageTrigger(
        image_build_version_arn=arn, deadline=time.time() + LIMIT, poll_interval=POLL_INTERVAL
    )
    events = [event.payload async for event in trigger.run()]
    ended = events[0]["outcome"] == "ended" and events[0]["status"] == "AVAILABLE"
    return "done" if ended else f"{events[0]['outcome']}: {events[0]['message']}"


async def stock(arn: str) -> str:
    """Wait with the amazon provider's trigger."""
    events = [event.payload async for event in StockTrigger(arn).run()]
    return "done" if events[0]["status"] == "success" else str(events[0].get("message", events[0]))


async def ending(wait: Callable[[str], Awaitable[str]], arn: str) -> str:
    """Return how one wait ended; an exception fails a deferred task as much as a bad event."""
    try:
        return await wait(arn)
    except Exception as error:  # noqa: BLE001 (whatever it is, the wait is lost)
        return f"{type(error).__name__}: {error}"


async def all_endings(wait: Callable[[str], Awaitable[str]], arns: list[str]) -> dict[str, int]:
    """Wait for all images at once, and count the endings, each with its first line."""
    waits = asyncio.gather(*(ending(wait, arn) for arn in arns))
    while wait is stock and StockHook.clients < len(arns) and not waits.done():  # noqa: ASYNC110 (hooks have no loop)
        await asyncio.sleep(0.2)
    send("polling")
    return dict(Counter(text.split("\n")[0].split("arn:")[0][:90] for text in await waits))


def send(line: str) -> None:
    """Send a line to the test."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(kind: str) -> None:
    """Read from and answer the test over standard input and output."""
    send("ready")
    arns = json.loads(sys.stdin.readline())
    send(json.dumps(asyncio.run(all_endings({"ours": ours, "stock": stock}[kind], arns))))


if __name__ == "__main__":
    main(sys.argv[1])
