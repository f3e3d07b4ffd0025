"""Faults of the API on demand: error codes, broken connections, slow and broken answers."""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a fault can do; the last three spoil an answer after the work has been done.
KINDS = ("error", "reset", "delay", "hang", "truncated", "empty", "malformed")
#: Kinds whose request is carried out unless the fault says otherwise.
PERFORMED = frozenset({"delay", "truncated", "empty", "malformed"})


@dataclass
class Fault:
    """One fault; the scenario's schema tells what each member means."""

    operation: str = "*"
    kind: str = "error"
    code: str = "ServiceUnavailableException"
    status: int | None = None
    message: str = "On demand of the scenario"
    times: int | None = None
    rate: float = 1.0
    start: float = 0.0
    lasts: float | None = None
    skip: int = 0
    seconds: float = 5.0
    performed: bool | None = None
    installed: float = 0.0
    met: int = 0
    fired: int = 0

    @property
    def is_performed(self) -> bool:
        """Whether the service does what the request asks for, though the client may not learn it."""
        return self.kind in PERFORMED if self.performed is None else self.performed

    def is_open(self, now: float) -> bool:
        """Whether its window is open and it has not fired often enough."""
        age = now - self.installed
        if age < self.start or (self.lasts is not None and age >= self.start + self.lasts):
            return False
        return self.times is None or self.fired < self.times


class Faults:
    """The faults that are installed, and how often each has fired.

    :param seed: makes the ones with a rate hit the same calls in every run.
    :param now: real time, in seconds.
    """

    def __init__(self, seed: int | str | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._random = random.Random(seed)
        self._now = now
        self._faults: list[Fault] = []

    def install(self, *faults: Fault) -> None:
        """Add faults; their windows are counted from now."""
        for fault in faults:
            fault.installed = self._now()
            self._faults.append(fault)

    def clear(self) -> None:
        """Take all faults away."""
        self._faults.clear()

    def pick(self, operation: str) -> Fault | None:
        """The fault that hits a call, if any: the first that fits and is open."""
        if not self._faults:
            return None
        now = self._now()
        for fault in self._faults:
            if fault.operation in ("*", operation) and fault.is_open(now) and self._hits(fault):
                fault.fired += 1
                return fault
        return None

    def _hits(self, fault: Fault) -> bool:
        fault.met += 1
        return fault.met > fault.skip and (fault.rate >= 1 or self._random.random() < fault.rate)

    def records(self) -> list[dict[str, Any]]:
        """The faults with their counts."""
        return [asdict(fault) for fault in self._faults]
