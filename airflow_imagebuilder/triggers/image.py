"""The trigger that waits for an image, and cancels it if the task is killed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_imagebuilder.compat import trigger_has_on_kill
from airflow_imagebuilder.service.errors import DeadlineExceededError, ImageBuilderError, NotFoundError
from airflow_imagebuilder.service.text import image_name, one_line
from airflow_imagebuilder.triggers.base import ImageBuilderTrigger
from airflow_imagebuilder.triggers.cancellation import Cancellation
from airflow_imagebuilder.triggers.recorder import BuildRecorder
from airflow_imagebuilder.triggers.supervisor import warm_up
from airflow_imagebuilder.xcom import ARN_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airflow_imagebuilder.service.watcher.watcher import ImageSnapshot, ImageWatcher


RESUME_PAUSE, RESUME_LONGEST_PAUSE = 10.0, 300.0
"""Minimum seconds of a wait that a worker began again after trouble: the first, doubled up to the last."""


class ImageBuilderImageTrigger(ImageBuilderTrigger):
    """
    Wait until an image has finished. A kill of the deferred task cancels the image.

    Fires once, with ``image_build_version_arn``, ``outcome``, ``status``, ``message``, ``try_number`` (of the
    task that waits) and, for a worker that waits again, ``deadline``, ``stale_until``, ``stale_failure`` and
    ``resumes``. The outcome is ``ended``, ``deadline`` or ``error``. An error also has ``missing``: whether
    AWS does not find the image. The worker that resumes reads the image again and judges from that answer.

    :param cancel_on_kill: whether a kill of the deferred task cancels the image (default: yes).
    :param delete_outputs_on_kill: whether it also removes the AMIs and snapshots that the build left behind
        (default: no).
    :param stale_failure: the workflow execution that had failed before the repair. A failure that names
        another one counts before ``stale_until``. Empty if none had failed.
    :param submitter: the id of the task that submitted the image; ``None`` (default) if this one did.
    :param submitted_by: the try of that task that submitted, found or repaired the image.
    :param resumes: how many times a worker has begun this wait again after trouble (default: 0).
    """

    def __init__(
        self,
        *,
        cancel_on_kill: bool = True,
        delete_outputs_on_kill: bool = False,
        stale_failure: str | None = None,
        submitter: str | None = None,
        submitted_by: str | None = None,
        resumes: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cancel_on_kill = cancel_on_kill
        self.delete_outputs_on_kill = delete_outputs_on_kill
        self.stale_failure = stale_failure
        self.submitter = submitter
        self.submitted_by = submitted_by
        self.resumes = resumes
        self._cancelling: asyncio.Task[None] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and all arguments of the constructor."""
        path, kwargs = super().serialize()
        names = (
            "cancel_on_kill",
            "delete_outputs_on_kill",
            "stale_failure",
            "submitter",
            "submitted_by",
            "resumes",
        )
        return path, {**kwargs, **{name: getattr(self, name) for name in names}}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the image, log each change of its state, and fire when it has finished."""
        if self.cancel_on_kill:
            warm_up(self.task_instance)
        try:
            event = await self.wait()
        except asyncio.CancelledError:
            # Before 3.3 Airflow gives no reason for the end of a wait, so this asks for it. cleanup waits.
            if self.cancel_on_kill and self.task_instance is not None and not trigger_has_on_kill():
                self._begin_cancellation()
            raise
        yield TriggerEvent(event)

    async def wait(self) -> dict[str, Any]:
        """Wait until the image has finished, and return the payload that :meth:`run` fires."""
        known = {
            ARN_KEY: self.image_build_version_arn,
            "deadline": self.deadline,
            "stale_until": self.stale_until,
            "stale_failure": self.stale_failure,
            "resumes": self.resumes,
            "try_number": self.try_number,
        }
        return {**known, **await self._outcome()}

    @property
    def _pause(self) -> float | None:
        """Minimum seconds of a wait that was begun again after trouble; ``None`` for a first wait."""
        return min(RESUME_PAUSE * 2 ** (self.resumes - 1), RESUME_LONGEST_PAUSE) if self.resumes else None

    async def _outcome(self) -> dict[str, Any]:
        try:
            async with self.watcher() as watcher:
                status = await self._follow(watcher)
        except DeadlineExceededError as error:
            return {"outcome": "deadline", "status": None, "message": str(error)}
        except ImageBuilderError as error:
            missing = isinstance(error, NotFoundError)
            return {"outcome": "error", "status": None, "message": str(error), "missing": missing}
        return {"outcome": "ended", "status": status, "message": ""}

    async def _follow(self, watcher: ImageWatcher) -> str:
        record = BuildRecorder(self, submitted=self.cancel_on_kill or self.submitter is not None)
        try:
            status = await follow(
                watcher,
                self.image_build_version_arn,
                self.log,
                deadline=self.deadline,
                stale_until=self.stale_until,
                stale_failure=self.stale_failure,
                first_look=self._pause,
                on_change=lambda snapshot: record.offer(snapshot, watcher),
            )
            await record.recorder.finish()
        finally:
            record.recorder.close()
        return status

    async def on_kill(self) -> None:
        """
        Cancel the image if a person killed the task. A restart of the triggerer does not call this.

        Airflow also calls it, with the same message, when another triggerer has taken the wait over. So
        :class:`~airflow_imagebuilder.triggers.cancellation.Cancellation` asks Airflow before it cancels.
        """
        if not self.cancel_on_kill:
            self.log.info("Image %s is left alone: cancel_on_kill is off.", self.image_build_version_arn)
            return
        await asyncio.shield(self._begin_cancellation())

    def _begin_cancellation(self) -> asyncio.Task[None]:
        cancellation = Cancellation(
            self,
            submitter=self.submitter,
            submitted_by=self.submitted_by,
            delete_outputs=self.delete_outputs_on_kill,
        )
        self._cancelling = asyncio.create_task(cancellation.run())
        return self._cancelling

    async def cleanup(self) -> None:
        """
        Wait until the cancellation that :meth:`on_kill` or :meth:`run` began has finished.

        Airflow cancels the coroutine of a killed trigger again every second (3.3.2). That interrupts
        ``on_kill`` after one second, but not this loop.
        """
        while self._cancelling is not None and not self._cancelling.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self._cancelling)


async def follow(
    watcher: ImageWatcher,
    arn: str,
    log: Any,
    *,
    deadline: float | None = None,
    stale_until: float | None = None,
    stale_failure: str | None = None,
    first_look: float | None = None,
    on_change: Callable[[ImageSnapshot], None] | None = None,
) -> str:
    """
    Log every change of an image's state until it has finished.

    :param watcher: the watcher that polls the image.
    :param arn: image build version ARN.
    :param log: the task's logger.
    :param deadline: Unix time at which the wait stops; ``None`` (default) waits without a limit.
    :param stale_until: Unix time until which AWS may still show the FAILED or CANCELLED from before a repair.
    :param stale_failure: the workflow execution that had failed before the repair.
    :param first_look: minimum seconds of the wait; ``None`` (default) takes ``[imagebuilder] first_look``.
    :param on_change: called with each change of the status; ``None`` (default) if nothing is.
    :return: the image's last status.
    :raises DeadlineExceededError: the image had not finished by the deadline.
    :raises ImageBuilderError: AWS does not show the image.
    """
    status = ""
    watch = watcher.watch(
        arn,
        deadline=deadline,
        stale_until=stale_until,
        stale_failure=stale_failure,
        first_look=first_look,
    )
    async for snapshot in watch:
        if snapshot.status != status:
            status = snapshot.status
            log.info("Image %s is %s%s", image_name(arn), status, _reason(snapshot))
            if on_change is not None:
                on_change(snapshot)
    return status


def _reason(snapshot: ImageSnapshot) -> str:
    reason = snapshot.image["state"].get("reason")
    return f": {one_line(reason)}" if reason else ""
