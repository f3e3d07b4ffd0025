"""How fast to call: a bucket that a process shares, and a pace that gives way when AWS throttles."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW = 2.0
_WINDOW_CALLS, _SEVERE_CALLS, _CLEAR_CALLS = 50, 16, 8
_WINDOW_LONGEST = 10.0
CATCH_UP = 0.05
"""Seconds that a call may come too late, and the next ones make good: a loop's sleep is never exact."""

_SLOW, _SLOWEST = 1.0, 0.2
_SEVERE = 0.5


class TokenBucket:
    """
    At most so many calls a second, first come, first served.

    :param rate: calls a second.
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


class AdaptiveRate:
    """
    The rate that AWS bears: falls together for all when calls are throttled, and rises again.

    Judged by windows of calls, never by a single one. A window in which calls failed takes the rate down to
    0.7 of what was really sent, a clean one brings it up again: doubled up to the last good rate, then by a
    quarter. Where slowing down has not helped, the trouble is not of our making (another caller uses up the
    account's rate, or it strikes at random): that share of failures is then borne, as long as it is below one
    half. When everything fails, one call in five seconds asks whether it is over, and the first answer brings
    back a quarter of the last good rate.

    :param ceiling: calls a second when all is well.
    :param clock: the loop's time.
    """

    def __init__(self, ceiling: float, clock: Callable[[], float]) -> None:
        self.ceiling = ceiling
        self.rate = ceiling
        self._clock = clock
        self._good = ceiling
        self._borne = 0.0
        self._out = False
        self._falling = False
        self._seen: deque[tuple[float, float]] = deque(maxlen=8)
        self._begun, self._calls, self._failed = 0.0, 0, 0

    @property
    def slowed(self) -> bool:
        """Whether the rate is below its ceiling."""
        return self.rate < self.ceiling

    def record(self, *, failed: bool) -> None:
        """
        Take one answer into account.

        :param failed: whether it was a throttled or otherwise transient one.
        """
        now = self._clock()
        if self._out and not failed:
            self._out, self._calls, self._failed = False, 0, 0
            self.rate = max(self.rate, self._good / 4)
        if not self._calls:
            self._begun = now
        self._calls += 1
        self._failed += failed
        spent = now - self._begun
        clear, severe = self._failed in (0, self._calls), self._failed >= _SEVERE * self._calls
        enough = self._calls >= (_CLEAR_CALLS if clear else _SEVERE_CALLS if severe else _WINDOW_CALLS)
        # Of eight calls four fail now and then where one in five does.
        long = spent >= _WINDOW_LONGEST and (clear or self._calls >= _SEVERE_CALLS)
        if (spent >= _WINDOW and enough) or long:
            # Few calls prove little: a share may be off by one over the square root of their number.
            tolerance = 1 / math.sqrt(self._calls)
            self._judge(self._failed / self._calls, self._calls / spent, tolerance)
            self._calls, self._failed = 0, 0

    def _judge(self, share: float, sent: float, tolerance: float) -> None:
        self._out = share == 1.0
        if share <= min(self._borne + tolerance, _SEVERE):
            self._rise()
        else:
            self._fall(share, sent)
        self._seen.append((sent, share))

    def _rise(self) -> None:
        self._falling = False
        self._borne *= 0.95  # what was not of our making then may be now
        faster = self.rate * (2.0 if self.rate * 2 <= self._good else 1.25)
        self.rate = min(self.ceiling, faster)

    def _fall(self, share: float, sent: float) -> None:
        if share < _SEVERE and self._no_better(share, sent):
            self._borne = share
            return
        if not self._falling:
            self._falling, self._good = True, 0.7 * max(self.rate, 0.7 * self._good)
        # What was sent may be little because little was wanted, so that much more is not yet too much.
        lower = min(self.rate, 2 * sent) * 0.7
        self.rate = max(lower, _SLOWEST if share >= _SEVERE else min(self.rate, _SLOW))

    def _no_better(self, share: float, sent: float) -> bool:
        """Tell whether as many failed when much more was sent; a limit of AWS's would let more pass now."""
        return any(before >= 1.6 * sent and share > 0.85 * was for before, was in self._seen)
