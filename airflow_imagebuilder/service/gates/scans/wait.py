"""The wait for a scan, on the watcher that all waits of a process share."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
import weakref
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.time_limit import within
from airflow_imagebuilder.service.errors import DeadlineExceededError, ImageBuilderError, TransientError
from airflow_imagebuilder.service.gates.scans.scan import Scan, ScanOutcome, scan_of
from airflow_imagebuilder.service.results.states import ImageStatus
from airflow_imagebuilder.service.text import image_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_imagebuilder.service.watcher.settings import WatchSettings
    from airflow_imagebuilder.service.watcher.watcher import ImageWatcher

_BEFORE_TESTS = frozenset({ImageStatus.PENDING, ImageStatus.CREATING, ImageStatus.BUILDING})
"""Statuses of an image whose scan has not begun."""


async def follow_scan(
    watcher: ImageWatcher,
    arn: str,
    log: Any,
    *,
    settings: WatchSettings,
    scan_type: str | None = None,
    deadline: float | None = None,
    first_look: float | None = None,
    wall: Callable[[], float] = time.time,
) -> Scan:
    """
    Log each change of a scan until it has ended.

    While the image is built, this is a wait for the image, as any other. From its tests on GetImage is called
    once an interval, because lists do not show scans. All waits for one image share the answer.

    :param watcher: the watcher that polls the image.
    :param arn: image build version ARN.
    :param log: the task's logger.
    :param settings: the watcher's settings.
    :param scan_type: as for :func:`.scan.scan_of`.
    :param deadline: Unix time at which the wait stops; ``None`` (default) waits without a limit.
    :param first_look: minimum seconds of the wait; ``None`` (default) takes the settings' value.
    :param wall: returns absolute time (default ``time.time``).
    :return: the scan, which does not wait any longer.
    :raises DeadlineExceededError: the scan had not ended by the deadline.
    :raises ImageBuilderError: AWS does not show the image, for longer than ``settings.grace``.
    """
    watch = watcher.watch(arn, deadline=deadline, first_look=first_look)
    async with contextlib.aclosing(watch):
        async for snapshot in watch:
            if snapshot.status not in _BEFORE_TESTS:
                break
            log.info("Image %s is %s: its scan begins with its tests", image_name(arn), snapshot.status)
    polls = _polls(_look_at(watcher, arn), watcher, settings, deadline, wall)
    async with contextlib.aclosing(polls):
        said = ""
        async for image in polls:
            scan = scan_of(image, scan_type)
            if scan.summary != said:
                said = scan.summary
                log.info("Image %s: %s", image_name(arn), said)
            if scan.outcome is not ScanOutcome.WAIT:
                return scan
    raise AssertionError("the polls end with an error")


async def _polls(
    look: _Look,
    watcher: ImageWatcher,
    settings: WatchSettings,
    deadline: float | None,
    wall: Callable[[], float],
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the image once an interval, until the deadline."""
    trouble, since = None, 0.0
    clock = asyncio.get_running_loop().time

    def left() -> float | None:
        return None if deadline is None else max(deadline - wall(), 0.0)

    while left() != 0.0:
        try:
            image = await within(left(), look.image(watcher, settings.poll_interval))
        except asyncio.TimeoutError:
            break
        except ImageBuilderError as error:
            since = clock() if trouble is None else since
            trouble = error
            # Throttling and outages end no wait.
            if not isinstance(error, TransientError) and clock() - since >= settings.grace:
                raise
        else:
            trouble = None
            yield image
        pause, rest = max(look.due - clock(), 0.0), left()
        await asyncio.sleep(pause if rest is None else min(pause, rest))
    raise DeadlineExceededError(look.arn, deadline or 0.0) from trouble


class _Look:
    """The last GetImage of an image, which all waits for its scan share.

    :param arn: the image build version ARN.
    """

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self.due = float("-inf")
        """The loop's time of the next call."""
        self._lock = asyncio.Lock()
        self._found: dict[str, Any] = {}
        self._error: ImageBuilderError | None = None

    async def image(self, watcher: ImageWatcher, interval: float) -> dict[str, Any]:
        """Return the image; an answer or an error is kept for an interval."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if clock() >= self.due:
                try:
                    self._found, self._error = await watcher.get_image(self.arn), None
                except ImageBuilderError as error:
                    self._error = error
                self.due = clock() + interval
        if self._error is not None:
            raise copy.copy(self._error)
        return self._found


_looks: weakref.WeakKeyDictionary[ImageWatcher, weakref.WeakValueDictionary[str, _Look]]
_looks = weakref.WeakKeyDictionary()


def _look_at(watcher: ImageWatcher, arn: str) -> _Look:
    looks = _looks.setdefault(watcher, weakref.WeakValueDictionary())
    look = looks.get(arn)
    if look is None:
        look = looks[arn] = _Look(arn)
    return look
