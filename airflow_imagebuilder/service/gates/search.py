"""The search for the newest image: once with a hook, or by one list an interval for many waits together."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import logging
import time
import weakref
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.pages import mappings
from airflow_imagebuilder.service.client.time_limit import within
from airflow_imagebuilder.service.errors import ImageBuilderError, SearchDeadlineError
from airflow_imagebuilder.service.watcher.poll_timer import PollTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from airflow_imagebuilder.service.gates.newest_image import Call, Source, Wanted
    from airflow_imagebuilder.service.watcher.watcher import ImageWatcher

log = logging.getLogger(__name__)

PAGE, MOST_PAGES = 25, 400
"""Images per page, the most that AWS gives; and the pages after which a list counts as endless."""

SECONDS_PER_PAGE = 1.0
"""A list of many pages is read less often, so that it leaves most of the rate to the polls of images."""

CHECK_INTERVAL = 600.0
"""Seconds after which a pipeline without images is asked for again."""

_LONGEST_SLEEP = 3600.0
"""The loop's clock and absolute time drift apart if the machine is suspended."""


def read_now(hook: Any, source: Source, *, patience: float, check: bool = True) -> list[Any]:
    """
    Read the images of a source with a hook.

    :param hook: an :class:`~airflow_imagebuilder.hooks.ImageBuilderHook`.
    :param source: where to search.
    :param patience: seconds for which each call is retried while the errors are transient.
    :param check: whether to ask for the pipeline, where it has no images (default: yes).
    :return: AWS's ``ImageSummary`` of each image.
    :raises NotFoundError: there is no such pipeline.
    :raises AwsError: the lists cannot be read.
    """
    reading = source.reading(check=check)
    try:
        call = next(reading)
        while True:
            try:
                answer = getattr(hook, call.operation)(**call.argument, patience=patience)
            except ImageBuilderError as error:
                call = reading.throw(error)
            else:
                call = reading.send(answer)
    except StopIteration as end:
        images: list[Any] = end.value
        return images


async def find(
    watcher: ImageWatcher,
    wanted: Wanted,
    *,
    deadline: float | None = None,
    wall: Callable[[], float] = time.time,
) -> str:
    """
    Wait until there is a newest image, and return its ARN. Equal sources of a watcher share their lists.

    :param watcher: the process's watcher: its client makes the calls, at its rate.
    :param wanted: the image.
    :param deadline: absolute time at which the wait is over; None (default) if it has none.
    :param wall: returns absolute time (default ``time.time``).
    :raises SearchDeadlineError: there was none by the deadline.
    :raises AwsError: an error that is not transient has lasted for longer than ``settings.grace``.
    """
    searches = _searches.setdefault(watcher, {})
    search = searches.setdefault(wanted.source, _Search(watcher, wanted.source))
    wait = search.join()
    try:
        while True:
            images = await wait.next(deadline, wall)
            if images is None:
                raise SearchDeadlineError(str(wanted), deadline or 0.0)
            if arn := wanted.newest(images):
                return arn
    finally:
        search.leave(wait)
        if not search.waits:
            searches.pop(wanted.source, None)


class _Wait:
    """One wait for a list: it holds the newest answer that it has not seen, or the error that ends it."""

    def __init__(self) -> None:
        self._images: list[Any] | None = None
        self._error: ImageBuilderError | None = None
        self._news = asyncio.Event()

    def offer(self, images: list[Any]) -> None:
        self._images = images
        self._news.set()

    def fail(self, error: ImageBuilderError) -> None:
        self._error = copy.copy(error)  # each wait that raises it adds its own traceback
        self._news.set()

    async def next(self, deadline: float | None, wall: Callable[[], float]) -> list[Any] | None:
        """Return the next answer; None at the deadline."""
        while not self._news.is_set():
            left = _LONGEST_SLEEP if deadline is None else min(deadline - wall(), _LONGEST_SLEEP)
            if left <= 0:
                return None
            try:
                await within(left, self._news.wait())
            except asyncio.TimeoutError:
                continue
        self._news.clear()
        if self._error is not None:
            raise self._error
        return self._images


class _Search:
    """Reads the images of one source once an interval, for as long as there are waits for them."""

    def __init__(self, watcher: ImageWatcher, source: Source) -> None:
        # The registry below forgets a watcher that only it refers to.
        self._watcher, self._source = weakref.proxy(watcher), source
        self.waits: list[_Wait] = []
        self._latest: list[Any] | None = None
        self._running: asyncio.Task[None] | None = None
        self._check_at = float("-inf")
        """The loop's time from which a pipeline without images is asked for: it may be deleted by now."""

    def join(self) -> _Wait:
        wait = _Wait()
        self.waits.append(wait)
        if self._latest is not None:
            wait.offer(self._latest)  # one interval old at most
        if self._running is None or self._running.done():
            # A context of its own: its log lines belong to no task of Airflow.
            self._running = contextvars.Context().run(asyncio.create_task, self._run())
        return wait

    def leave(self, wait: _Wait) -> None:
        self.waits.remove(wait)
        if not self.waits and self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        loop, settings = asyncio.get_running_loop(), self._watcher.settings
        timer = PollTimer(loop.time())
        while True:
            await asyncio.sleep(max(0.0, timer.due - loop.time()))
            began = loop.time()
            try:
                images = await self._read()
            except ImageBuilderError as error:
                self._failed(timer, error)
            except Exception as error:
                log.exception("The search for images of %s failed unexpectedly", self._source)
                self._failed(timer, _fault(error))
            else:
                pages = len(images) / PAGE
                timer.answered(began, max(settings.poll_interval, pages * SECONDS_PER_PAGE))
                self._latest = images
                for wait in self.waits:
                    wait.offer(images)

    def _failed(self, timer: PollTimer, error: ImageBuilderError) -> None:
        self._latest = None
        lasting = timer.failed(error, asyncio.get_running_loop().time(), self._watcher.settings)
        if lasting is not None:
            for wait in self.waits:
                wait.fail(lasting)

    async def _read(self) -> list[Any]:
        began = asyncio.get_running_loop().time()
        check = began >= self._check_at
        reading: Generator[Call, Any, list[Any]] = self._source.reading(check=check)
        try:
            call = next(reading)
            while True:
                try:
                    answer = await self._answer(call)
                except ImageBuilderError as error:
                    call = reading.throw(error)
                else:
                    call = reading.send(answer)
        except StopIteration as end:
            images: list[Any] = end.value
            self._check_at = began + CHECK_INTERVAL if check else self._check_at
            return images

    async def _answer(self, call: Call) -> Any:
        if call.operation == "get_image_pipeline":
            return await self._watcher.asked(call.operation, call.member, **call.params)
        records = await self._watcher.listed(
            call.operation, call.member, most=MOST_PAGES, maxResults=PAGE, **call.params
        )
        return mappings(records, call.operation, call.member)


_searches: weakref.WeakKeyDictionary[ImageWatcher, dict[Source, _Search]]
_searches = weakref.WeakKeyDictionary()


def _fault(error: Exception) -> ImageBuilderError:
    return ImageBuilderError(
        f"The search for images failed unexpectedly: {type(error).__name__}: {error}. This is a fault of the "
        "package. Please report it with the traceback in the triggerer's log."
    )
