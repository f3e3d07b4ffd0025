"""Both patterns as triggers that finish their task: the worker that would follow costs the same for both."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger
from benchmarks.stock import StockTrigger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

IDLE = 60.0
"""Seconds; longer than a thousand tasks need to be deferred."""


class StockEnding(StockTrigger):
    """The stock pattern."""

    def __init__(self, image_build_version_arn: str, poll_interval: float) -> None:
        super().__init__(image_build_version_arn, poll_interval)
        self.image_build_version_arn, self.poll_interval = image_build_version_arn, poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path, _ = super().serialize()
        arguments = ("image_build_version_arn", "poll_interval")
        return path, {name: getattr(self, name) for name in arguments}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        self.waiter_args = {"imageBuildVersionArn": self.image_build_version_arn}  # rendered by now
        async for _ in super().run():
            yield TaskSuccessEvent()
            return


class PackageEnding(ImageBuilderImageTrigger):
    """This package's trigger."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async for _ in super().run():
            yield TaskSuccessEvent()
            return


class IdleEnding(BaseTrigger):
    """Waits for a time only, to measure what Airflow itself costs."""

    def __init__(self, image_build_version_arn: str, poll_interval: float) -> None:
        super().__init__()
        self.image_build_version_arn, self.poll_interval = image_build_version_arn, poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {
            "image_build_version_arn": self.image_build_version_arn,
            "poll_interval": self.poll_interval,
        }
        return "benchmarks.ending.IdleEnding", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(IDLE + random.uniform(0, 20))
        yield TaskSuccessEvent()
