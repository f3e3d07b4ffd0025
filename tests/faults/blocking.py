"""A badly written trigger of another package: it blocks the event loop of its triggerer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIMIT = 240
"""Seconds after which the trigger stops blocking by itself."""


class BlockingTrigger(BaseTrigger):
    """
    Block until a file ``free`` appears. Only the first triggerer that runs it is blocked.

    :param folder: where ``blocked`` is written, and ``free`` is read.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.folder = folder

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "tests.faults.blocking.BlockingTrigger", {"folder": self.folder}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        blocked, free = Path(self.folder) / "blocked", Path(self.folder) / "free"
        if not blocked.exists():
            blocked.touch()
            end = time.monotonic() + LIMIT
            while not free.exists() and time.monotonic() < end:
                time.sleep(0.1)  # noqa: ASYNC251 (this is the fault)
        yield TriggerEvent("done")
