"""The trigger that waits for an image, and cancels it when the task is killed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_imagebuilder.service.client.tokens import random_token
from airflow_imagebuilder.service.errors import DeadlineExceededError, ImageBuilderError, NotFoundError
from airflow_imagebuilder.service.states import (
    IMAGE_FAILED,
    IMAGE_SUCCEEDED,
    ImageStatus,
    is_image_terminal,
)
from airflow_imagebuilder.service.text import aws_command, one_line
from airflow_imagebuilder.triggers.base import ImageBuilderTrigger
from airflow_imagebuilder.triggers.supervisor import (
    NoAnswerError,
    Standing,
    standing,
    warm_up,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_imagebuilder.hooks import ImageBuilderHook
    from airflow_imagebuilder.service.watcher.watcher import ImageSnapshot, ImageWatcher


RESUME_PAUSE, RESUME_LONGEST_PAUSE = 10.0, 300.0
"""Seconds that a wait lasts at least which a worker began again after trouble: doubled each time, at most."""


ON_KILL_PATIENCE = 600.0
"""Seconds for which the cancellation of a killed task's image outlives throttling and outages."""


ON_KILL_SETTLE = 900.0
"""Seconds for which the end of a cancelled build is awaited, where its outputs are to be removed."""


class ImageBuilderImageTrigger(ImageBuilderTrigger):
    """
    Wait until an image has ended; kill it, and the image is cancelled.

    Fires once, with ``{"image_build_version_arn", "deadline", "outcome", "status", "message"}``. The outcome:
    ``ended``, ``deadline`` or ``error``; an error also says whether it is that AWS does not find the image
    (``missing``). The worker that resumes asks AWS again and judges from that answer.

    :param cancel_on_kill: whether a user's kill of the deferred task cancels the image.
    :param delete_outputs_on_kill: whether it also removes the AMIs and snapshots that are left behind.
    :param stale_failure: the workflow execution that had failed before the repair: a failure that names
        another one counts before ``stale_until``; empty where none had failed.
    :param submitter: the id of the task that submitted the image, where that is another one.
    :param submitted_by: the try of that task which submitted, found or repaired the image.
    :param resumes: how many times this wait was begun again after trouble; handed back in the event.
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
        self._attempts = 0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and everything that the constructor takes."""
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
        """Watch the image, tell each change of its state in the task log, and fire when it has ended."""
        if self.cancel_on_kill:
            warm_up(self.task_instance)
        yield TriggerEvent(await self.wait())

    async def wait(self) -> dict[str, Any]:
        """Return what :meth:`run` fires, once the image has ended."""
        known = {
            "image_build_version_arn": self.image_build_version_arn,
            "deadline": self.deadline,
            "stale_until": self.stale_until,
            "stale_failure": self.stale_failure,
            "resumes": self.resumes,
        }
        return {**known, **await self._outcome()}

    @property
    def _pause(self) -> float | None:
        """Seconds that a wait lasts at least that was begun again after trouble; ``None`` for a first one."""
        return min(RESUME_PAUSE * 2 ** (self.resumes - 1), RESUME_LONGEST_PAUSE) if self.resumes else None

    async def _outcome(self) -> dict[str, Any]:
        try:
            async with self.watcher() as watcher:
                status = await follow(
                    watcher,
                    self.image_build_version_arn,
                    self.log,
                    deadline=self.deadline,
                    stale_until=self.stale_until,
                    stale_failure=self.stale_failure,
                    first_look=self._pause,
                )
        except DeadlineExceededError as error:
            return {"outcome": "deadline", "status": None, "message": str(error)}
        except ImageBuilderError as error:
            missing = isinstance(error, NotFoundError)
            return {"outcome": "error", "status": None, "message": str(error), "missing": missing}
        return {"outcome": "ended", "status": status, "message": ""}

    async def on_kill(self) -> None:
        """
        Cancel the image if a person killed the task. A restart of the triggerer never comes here.

        Airflow also calls this when another triggerer has taken the wait over, with the very same message. So
        :func:`~airflow_imagebuilder.triggers.supervisor.standing` decides, before each attempt of the cancel.
        """
        if not self.cancel_on_kill:
            self.log.info("Image %s is left alone: cancel_on_kill is off.", self.image_build_version_arn)
            return
        self._cancelling = asyncio.create_task(self._cancel_if_killed())
        await asyncio.shield(self._cancelling)

    async def cleanup(self) -> None:
        """
        Stay until the cancellation that :meth:`on_kill` began has come through, or its time is up.

        Airflow cancels the coroutine of a killed trigger again every second (3.3.2). That ends ``on_kill``
        after one; this goes on waiting.
        """
        while self._cancelling is not None and not self._cancelling.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self._cancelling)

    async def _cancel_if_killed(self) -> None:
        try:
            await self._cancel(self.image_build_version_arn)
        except _NotKilledError as found:
            self._log_left_alone(str(found))
        except NoAnswerError as error:
            self._log_unfinished(f"Airflow does not answer: {error}")
        except asyncio.CancelledError:
            self._log_unfinished("the triggerer is being stopped")
            raise
        except Exception as error:  # noqa: BLE001 (whatever it was, nothing else reports that the build goes on)
            self._log_unfinished(str(error) or type(error).__name__)

    async def _refuse_unless_killed(self) -> None:
        """Ask Airflow, before each attempt: a cancel that came late must not hit what a new try repaired."""
        found = await self._killed()
        if not self._attempts:
            self.log.warning(
                "Airflow has ended this task (%s): cancelling image %s, if it still builds. If a person "
                "did it, "
                "Airflow's audit log names them.",
                found.why,
                self.image_build_version_arn,
            )
        self._attempts += 1

    async def _killed(self) -> Standing:
        found = await standing(
            self.task_instance,
            self.image_build_version_arn,
            submitter=self.submitter,
            submitted_by=self.submitted_by,
        )
        if not found.killed:
            raise _NotKilledError(found.why)
        return found

    async def _cancel(self, arn: str) -> None:
        hook, settle = self.hook, ON_KILL_SETTLE if self.delete_outputs_on_kill else 0.0
        image = await hook.acancel_image(
            arn,
            random_token(),
            patience=ON_KILL_PATIENCE,
            settle=settle,
            before_each=self._refuse_unless_killed,
        )
        status = image["state"]["status"]
        again = "" if status in IMAGE_SUCCEEDED else _FOR_A_NEW_TRY
        self.log.warning("%s. %sImage: %s", _after_cancel(image), again, arn)
        if self.delete_outputs_on_kill and status == ImageStatus.CANCELLED:
            await self._delete_outputs(hook, image)
        elif self.delete_outputs_on_kill:
            self.log.warning("Image %s is still %s: its outputs, if any, are left behind.", arn, status)

    async def _delete_outputs(self, hook: ImageBuilderHook, image: Mapping[str, Any]) -> None:
        # Its end was waited for; a new try may have repaired it by now, or is about to: it needs the outputs.
        try:
            now = await self._killed()
        except (_NotKilledError, NoAnswerError) as found:
            self.log.warning("The outputs of image %s are kept: %s", image["arn"], found)
            return
        if now.again:
            self.log.warning("The outputs of image %s are kept for a repair: %s", image["arn"], now.why)
            return
        await asyncio.to_thread(hook.delete_outputs, image)

    def _log_left_alone(self, why: str) -> None:
        arn = self.image_build_version_arn
        if not self._attempts:
            self.log.info("Nothing is cancelled: %s. Image %s is left alone.", why, arn)
            return
        self.log.warning(
            "This task was killed, but AWS has not accepted the cancel of image %s before a new try took the "
            "image over, so the cancel is given up after %d attempts. To end this new life of the image, "
            "kill the task that has it.",
            arn,
            self._attempts,
        )

    def _log_unfinished(self, why: str) -> None:
        if self._attempts:
            self.log.error(
                "This task was killed, but whether image %s is cancelled is not known, and it may still be "
                "building: %s. To end it, %s",
                self.image_build_version_arn,
                why,
                self._by_hand,
            )
            return
        self.log.error(
            "Airflow did not say whether this task was killed or another triggerer has its wait now (%s). "
            "Image %s is left alone and may still be building. If the task was killed, %s",
            why,
            self.image_build_version_arn,
            self._by_hand,
        )

    @property
    def _by_hand(self) -> str:
        return f"cancel it by hand: {aws_command('cancel-image-creation', self.image_build_version_arn)}"


