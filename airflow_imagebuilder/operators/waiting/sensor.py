"""The wait of a sensor: find the image, wait until it has finished, and never change anything."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseSensorOperator, PokeReturnValue

from airflow_imagebuilder.assets import update_asset_events
from airflow_imagebuilder.compat import AirflowSensorTimeout, AirflowSkipException
from airflow_imagebuilder.links import LINKS, persist_links
from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator
from airflow_imagebuilder.operators.options import as_seconds
from airflow_imagebuilder.operators.waiting.observation import Choice, ChoiceRecord, Kept
from airflow_imagebuilder.operators.waiting.operator import (
    FIRST_READ_PATIENCE,
    MAX_RESUMES,
    MAX_RESUMES_MISSING,
)
from airflow_imagebuilder.operators.waiting.recording import Recording
from airflow_imagebuilder.operators.waiting.task_state import (
    is_of_another_try,
    lost_its_trigger,
    note_wait,
)
from airflow_imagebuilder.operators.waiting.verdict import image_result, refuse_failed_tests
from airflow_imagebuilder.service.errors import (
    AwsError,
    DeadlineExceededError,
    ImageBuilderError,
    ImageCancelledError,
    ImageFailedError,
    ImageNotFoundError,
    NotFoundError,
    SearchDeadlineError,
    SearchInterruptedError,
    TestsFailedError,
)
from airflow_imagebuilder.service.results.states import is_image_terminal
from airflow_imagebuilder.service.text import image_name as short_name
from airflow_imagebuilder.xcom import ARN_KEY, publish_arn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_imagebuilder.service.results.image import ImageResult

ENDED_BADLY = (ImageFailedError, ImageCancelledError, TestsFailedError)
"""What the image itself is to blame for: with ``soft_fail`` the task is skipped."""

Ended = dict[str, Any] | str
"""An :class:`ImageResult` as a mapping; the ARN alone without waiting."""


class ImageBuilderWaitingSensor(ImageBuilderBaseOperator, BaseSensorOperator):
    """A sensor that waits for an image. A subclass says which one, and sets the parameters."""

    operator_extra_links = LINKS
    ui_color = "#e8f2ec"
    record_kind = ChoiceRecord
    records_image = True

    deferrable: bool
    poll_interval: float | timedelta | None
    wait_for_completion: bool
    fail_on_test_failure: bool

    def _choice(self, context: Context) -> Choice:
        """Return which image this task waits for, as templates have rendered it."""
        raise NotImplementedError

    # -- the wait ------------------------------------------------------------------------------------------

    def execute(self, context: Context) -> Any:
        """Find the image, and wait until it has finished."""
        if self.reschedule and not self.deferrable:
            return super().execute(context)
        with self._skips():
            return self._begin(context)

    def _begin(self, context: Context) -> Ended:
        deadline = time.time() + self.timeout
        choice = self._choice(context)
        try:
            arn = choice.now(patience=FIRST_READ_PATIENCE)
        except AwsError as trouble:
            self.log.warning("%s cannot be read yet: %s", choice, trouble)
            arn = None
        return self._follow(context, arn, deadline) if arn else self._search(context, choice, deadline)

    def _search(self, context: Context, choice: Choice, deadline: float, resumes: int = 0) -> Ended:
        from airflow_imagebuilder.triggers.find_image import ImageBuilderFindImageTrigger

        wanted = choice.searched
        self.log.info("There is none yet, so this task waits: %s", wanted)
        return self._wait(
            context,
            ImageBuilderFindImageTrigger(
                since=wanted.since.isoformat(),
                in_progress=wanted.in_progress,
                pipeline_arn=wanted.source.pipeline_arn,
                image_name=wanted.source.image_name,
                version=wanted.source.version,
                resumes=resumes,
                **self._trigger_arguments(deadline),
            ),
        )

    def _follow(self, context: Context, arn: str, deadline: float, resumes: int = 0) -> Ended:
        """Wait for an image that is known now."""
        from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger

        image = None if resumes else self._announce(context, arn)
        if not self.wait_for_completion:
            return arn
        if image and is_image_terminal(image["state"]["status"]):
            return self._end(context, image, deadline)
        return self._wait(
            context,
            ImageBuilderImageTrigger(
                image_build_version_arn=arn,
                cancel_on_kill=False,
                resumes=resumes,
                **self._trigger_arguments(deadline),
            ),
        )

    def _trigger_arguments(self, deadline: float) -> dict[str, Any]:
        return {"deadline": deadline, "poll_interval": as_seconds(self.poll_interval), **self.aws}

    def _wait(self, context: Context, trigger: Any) -> Ended:
        if self.deferrable:
            note_wait(context)
            self.defer(trigger=trigger, method_name="execute_complete")
        return self._resume(context, asyncio.run(trigger.wait()))

    def _announce(self, context: Context, arn: str) -> dict[str, Any] | None:
        """Publish the image as XCom and links; return it, or None where AWS does not show it now."""
        publish_arn(context, arn)
        try:
            image = self.hook.get_image(arn, patience=FIRST_READ_PATIENCE)
        except AwsError as error:
            self.log.info("AWS does not show image %s yet: %s", arn, error)
            image = None
        persist_links(context, self, arn, image)
        if image:
            self.log.info("This task waits for image %s, which is %s", arn, image["state"]["status"])
            self._recording(context).seen(image)
        return image

    # -- after the wait ------------------------------------------------------------------------------------

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> Ended:
        """
        Resume after a wait: publish the image that was found, or read how it ended.

        :param event: the event of :class:`ImageBuilderFindImageTrigger` or :class:`ImageBuilderImageTrigger`.
        :return: the :class:`ImageResult` as a JSON-safe mapping.
        """
        if is_of_another_try(event, context):
            begun: Ended = self.execute(context)
            return begun
        if not event:
            raise ImageBuilderError("The trigger fired without an event: clear this task to wait again.")
        with self._skips():
            return self._resume(context, event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after the wait. A new try whose last try lost its trigger begins at :meth:`execute`."""
        if lost_its_trigger(next_method, context):
            return self.execute(context)
        if next_method == "execute_complete":
            # BaseSensorOperator would replace the reason of a skip by "soft_fail is set".
            return BaseOperator.resume_execution(self, next_method, next_kwargs, context)
        return super().resume_execution(next_method, next_kwargs, context)

    def _resume(self, context: Context, event: Mapping[str, Any]) -> Ended:
        arn = event[ARN_KEY]
        if event["outcome"] == "found":
            return self._follow(context, arn, event["deadline"])
        return self._after_wait(context, arn, event) if arn else self._after_search(context, event)

    def _after_search(self, context: Context, event: Mapping[str, Any]) -> Ended:
        choice, deadline = self._choice(context), float(event["deadline"])
        resumes = int(event["resumes"]) + 1
        try:
            arn = choice.now(patience=FIRST_READ_PATIENCE)
        except AwsError as trouble:
            lasting = isinstance(trouble, NotFoundError) and event["missing"]
            if lasting or resumes > MAX_RESUMES:
                raise SearchInterruptedError(str(choice), trouble) from trouble
            self.log.warning("%s cannot be read (%d. time): %s", choice, resumes, trouble)
            arn = None
        if arn:
            return self._follow(context, arn, deadline)
        if event["outcome"] == "deadline":
            raise AirflowSensorTimeout(str(SearchDeadlineError(str(choice.searched), deadline, choice.shown)))
        return self._search(context, choice, deadline, resumes)

    def _after_wait(self, context: Context, arn: str, event: Mapping[str, Any]) -> Ended:
        deadline, why = float(event["deadline"]), event["message"]
        try:
            image = self.hook.get_image(arn)
            if is_image_terminal(image["state"]["status"]):
                return self._end(context, image, deadline)
            why = why or "it is in progress again"
            status = image["state"]["status"]
        except AwsError as trouble:
            why, status = trouble, None
        if event["outcome"] == "deadline":
            raise AirflowSensorTimeout(str(DeadlineExceededError(arn, deadline, status)))
        return self._wait_again(context, arn, event, why)

    def _wait_again(self, context: Context, arn: str, event: Mapping[str, Any], why: AwsError | str) -> Ended:
        """Wait again with the same deadline: trouble of a call says nothing about the image."""
        resumes, missing = int(event["resumes"]) + 1, isinstance(why, NotFoundError)
        lasting = missing and event["outcome"] == "error" and event.get("missing", True)
        if resumes > (MAX_RESUMES_MISSING if lasting else MAX_RESUMES):
            if missing:
                raise ImageNotFoundError(arn, why)
            raise SearchInterruptedError(f"Image {short_name(arn)}", why)
        self.log.warning("The wait for image %s continues (%d. time): %s", arn, resumes, why)
        return self._follow(context, arn, float(event["deadline"]), resumes)

    # -- on the worker, rescheduled ------------------------------------------------------------------------

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Poll once (mode ``reschedule``): the image that an earlier poll of this try has chosen, if any."""
        with self._skips():
            kept = Kept(context, self.log)
            try:
                return self._poke(context, kept)
            except AwsError as trouble:
                kept.tolerate(trouble, str(self._choice(context)))
                return False

    def _poke(self, context: Context, kept: Kept) -> bool | PokeReturnValue:
        arn = kept.arn or self._choice(context).now(patience=FIRST_READ_PATIENCE)
        kept.keep(arn)
        if arn is None:
            return False
        publish_arn(context, arn)
        image = self.hook.get_image(arn, patience=FIRST_READ_PATIENCE)
        persist_links(context, self, arn, image)
        if not self.wait_for_completion:
            return PokeReturnValue(is_done=True, xcom_value=arn)
        if not is_image_terminal(image["state"]["status"]):
            self._recording(context).seen(image)
            return False
        ended = self._verdict(context, image)
        if isinstance(ended, str):
            kept.keep(ended)
            return False
        return PokeReturnValue(is_done=True, xcom_value=ended.to_dict())

    # -- the end -------------------------------------------------------------------------------------------

    def _end(self, context: Context, image: Mapping[str, Any], deadline: float) -> Ended:
        ended = self._verdict(context, image)
        return self._follow(context, ended, deadline) if isinstance(ended, str) else ended.to_dict()

    def _verdict(self, context: Context, image: Mapping[str, Any]) -> ImageResult | str:
        """Return the result of an image that has finished, or a newer image where this one ended badly."""
        seen: list[Any] = []
        try:
            result = image_result(self, image, lambda *answers: seen.extend(answers))
            if self.fail_on_test_failure:
                refuse_failed_tests(result)
        except ENDED_BADLY as failure:
            choice = self._choice(context)
            if newer := choice.after(image):
                self.log.warning(
                    "%s\nThere is a newer image, so this task waits for that: %s", failure, newer
                )
                return newer
            self._recording(context).ended(*seen)
            if not isinstance(failure, TestsFailedError):
                failure.args = (f"{failure.without_next_step()}\n{choice.advice}",)
            raise
        self._recording(context).ended(*seen)
        update_asset_events(context, self.outlets, result)
        return result

    def _recording(self, context: Context) -> Recording:
        return Recording(context, self.log, submitted=False)

    @contextmanager
    def _skips(self) -> Iterator[None]:
        """Skip the task where Airflow's sensors do: with ``soft_fail``, and with ``never_fail``."""
        try:
            yield
        except (*ENDED_BADLY, AirflowSensorTimeout) as ended:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(ended)) from ended
            raise
        except AirflowSkipException:
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
