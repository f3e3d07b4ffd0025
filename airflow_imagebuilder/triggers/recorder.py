"""
The records that a trigger writes while its task is deferred: XComs, in the background, the newest first.

Nothing waits for a record, except the end of a wait, for :data:`LAST_PATIENCE` seconds. If Airflow does not
take a record, the trigger logs that once; the next record, or the worker that resumes, replaces it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.build_record.build import Answers, build_record
from airflow_imagebuilder.compat import keeps_plain_xcoms, redact
from airflow_imagebuilder.service.results.states import is_image_terminal
from airflow_imagebuilder.triggers.supervisor import own_record, write_record
from airflow_imagebuilder.xcom import LIVE_BUILD_KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from airflow_imagebuilder.service.watcher.watcher import ImageSnapshot, ImageWatcher
    from airflow_imagebuilder.triggers.base import ImageBuilderTrigger

    Make = Callable[[], Awaitable[Mapping[str, Any] | None]]
    """Makes a record; ``None`` if it is not worth writing."""

LAST_PATIENCE = 2.0
"""Seconds that the end of a wait waits for the record before it."""

FRESH = 60.0
"""Seconds after which an answer of AWS is too old to be written: this process was suspended meanwhile, and
another one may have written what followed."""

TAKEN_OVER_AFTER = 10.0
"""Seconds in which no other triggerer can have taken a wait over and written its record (Airflow: 30 s,
``[triggerer] triggerer_health_check_threshold``)."""

FEW = 20
"""Images that a process polls, up to which an image's executions are listed when its stage changes."""


class Recorder:
    """
    Writes the newest record of one trigger. At most one write is in flight.

    :param trigger: the trigger. Without a task instance (no triggerer runs it) nothing is written.
    :param key: the XCom's key.
    """

    def __init__(self, trigger: ImageBuilderTrigger, key: str) -> None:
        self.trigger, self.key = trigger, key
        self._next: tuple[Make, float] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._complained = False

    def offer(self, make: Make, asked_at: float) -> None:
        """
        Write a record in the background, in place of one that has not been written yet. Returns at once.

        :param make: makes the record when it is its turn.
        :param asked_at: Unix time of the answer that it shows.
        """
        if self.trigger.task_instance is None or not keeps_plain_xcoms():
            return
        self._next = (make, asked_at)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())

    async def finish(self, patience: float | None = None) -> None:
        """
        Wait for the last write, and drop it if it takes too long.

        :param patience: seconds; ``None`` (default) means :data:`LAST_PATIENCE`.
        """
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=LAST_PATIENCE if patience is None else patience)
        self.close()

    def close(self) -> None:
        """Drop what is not written yet. Returns at once: a message on its way is not interrupted."""
        self._next = None
        if self._writing is not None:
            self._writing.cancel()

    async def _write_all(self) -> None:
        while self._next is not None:
            make, asked_at = self._next
            self._next = None
            try:
                await self._write(make, asked_at)
            except Exception as error:  # noqa: BLE001 (whatever it is, the wait continues)
                self._complain(error)

    async def _write(self, make: Make, asked_at: float) -> None:
        record = await make()
        if record is not None and self._next is None:
            task = self.trigger.task_instance
            # Once more, for what is not of an answer: an ARN may have a secret in its name.
            await write_record(task, self.key, redact(dict(record)), still=lambda: self._is_fresh(asked_at))

    def _is_fresh(self, asked_at: float) -> bool:
        age = time.time() - asked_at
        if age > self._fresh:
            self.trigger.log.debug("A record of what AWS showed %.0f s ago was not written", age)
        return age <= self._fresh

    @property
    def _fresh(self) -> float:
        from airflow_imagebuilder.triggers.watch.settings import watch_settings

        return max(FRESH, 2 * watch_settings(self.trigger.poll_interval).poll_interval)

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            self.trigger.log.warning(
                "Airflow did not take the record of %s for its pages (XCom %s): %s. This does not affect the "
                "image.",
                self.trigger.image_build_version_arn,
                self.key,
                str(error) or type(error).__name__,
            )