_FOR_A_NEW_TRY = (
    "For a new try, clear the task that submitted the image, with what follows it: a task group as a whole. "
)


class _NotKilledError(Exception):
    """The wait was not killed, or its image has a new life; the message says what shows it."""


def _after_cancel(image: Mapping[str, Any]) -> str:
    """Say what became of an image after CancelImageCreation: AWS answers first and cancels afterwards."""
    status, reason = image["state"]["status"], image["state"].get("reason")
    if status == "FAILED":
        why = one_line(reason) if reason else "AWS gives no reason"
        return f"The image is not CANCELLED: it FAILED by itself ({why})"
    if status in IMAGE_FAILED:
        return f"The image is {status}"
    if is_image_terminal(status):
        return f"The image is not CANCELLED: it was {status} before the cancel came"
    return f"The image is being cancelled: AWS accepted CancelImageCreation while it was {status}"


async def follow(
    watcher: ImageWatcher,
    arn: str,
    log: Any,
    *,
    deadline: float | None = None,
    stale_until: float | None = None,
    stale_failure: str | None = None,
    first_look: float | None = None,
) -> str:
    """
    Tell every change of an image's state until it has ended.

    :param log: a logger of the task.
    :param first_look: seconds that the wait lasts at least; the settings' where it is left out.
    :return: the image's last status.
    :raises DeadlineExceededError: it had not ended by the deadline.
    """
    status = ""
    watch = watcher.watch(
        arn,
        deadline=deadline,
        ignore_terminal_until=stale_until,
        stale_failure=stale_failure,
        first_look=first_look,
    )
    async for snapshot in watch:
        if snapshot.status != status:
            status = snapshot.status
            log.info("%s is %s%s", arn.rsplit(":", 1)[-1], status, _reason(snapshot))
    return status


def _reason(snapshot: ImageSnapshot) -> str:
    reason = snapshot.image["state"].get("reason")
    return f": {one_line(reason)}" if reason else ""
