"""Patience: a client that waits while the clock is stopped does not wait without end."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

POLLS = 5
"""Reads in a period of patience that make a wait: a test that steps through an image needs fewer."""


class Clock(Protocol):
    """What a wait is seen from, and what ends it."""

    def records(self) -> Mapping[str, Any]:
        """Return the records of the service."""

    def start_clock(self) -> None:
        """Let the clock run."""


class Patience:
    """Starts a stopped clock again when a client only polls.

    :param clock: the service.
    :param seconds: real seconds of polls, without a move of the clock, after which it starts.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._moved = threading.Event()
        self._ended: threading.Event | None = None
        self.complaint: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether the clock is watched, which means that it is stopped."""
        return self._ended is not None

    def start(self) -> None:
        """Begin to watch; do nothing if it has begun."""
        if self._ended is None:
            self._ended = threading.Event()
            name = "imagebuilder-patience"
            threading.Thread(target=self._watch, args=(self._ended,), name=name, daemon=True).start()

    def stop(self) -> None:
        """Stop to watch."""
        if self._ended is not None:
            self._ended.set()
            self._ended = None

    def renew(self) -> None:
        """Begin the period again: the clock was moved."""
        self._moved.set()

    def _watch(self, ended: threading.Event) -> None:
        self._moved.set()
        since, before = 0.0, 0
        while not ended.wait(min(1.0, self._seconds / 4)):
            # The service may be stopped meanwhile, at the end of the session.
            with suppress(Exception):
                reads = _reads(self._clock.records())
                if self._moved.is_set():
                    self._moved.clear()
                    since, before = time.monotonic(), reads
                elif time.monotonic() - since > self._seconds:
                    if reads - before >= POLLS and not ended.is_set():
                        self._give_up(reads - before)
                    since, before = time.monotonic(), reads

    def _give_up(self, reads: int) -> None:
        self.complaint = (
            f"The clock of the local Image Builder was stopped, and for {self._seconds:g} seconds a client "
            f"polled {reads} times while no advance() came. So the clock was started again. dag.test() and "
            "run_dag() wait in this process: call start_clock() before them, and use stop_clock() and "
            "advance() where the test calls the API step by step."
        )
        self._clock.start_clock()


def _reads(records: Mapping[str, Any]) -> int:
    return sum(c["total"] for name, c in records["calls"].items() if name.startswith(("Get", "List")))
