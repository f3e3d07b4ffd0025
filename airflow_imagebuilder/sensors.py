"""The sensor that waits for an image which another one builds: a schedule, Terraform, a colleague."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseSensorOperator, PokeReturnValue

from airflow_imagebuilder.assets import update_asset_events
from airflow_imagebuilder.compat import AirflowSensorTimeout, AirflowSkipException, stores_in_variables
from airflow_imagebuilder.links import LINKS, persist_links
from airflow_imagebuilder.operators.arguments import partial_faults, refuse
from airflow_imagebuilder.operators.base import AWS_FIELDS, ImageBuilderBaseOperator
from airflow_imagebuilder.operators.options import as_seconds, option_faults, source_faults
from airflow_imagebuilder.operators.waiting.observation import Choice, ChoiceRecord, Kept
from airflow_imagebuilder.operators.waiting.operator import (
    FIRST_READ_PATIENCE,
    MAX_RESUMES,
    MAX_RESUMES_MISSING,
)
from airflow_imagebuilder.operators.waiting.task_state import (
    forget,
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
from airflow_imagebuilder.xcom import ARN_KEY, known_arn, publish_arn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from airflow.sdk import Context

    from airflow_imagebuilder.service.gates.newest_image import Wanted
    from airflow_imagebuilder.service.results.image import ImageResult

ENDED_BADLY = (ImageFailedError, ImageCancelledError, TestsFailedError)
"""What the image itself is to blame for: with ``soft_fail`` the task is skipped."""

_SEARCHED = ("image_build_version_arn", "pipeline_arn", "image_name", "version", "since")


class ImageBuilderImageSensor(ImageBuilderBaseOperator, BaseSensorOperator):
    """
    Wait for an image that another one builds, and return it. This task never builds and never cancels.

    Exactly one of ``image_build_version_arn``, ``pipeline_arn`` and ``image_name`` names the image. For the
    last two the newest image counts, by AWS's ``dateCreated``, that is not DEPRECATED, DISABLED or DELETED.
    The task decides once: an image that another one starts later does not replace it, unless the first one
    ends badly. A new try decides again.

    :param image_build_version_arn: this image.
    :param pipeline_arn: the newest image of this pipeline, whatever started it.
    :param image_name: the newest image of this name: that of its recipe.
    :param version: with ``image_name``: only images of this version, ``1.2.3`` or ``1.x.x``; ``None``
        (default) for all.
    :param since: only images created at or after this time: a datetime, or ISO text; without a zone it is
        UTC. ``None`` (default): images that were created since the run was due (``dag_run.run_after``), or
        are still in progress. So an old image never counts, a retry or a clear finds the same images, and
        a build that began shortly before the run does count.
    :param fail_on_test_failure: fail when a test failed although AWS calls the image AVAILABLE (default: no).
    :param deferrable: wait in the triggerer (default), or on the worker as ``mode`` says.
    :param poll_interval: seconds (or a timedelta) between two polls in the triggerer, and in mode ``poke``;
        ``None`` (default) takes ``[imagebuilder] poll_interval``.
    :param timeout: seconds (or a timedelta) for which the task waits (default: ``[sensors]
        default_timeout``, a week), from the start of its try; then it fails without another try.
    :param mode: on the worker: ``poke`` (default) keeps the worker, ``reschedule`` frees it for
        ``poke_interval``.
    :param soft_fail: skip the task where the image ends badly, or in time none does (default: fail).
    :return: the :class:`ImageResult` as a JSON-safe mapping. The task also pushes the ARN as XCom
        ``image_build_version_arn`` as soon as it knows the image.
    :raises ImageFailedError: (or ImageCancelledError) the image did not end well.
    :raises TestsFailedError: a test failed, and ``fail_on_test_failure`` is on.
    :raises AirflowSensorTimeout: there was no image in time, or it had not finished.
    :raises SearchInterruptedError: AWS refused the calls for longer than ``[imagebuilder] grace``.
    """

    template_fields: Sequence[str] = (*AWS_FIELDS, *_SEARCHED)
    operator_extra_links = LINKS
    ui_color = "#e8f2ec"
    record_kind = ChoiceRecord

    def __init__(
        self,
        *,
        image_build_version_arn: str | None = None,
        pipeline_arn: str | None = None,
        image_name: str | None = None,
        version: str | None = None,
        since: datetime | str | None = None,
        fail_on_test_failure: bool = False,
        deferrable: bool = True,
        poll_interval: float | timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_build_version_arn = image_build_version_arn
        self.pipeline_arn = pipeline_arn
        self.image_name = image_name
        self.version = version
        self.since = since
        self.fail_on_test_failure = fail_on_test_failure
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        refuse(
            [*option_faults(self._options()), *source_faults(self._options())], of=f"task {self.task_id!r}"
        )
        if self.reschedule and stores_in_variables():
            # Set here: as an argument it would replace the callbacks of the Dag's default_args.
            self.on_success_callback = [*self.on_success_callback, forget]

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Check what is known at parse, but for ``timeout``: Airflow's sensors take seconds, too."""
        own = {name: value for name, value in kwargs.items() if name != "timeout"}
        refuse(partial_faults(cls, own), of=f"task {kwargs.get('task_id')!r}")
        return super(ImageBuilderBaseOperator, cls).partial(**kwargs)

    def _refuse_options(self) -> None:
        refuse(option_faults(self._options()), of=f"task {self.task_id!r}")

    def _options(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "timeout"}

    # -- the wait ------------------------------------------------------------------------------------------

    def execute(self, context: Context) -> Any:
        """Find the image, and wait until it has finished."""
        if self.reschedule and not self.deferrable:
            return super().execute(context)
        with self._skips():
            return self._begin(context)

    def _begin(self, context: Context) -> dict[str, Any]:
        deadline = time.time() + self.timeout
        choice = self._choice(context)
        try:
            arn = choice.now(patience=FIRST_READ_PATIENCE)
        except AwsError as trouble:
            self.log.warning("%s cannot be read yet: %s", choice, trouble)
            arn = None
        return self._follow(context, arn, deadline) if arn else self._search(context, choice, deadline)

    def _choice(self, context: Context) -> Choice:
        """Return which image this task waits for, as templates have rendered it."""
        given = {name: getattr(self, name) for name in _SEARCHED}
        if all(not given[name] or given[name] == "None" for name in ("pipeline_arn", "image_name")):
            return Choice(self.hook, arn=known_arn(self.image_build_version_arn), log=self.log)
        refuse(source_faults(given, rendered=True))
        return Choice(self.hook, wanted=self._wanted(context), log=self.log)

    def _wanted(self, context: Context) -> Wanted:
        from airflow_imagebuilder.service.gates.newest_image import Source, Wanted, as_utc, moment

        source = Source(
            pipeline_arn=self.pipeline_arn or None,
            image_name=self.image_name or None,
            version=self.version or None,
        )
        since, run = self.since, context["dag_run"]
        if since in (None, "", "None"):
            return Wanted(source=source, since=as_utc(run.run_after), in_progress=True)
        return Wanted(source=source, since=moment(since) if isinstance(since, str) else as_utc(since))

    def _search(self, context: Context, choice: Choice, deadline: float, resumes: int = 0) -> dict[str, Any]:
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

    def _follow(self, context: Context, arn: str, deadline: float, resumes: int = 0) -> dict[str, Any]:
        """Wait for an image that is known now."""
        from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger

        image = None if resumes else self._announce(context, arn)
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

    def _wait(self, context: Context, trigger: Any) -> dict[str, Any]:
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
        return image

    # -- after the wait ------------------------------------------------------------------------------------

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Resume after a wait: publish the image that was found, or read how it ended.

        :param event: the event of :class:`ImageBuilderFindImageTrigger` or :class:`ImageBuilderImageTrigger`.
        :return: the :class:`ImageResult` as a JSON-safe mapping.
        """
        if is_of_another_try(event, context):
            begun: dict[str, Any] = self.execute(context)
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

    def _resume(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        arn = event[ARN_KEY]
        if event["outcome"] == "found":
            return self._follow(context, arn, event["deadline"])
        return self._after_wait(context, arn, event) if arn else self._after_search(context, event)

    def _after_search(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        choice, deadline = self._choice(context), float(event["deadline"])
        resumes = int(event["resumes"]) + 1
        try:
            arn = choice.now(patience=FIRST_READ_PATIENCE)
        except AwsError as trouble:
            lasting = isinstance(trouble, NotFoundError) and event["missing"]
            if resumes > (MAX_RESUMES_MISSING if lasting else MAX_RESUMES):
                raise SearchInterruptedError(str(choice), trouble) from trouble
            self.log.warning("%s cannot be read (%d. time): %s", choice, resumes, trouble)
            arn = None
        if arn:
            return self._follow(context, arn, deadline)
        if event["outcome"] == "deadline":
            raise AirflowSensorTimeout(str(SearchDeadlineError(str(choice.searched), deadline, choice.shown)))
        return self._search(context, choice, deadline, resumes)

    def _after_wait(self, context: Context, arn: str, event: Mapping[str, Any]) -> dict[str, Any]:
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

    def _wait_again(
        self, context: Context, arn: str, event: Mapping[str, Any], why: AwsError | str
    ) -> dict[str, Any]:
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
        if arn is None:
            return False
        kept.keep(arn)
        publish_arn(context, arn)
        image = self.hook.get_image(arn, patience=FIRST_READ_PATIENCE)
        persist_links(context, self, arn, image)
        if not is_image_terminal(image["state"]["status"]):
            return False
        ended = self._verdict(context, image)
        if isinstance(ended, str):
            kept.keep(ended)
            return False
        return PokeReturnValue(is_done=True, xcom_value=ended.to_dict())

    # -- the end -------------------------------------------------------------------------------------------

    def _end(self, context: Context, image: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        ended = self._verdict(context, image)
        return self._follow(context, ended, deadline) if isinstance(ended, str) else ended.to_dict()

    def _verdict(self, context: Context, image: Mapping[str, Any]) -> ImageResult | str:
        """Return the result of an image that has finished, or a newer image where this one ended badly."""
        try:
            result = image_result(self, image)
            if self.fail_on_test_failure:
                refuse_failed_tests(result)
        except ENDED_BADLY as failure:
            choice = self._choice(context)
            if newer := choice.after(image):
                self.log.warning(
                    "%s\nThere is a newer image, so this task waits for that: %s", failure, newer
                )
                return newer
            if not isinstance(failure, TestsFailedError):
                failure.args = (f"{failure.without_next_step()}\n{choice.advice}",)
            raise
        update_asset_events(context, self.outlets, result)
        return result

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
