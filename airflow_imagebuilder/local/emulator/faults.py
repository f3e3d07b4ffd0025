"""Faults: calls that get an error, a broken connection, or a slow or broken answer, on demand."""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: The kinds of faults; the last three damage the answer of a call that was carried out.
KINDS = ("error", "reset", "delay", "hang", "truncated", "empty", "malformed")
#: The kinds whose request is carried out, unless the fault says otherwise.
PERFORMED = frozenset({"delay", "truncated", "empty", "malformed"})


@dataclass
class Fault:
    """One fault; the docstring of :mod:`.scenario` describes each member.

    :param installed: when its window was opened, in real seconds.
    :param met: how many calls it could have hit.
    :param fired: how many calls it has hit.
    """

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
        """Whether the service carries the request out, even if the client gets no good answer."""
        return self.kind in PERFORMED if self.performed is None else self.performed

    def is_open(self, now: float) -> bool:
        """Whether its window is open and it may still fire.

        :param now: real seconds, on the clock of ``installed``.
        """
        age = now - self.installed
        if age < self.start or (self.lasts is not None and age >= self.start + self.lasts):
            return False
        return self.times is None or self.fired < self.times


class Faults:
    """The installed faults, and how often each has fired.

    :param seed: makes faults with a rate hit the same calls in every run.
    :param now: a clock of real seconds that never goes back.
    """

    def __init__(self, seed: int | str | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._random = random.Random(seed)
        self._now = now
        self._faults: list[Fault] = []

    def install(self, *faults: Fault) -> None:
        """Add faults; their windows begin now."""
        for fault in faults:
            fault.installed = self._now()
            self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def pick(self, operation: str) -> Fault | None:
        """Return the fault that hits a call: the first that fits and is open; None without one."""
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
        """Return the faults with their counts."""
        return [asdict(fault) for fault in self._faults]
