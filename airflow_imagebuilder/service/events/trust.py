"""Trust: whether a queue announces the ends of a watcher's images, judged by the ends themselves."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.text import image_name

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

LATE = 60.0
"""Seconds that an event may be later than the poll that saw the end."""

_LINE_EVERY = 600.0
_HARDEST = 1024


class Trust:
    """
    Trust in one queue. It begins with the first end that was announced, and ends with the first that was not.

    Each loss of trust doubles the ends in a row that have to be announced before it returns: a rule that
    misses some images, or a queue that two triggerers read, would otherwise deserve it again and again.

    :param url: the queue's URL, for the log.
    :param on_loss: called when trust ends.
    :param on_unheard: called for each end of which no event came.
    """

    def __init__(self, url: str, *, on_loss: Callable[[], None], on_unheard: Callable[[], None]) -> None:
        self.url = url
        self.held = False
        """Whether the queue is trusted now."""
        self._on_loss, self._on_unheard = on_loss, on_unheard
        self._needed = self._left = 1
        self._missing: dict[str, float] = {}
        """The ends that were seen before their event, with the time at which an event would be late."""
        self._alarm: asyncio.TimerHandle | None = None
        self._logged_at = float("-inf")

    def heard(self) -> None:
        """Note an end that was announced."""
        self._left -= 1
        if self._left <= 0:
            self.held = True

    def missed(self, arn: str) -> None:
        """Note an end that was seen before its event, if one comes at all."""
        self.lose()
        self._missing[arn] = asyncio.get_running_loop().time() + LATE
        self._set_alarm()

    def late(self, arn: str) -> bool:
        """Note an event, and return whether its end was seen before."""
        return self._missing.pop(arn, None) is not None

    def lose(self) -> None:
        """End the trust."""
        self._left = self._needed
        if self.held:
            self.held = False
            self._on_loss()

    def deaf(self) -> None:
        """End the trust, and wait for no event: the queue cannot be read."""
        self._missing.clear()
        self.lose()

    def close(self) -> None:
        """Wait for no event any longer."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self) -> None:
        if self._alarm is None and self._missing:
            due = next(iter(self._missing.values()))
            self._alarm = asyncio.get_running_loop().call_at(due, self._check)

    def _check(self) -> None:
        self._alarm = None
        now = asyncio.get_running_loop().time()
        unheard = [arn for arn, due in self._missing.items() if due <= now]
        for arn in unheard:
            del self._missing[arn]
            self._on_unheard()
        if unheard:
            self._needed = self._left = min(2 * self._needed, _HARDEST)
            self._warn(unheard[-1], now)
        self._set_alarm()

    def _warn(self, arn: str, now: float) -> None:
        if now - self._logged_at < _LINE_EVERY:
            return
        self._logged_at = now
        log.warning(
            "The end of image %s was seen by polling, and the queue %s has not announced it within %.0f s. "
            "Nothing is lost: images are polled as without a queue. Check the EventBridge rule in the "
            "account and region of the image, its target and the policy of the queue. If another triggerer "
            "reads the same queue, give each triggerer a queue of its own.",
            image_name(arn), self.url, LATE,
        )  # fmt: skip
