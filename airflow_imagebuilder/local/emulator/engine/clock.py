"""The virtual clock of the local service, and its timers."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def iso(moment: float) -> str:
    """Write a moment as Image Builder writes it.

    :param moment: seconds since the epoch.
    :return: for example ``2026-11-24T03:10:00.250Z``.
    """
    text = datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


#: The last moment of virtual time, in the year 9000, which every date and time can hold.
END = 221_845_392_000.0


class Clock:
    """Virtual time: real time multiplied, or turned by hand.

    :param speed: virtual seconds per real second; 0 means that only :meth:`advance` moves the clock.
    :param start: virtual seconds since the epoch to begin at; now by default.
    :param real: the source of real time, in seconds since the epoch.
    """

    def __init__(
        self, speed: float = 0.0, *, start: float | None = None, real: Callable[[], float] = time.time
    ) -> None:
        self._real = real
        self._base_real = real()
        self._base = self._base_real if start is None else start
        self._speed = speed
        self._frozen: float | None = None

    @property
    def speed(self) -> float:
        """Virtual seconds per real second."""
        return self._speed

    def real(self) -> float:
        """Real seconds since the epoch."""
        return self._real()

    def now(self) -> float:
        """Virtual seconds since the epoch; while a timer runs, the moment at which it was due."""
        if self._frozen is not None:
            return self._frozen
        # The machine's clock may be set back; virtual time must not follow it.
        return min(END, self._base + max(0.0, self._real() - self._base_real) * self._speed)

    def real_of(self, virtual: float) -> float:
        """Convert a virtual moment into real time, as if the present speed had never changed.

        :param virtual: virtual seconds since the epoch.
        :return: real seconds since the epoch; now if the clock only moves by :meth:`advance`.
        """
        if not self._speed:
            return self._real()
        return self._base_real + (virtual - self._base) / self._speed

    def set_speed(self, speed: float) -> None:
        """Continue from the present virtual moment at another speed.

        :param speed: virtual seconds per real second, not negative.
        :raises ValueError: for a negative speed.
        """
        if speed < 0:
            raise ValueError(f"speed: {speed} is negative; allowed are 0 (turned by hand) and more")
        self._rebase(self.now(), speed)

    def _rebase(self, virtual: float, speed: float) -> None:
        self._base, self._base_real, self._speed = virtual, self._real(), speed

    def advance(self, seconds: float) -> None:
        """Move the clock forward by hand.

        :param seconds: virtual seconds, not negative.
        :raises ValueError: for a negative number; virtual time never goes back.
        """
        if seconds < 0:
            raise ValueError(f"advance: {seconds} is negative; virtual time never goes back")
        self._rebase(self.now() + seconds, self._speed)

    def wait(self, virtual: float) -> None:
        """Continue from an earlier virtual moment: time waits for what must happen first.

        :param virtual: virtual seconds since the epoch, not after the present moment.
        """
        self._rebase(min(virtual, self.now()), self._speed)

    def freeze(self, virtual: float | None) -> None:
        """Stop the clock at a moment while a timer runs that was due then; None releases it."""
        self._frozen = virtual


@dataclass(order=True, frozen=True)
class Timer:
    """One thing that will happen: when, what, to which execution or image, and in which account."""

    due: float
    number: int
    kind: str = field(compare=False)
    args: tuple[Any, ...] = field(compare=False)
    account: str = field(compare=False, default="")


class Timers:
    """Timers in the order of their moments; of two for one moment, the one that was set first."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._numbers = 0

    def add(self, due: float, kind: str, *args: Any, account: str = "") -> None:
        """Set a timer for a virtual moment.

        :param account: whose timer it is.
        """
        self._numbers += 1
        heapq.heappush(self._heap, Timer(due, self._numbers, kind, args, account))

    def next_due(self) -> float | None:
        """The virtual moment of the next timer; None without a timer."""
        return self._heap[0].due if self._heap else None

    def pop_due(self, now: float) -> Timer | None:
        """Remove the next timer and return it; None if its moment has not come."""
        return heapq.heappop(self._heap) if self._heap and self._heap[0].due <= now else None