class BuildRecorder:
    """
    Writes the record of the image that a trigger waits for, at each change of its status.

    :param trigger: the trigger.
    :param submitted: whether its task submits the image, where no earlier record says so.
    """

    def __init__(self, trigger: ImageBuilderTrigger, *, submitted: bool) -> None:
        self.trigger, self.submitted = trigger, submitted
        self.recorder = Recorder(trigger, LIVE_BUILD_KEY)
        self._before: Mapping[str, Any] | None = None
        self._found: Mapping[str, Any] | None = None
        self._read_at = float("-inf")

    def offer(self, snapshot: ImageSnapshot, watcher: ImageWatcher) -> None:
        """Write what a poll has shown. Returns at once."""
        if self.trigger.task_instance is None:
            return
        asked_at = watcher.asked_at(snapshot.arn) or time.time()

        async def make() -> Mapping[str, Any] | None:
            return await self._made(snapshot.image, asked_at, watcher)

        self.recorder.offer(make, asked_at)

    def offer_image(self, image: Mapping[str, Any]) -> None:
        """Write an answer of GetImage. Returns at once."""
        asked_at = time.time()

        async def make() -> Mapping[str, Any] | None:
            return await self._made(image, asked_at, None)

        self.recorder.offer(make, asked_at)

    async def _made(
        self, image: Mapping[str, Any], asked_at: float, watcher: ImageWatcher | None
    ) -> Mapping[str, Any] | None:
        arn, before = self.trigger.image_build_version_arn, await self._known()
        own_try = self.trigger.try_number or 1
        if before and _try_of(before) > own_try:  # this process was suspended, or is being cancelled
            return None
        status = str(image["state"]["status"])
        known = before and before.get("arn") == arn and before.get("status") == status
        if known and not self._lacks_lives(before):
            return None
        executions = None
        # The worker that resumes reads them at the end.
        if before and watcher is not None and not is_image_terminal(status):
            executions = await _executions(watcher, arn)
        answers = Answers(
            image=redact({**image, "arn": arn}),
            executions=executions if executions is None else redact(executions),
            asked_at=asked_at,
        )
        self._before = build_record(
            answers,
            submitted=bool(before.get("submitted", self.submitted)) if before else self.submitted,
            try_number=own_try,
            before=before,
        )
        return self._before

    def _lacks_lives(self, before: Mapping[str, Any] | None) -> bool:
        """Return whether a new try waits for an image whose earlier lives no record shows yet."""
        lacks = self._before is None and (self.trigger.try_number or 1) > 1
        return lacks and not (before or {}).get("workflows")

    async def _known(self) -> Mapping[str, Any] | None:
        """
        Return the record before this one: this trigger's, the worker's, or another triggerer's.

        If this process was suspended, another one may have written meanwhile.
        """
        if time.monotonic() - self._read_at >= TAKEN_OVER_AFTER:
            found = await own_record(self.trigger.task_instance, LIVE_BUILD_KEY)
            self._found = found if isinstance(found, dict) else None
            self._read_at = time.monotonic()
        # Airflow may not have taken this trigger's last record.
        known = [one for one in (self._found, self._before) if one]
        return max(known, key=lambda one: str(one.get("written_at", "")), default=None)


def _try_of(record: Mapping[str, Any]) -> int:
    number = record.get("try_number")
    return number if isinstance(number, int) else 0


async def _executions(watcher: ImageWatcher, arn: str) -> list[Mapping[str, Any]] | None:
    """Return the executions of an image, where few images are polled, so that it costs next to nothing."""
    if watcher.stats().images > FEW:
        return None
    with contextlib.suppress(Exception):
        return await watcher.listed(
            "list_workflow_executions", "workflowExecutions", imageBuildVersionArn=arn
        )
    return None
