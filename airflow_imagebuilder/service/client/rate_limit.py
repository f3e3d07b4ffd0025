"""How fast to call: a bucket that a process shares, and a rate that falls when AWS throttles."""

from __future__ import annotations

import asyncio
import enum
import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

CATCH_UP = 0.05
"""Seconds that a call may be late, and the calls after it may catch up: a loop's sleep is never exact."""

_SHORTEST, _LONGEST = 2.0, 10.0
"""Seconds that a window lasts: at least, and before it is judged by fewer calls than it should hold."""
_CALLS_MIXED, _CALLS_SEVERE, _CALLS_CLEAR = 50, 16, 8
"""Calls in a window: where some failed, where at least half failed, and where all or none failed. A mixed
outcome needs more of them: of eight calls four fail now and then where one in five does."""
_SEVERE = 0.5
"""The share of failures from which on the rate falls whatever the cause."""

_CUT = 0.7
_DOUBLE, _STEP = 2.0, 1.25
"""Factors by which the rate rises: quickly up to the last good rate, then with care."""
_RESTART = 0.25
"""The share of the last good rate that the first answer after an outage brings back."""
_PROBE, _SLOW = 0.2, 1.0
"""Calls per second that a fall leaves: where at least half fail, and where fewer fail."""
_HEADROOM = 2.0
"""The rate stays below this multiple of the calls really sent times the cut: few may have been sent because
few were wanted, so that a higher rate is not yet too high."""

_FORGETTING = 0.95
"""What a clean window leaves of the tolerated share: it halves in 14 windows, about half a minute of them.
Failures that had another cause may be caused by these calls now."""
_MUCH_FASTER = 1.6
"""The factor from which on an earlier window is a comparison. One cut is a factor of 1.43, so windows on both
sides of a single cut are not compared."""
_NO_BETTER = 0.85
"""The share of the earlier failures above which slowing down has not helped. If a limit of AWS were the
cause, a share below one half would be at most 0.73 of what it was at 1.6 times the rate. Chance is more."""


class TokenBucket:
    """
    At most ``rate`` calls per second, first come, first served.

    :param rate: calls per second.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._next = float("-inf")

    async def take(self) -> None:
        """Wait for this call's turn."""
        now = asyncio.get_running_loop().time()
        turn = max(self._next, now - max(0.0, CATCH_UP - 1 / self.rate))
        self._next = turn + 1 / self.rate
        if turn > now:
            await asyncio.sleep(turn - now)


class _Phase(enum.Enum):
    RISING = "the last windows were good: the rate is at its ceiling or on its way there"
    FALLING = "too many calls fail; the last good rate is known"
    OUTAGE = "all calls of the last window failed"


class _Judged(NamedTuple):
    """What remains of a window: calls sent per second, and the share of them that failed."""

    sent: float
    share: float


class _Window:
    """
    The calls that are judged together.

    :param begun: the loop's time of the first answer.
    """

    __slots__ = ("begun", "calls", "failed")

    def __init__(self, begun: float) -> None:
        self.begun, self.calls, self.failed = begun, 0, 0

    def record(self, *, failed: bool) -> None:
        self.calls += 1
        self.failed += failed

    def complete(self, now: float) -> bool:
        """Return whether the window holds enough to be judged."""
        seconds, clear = now - self.begun, self.failed in (0, self.calls)
        if seconds >= _LONGEST:
            return clear or self.calls >= _CALLS_SEVERE
        severe = self.failed >= _SEVERE * self.calls
        needed = _CALLS_CLEAR if clear else _CALLS_SEVERE if severe else _CALLS_MIXED
        return seconds >= _SHORTEST and self.calls >= needed

    def judged(self, now: float) -> _Judged:
        return _Judged(self.calls / (now - self.begun), self.failed / self.calls)


class AdaptiveRate:
    """
    The rate that AWS accepts: falls for all calls together when some are throttled, and rises again.

    Windows of calls decide, never a single call. A window in which calls failed cuts the rate to 0.7 of what
    was really sent. A clean window raises it: doubled up to the last good rate, then by a quarter. If slowing
    down has not helped, these calls are not the cause (another caller uses up the account's rate, or AWS
    fails at random). That share of failures is then tolerated, as long as it is below one half. If all calls
    fail, one call in five seconds probes AWS. The first answer brings back a quarter of the last good rate.

    :param ceiling: calls per second when no call fails.
    :param clock: returns the loop's time.
    """

    def __init__(self, ceiling: float, clock: Callable[[], float]) -> None:
        self.ceiling = ceiling
        self.rate = ceiling
        self._clock = clock
        self._good = ceiling
        self._tolerated = 0.0
        self._phase = _Phase.RISING
        self._window: _Window | None = None
        self._history: deque[_Judged] = deque(maxlen=8)

    @property
    def slowed(self) -> bool:
        """Whether the rate is below its ceiling."""
        return self.rate < self.ceiling

    def record(self, *, failed: bool) -> None:
        """
        Take one answer into account.

        :param failed: whether the call was throttled or failed of another transient error.
        """
        now = self._clock()
        if self._phase is _Phase.OUTAGE and not failed:
            self._phase, self._window = _Phase.FALLING, None
            self.rate = max(self.rate, self._good * _RESTART)
        window = self._window = self._window or _Window(now)
        window.record(failed=failed)
        if window.complete(now):
            self._window = None
            self._judge(window.judged(now), window.calls)

    def _judge(self, window: _Judged, calls: int) -> None:
        # Few calls prove little: a share may be off by one over the square root of their number.
        if window.share <= min(self._tolerated + 1 / math.sqrt(calls), _SEVERE):
            self._rise()
        elif window.share < _SEVERE and self._no_better(window):
            self._tolerated = window.share
        else:
            self._fall(window)
        self._history.append(window)

    def _rise(self) -> None:
        self._phase = _Phase.RISING
        self._tolerated *= _FORGETTING
        faster = self.rate * (_DOUBLE if self.rate * _DOUBLE <= self._good else _STEP)
        self.rate = min(self.ceiling, faster)

    def _fall(self, window: _Judged) -> None:
        if self._phase is _Phase.RISING:
            self._good = _CUT * max(self.rate, _CUT * self._good)
        self._phase = _Phase.OUTAGE if window.share == 1.0 else _Phase.FALLING
        lower = min(self.rate, _HEADROOM * window.sent) * _CUT
        self.rate = max(lower, _PROBE if window.share >= _SEVERE else min(self.rate, _SLOW))

    def _no_better(self, window: _Judged) -> bool:
        """Return whether as large a share failed when calls were sent much faster."""
        return any(
            before.sent >= _MUCH_FASTER * window.sent and window.share > _NO_BETTER * before.share
            for before in self._history
        )
