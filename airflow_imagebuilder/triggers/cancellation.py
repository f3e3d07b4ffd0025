"""The cancel of an image whose deferred wait was killed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.tokens import random_token
from airflow_imagebuilder.service.results.states import IMAGE_SUCCEEDED, ImageStatus, is_image_terminal
from airflow_imagebuilder.service.submission.cancel_text import cancel_by_hand, cancel_result, outputs_left
from airflow_imagebuilder.triggers.recorder import BuildRecorder
from airflow_imagebuilder.triggers.supervisor import KillCheck, NoAnswerError, check_kill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.hooks import ImageBuilderHook
    from airflow_imagebuilder.triggers.base import ImageBuilderTrigger

SHOWN_AFTER = (1.0, 3.0, 6.0)
"""Seconds after which a cancelled image is read again, until AWS shows its end: for its record alone."""

CANCEL_PATIENCE = 600.0
"""Seconds for which the cancel of a killed task's image is retried through throttling and outages."""

SETTLE_PATIENCE = 900.0
"""Seconds to wait for a cancelled build to stop, where its outputs are to be removed."""


class Cancellation:
    """
    Cancel the image of one deferred wait, if Airflow shows that the wait was killed.

    Airflow is asked before each attempt of CancelImageCreation. AWS can throttle the attempts for minutes,
    and a cancel that is late must not hit an image that a new try has repaired in the meantime.

    :param trigger: the trigger whose wait Airflow has cancelled.
    :param submitter: the id of the task that submitted the image, where that is another one.
    :param submitted_by: the try of that task which this wait knows.
    :param delete_outputs: whether to remove the AMIs and snapshots that the build left behind.
    """

    def __init__(
        self,
        trigger: ImageBuilderTrigger,
        *,
        submitter: str | None,
        submitted_by: str | None,
        delete_outputs: bool,
    ) -> None:
        self.trigger = trigger
        self.arn = trigger.image_build_version_arn
        self.submitter = submitter
        self.submitted_by = submitted_by
        self.delete_outputs = delete_outputs
        self.again = False
        """Whether a new try follows, which writes its own record of the image."""
        self.attempts = 0
        """Attempts of CancelImageCreation so far. The first one follows the first proof of a kill."""

    @property
    def log(self) -> Any:
        """The task's logger."""
        return self.trigger.log

    async def run(self) -> None:
        """
        Cancel the image, or log why it is left alone and how to cancel it by hand.

        :raises asyncio.CancelledError: the triggerer is stopping. Every other error is logged.
        """
        try:
            image = await self._cancel(self.trigger.hook)
        except _NotKilledError as found:
            self._log_left_alone(str(found))
        except NoAnswerError as error:
            self._log_unfinished(f"Airflow does not answer: {error}")
        except asyncio.CancelledError:
            self._log_unfinished("the triggerer is being stopped")
            raise
        except Exception as error:  # noqa: BLE001 (no other code reports that the build continues)
            self._log_unfinished(str(error) or type(error).__name__)
        else:
            await self._record(image)

    async def _record(self, image: Mapping[str, Any]) -> None:
        """Write how the image ended into its record, if no new try writes one."""
        if self.again:
            return
        record = BuildRecorder(self.trigger, submitted=True)
        try:
            async with self.trigger.watcher() as watcher:
                for pause in SHOWN_AFTER:
                    if is_image_terminal(str(image["state"]["status"])):
                        break
                    await asyncio.sleep(pause)
                    image = await watcher.image(self.arn)
            record.offer_image(image)
            await record.recorder.finish()
        except Exception as error:  # noqa: BLE001 (the cancel has succeeded)
            self.log.debug("The end of image %s was not recorded: %r", self.arn, error)
        finally:
            record.recorder.close()

    async def _cancel(self, hook: ImageBuilderHook) -> Mapping[str, Any]:
        image = await hook.acancel_image(
            self.arn,
            random_token(),
            patience=CANCEL_PATIENCE,
            settle=SETTLE_PATIENCE if self.delete_outputs else 0.0,
            before_each=self._before_attempt,
        )
        status = image["state"]["status"]
        advice = "" if status in IMAGE_SUCCEEDED else _FOR_A_NEW_TRY
        self.log.warning("%s. %sImage: %s", cancel_result(image), advice, self.arn)
        if self.delete_outputs and status == ImageStatus.CANCELLED:
            await self._delete_outputs(hook, image)
        elif self.delete_outputs:
            self.log.warning("%s", outputs_left(image))
        return image

    async def _before_attempt(self) -> None:
        found = await self._check_kill()
        if not self.attempts:
            self.log.warning(
                "Airflow has ended this task (%s): cancelling image %s, if it still builds. If a person "
                "did it, Airflow's audit log names them.",
                found.why,
                self.arn,
            )
        self.attempts += 1

    async def _check_kill(self) -> KillCheck:
        found = await check_kill(
            self.trigger.task_instance,
            self.arn,
            submitter=self.submitter,
            submitted_by=self.submitted_by,
        )
        if not found.killed:
            raise _NotKilledError(found.why)
        self.again = found.again
        return found

    async def _delete_outputs(self, hook: ImageBuilderHook, image: Mapping[str, Any]) -> None:
        # The build took minutes to stop. A new try that has repaired it by now, or will, needs its outputs.
        try:
            found = await self._check_kill()
        except (_NotKilledError, NoAnswerError) as reason:
            self.log.warning("The outputs of image %s are kept: %s", self.arn, reason)
            return
        if found.again:
            self.log.warning("The outputs of image %s are kept for a repair: %s", self.arn, found.why)
            return
        # A thread may not ask Airflow from here (3.0 and 3.1): the hook has read its connection above.
        await asyncio.to_thread(hook.delete_outputs, image)

    def _log_left_alone(self, why: str) -> None:
        if not self.attempts:
            self.log.info("This wait does not cancel image %s (%s).", self.arn, why)
            return
        self.log.warning(
            "This task was killed, but a new try took image %s over before AWS accepted the cancel. The "
            "cancel is given up after %d attempts. To stop the image that the new try has repaired, kill the "
            "new try.",
            self.arn,
            self.attempts,
        )

    def _log_unfinished(self, why: str) -> None:
        if self.attempts:
            self.log.error(
                "This task was killed, but whether image %s is cancelled is not known, and it may still be "
                "building: %s. To end it, %s",
                self.arn,
                why,
                cancel_by_hand(self.arn),
            )
            return
        self.log.error(
            "Airflow did not say whether this task was killed or another triggerer has its wait now (%s). "
            "Image %s is left alone and may still be building. If the task was killed, %s",
            why,
            self.arn,
            cancel_by_hand(self.arn),
        )


class _NotKilledError(Exception):
    """The wait was not killed, or a new try has its image; the message says what shows it."""


_FOR_A_NEW_TRY = (
    "For a new try, clear the task that submitted the image (in a task group, the whole group), with its "
    "downstream tasks. "
)
