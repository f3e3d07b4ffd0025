"""The wait for an image, deferred or on the worker: begin it, resume it, turn its end into a result."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_imagebuilder.assets import update_asset_events
from airflow_imagebuilder.compat import (
    HAS_RETRY_POLICY,
    AirflowTaskTimeout,
    final_errors,
    stores_in_variables,
)
from airflow_imagebuilder.links import LINKS, persist_links
from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator
from airflow_imagebuilder.operators.retry_policy import default_retry_policy
from airflow_imagebuilder.operators.waiting.cancellation import Cancellation, Stop
from airflow_imagebuilder.operators.waiting.recording import Recording
from airflow_imagebuilder.operators.waiting.task_state import (
    TaskStore,
    forget,
    is_of_another_try,
    lost_its_trigger,
    note_wait,
    this_try,
)
from airflow_imagebuilder.operators.waiting.verdict import image_result, refuse_failed_tests
from airflow_imagebuilder.service.errors import (
    AwsError,
    ImageBuilderError,
    ImageNotFoundError,
    NotFoundError,
    WaitInterruptedError,
)
from airflow_imagebuilder.service.results.states import (
    is_image_terminal,
)
from airflow_imagebuilder.service.submission.ports import Origin, Submitted
from airflow_imagebuilder.service.submission.record import Record, SubmissionRecord
from airflow_imagebuilder.service.submission.repair import may_be_stale
from airflow_imagebuilder.service.submission.submission import Submission
from airflow_imagebuilder.xcom import ARN_KEY, publish_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.sdk import BaseOperatorLink, Context
    from typing_extensions import Unpack

    from airflow_imagebuilder.compat import RetryPolicy
    from airflow_imagebuilder.operators.arguments.keywords import OneAwsArguments
    from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger

MAX_RESUMES = 10
"""How many times one try waits again after trouble. The pauses grow: about 30 minutes in all."""

MAX_RESUMES_MISSING = 1
"""How many times it does so for an image that AWS did not find for the whole of the trigger's grace."""

FIRST_READ_PATIENCE = 10.0
"""Seconds for which the GetImage before the wait is retried through throttling and outages."""

T = TypeVar("T")


class ImageBuilderWaitingOperator(ImageBuilderBaseOperator):
    """
    An operator that waits for an image. A kill of its task cancels the image.

    :param deferrable: wait in the triggerer (default), or on the worker.
    :param timeout: how long the image may take (default: 12 hours), counted from its submit or its repair
        through all tries; then the task cancels it. The task's ``execution_timeout``, counted from the start
        of each try, applies too: the earlier of the two decides.
    :param poll_interval: seconds (or a timedelta) between two polls of the image; ``None`` (default) takes
        ``[imagebuilder] poll_interval``.
    :param cancel_on_kill: cancel the image when the task is killed, cleared or out of time (default: yes).
    :param delete_outputs_on_kill: then also remove the AMIs and snapshots that the build left behind
        (default: no).
    :param fail_on_test_failure: fail when a test failed although AWS calls the image AVAILABLE (default: no).
        A test whose ``on_failure`` is CONTINUE does not fail the image.
    :param retry_policy: which errors are retried, and when (default: ``ImageBuilderRetryPolicy``). Airflow
        has retry policies since 3.3. On an older one a policy can forbid a retry, but not delay it.
    """

    operator_extra_links: Sequence[BaseOperatorLink] = LINKS
    ui_color = "#e8f2ec"
    record_kind: type[Record] = SubmissionRecord
    """What the task keeps between its tries."""
    records_image = True
    """Whether the task records its image. In a task group ``image`` does, not the task that submits it."""

    def __init__(
        self,
        *,
        deferrable: bool = True,
        timeout: timedelta = timedelta(hours=12),
        poll_interval: float | timedelta | None = None,
        cancel_on_kill: bool = True,
        delete_outputs_on_kill: bool = False,
        fail_on_test_failure: bool = False,
        retry_policy: RetryPolicy | None = None,
        **kwargs: Unpack[OneAwsArguments],
    ) -> None:
        policy = retry_policy or default_retry_policy()
        newer: dict[str, Any] = {"retry_policy": policy} if HAS_RETRY_POLICY else {}
        super().__init__(**kwargs, **newer)
        self.retry_policy = policy
        self.deferrable = deferrable
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.cancel_on_kill = cancel_on_kill
        self.delete_outputs_on_kill = delete_outputs_on_kill
        self.fail_on_test_failure = fail_on_test_failure
        self._refuse_options()
        self._submission: Submission | None = None
        if stores_in_variables():
            # Set here: as an argument it would replace the callbacks of the Dag's default_args.
            self.on_success_callback = [*self.on_success_callback, forget]

    # -- waiting -------------------------------------------------------------------------------------------

    def await_image(self, context: Context, submitted: Submitted) -> dict[str, Any]:
        """
        Wait until the image has finished. A task that defers resumes in :meth:`execute_complete`.

        :param submitted: the image, and how this try came to it.
        :return: the :class:`ImageResult` as a JSON-safe mapping.
        """
        deadline = self._deadline(context, submitted)
        image = self.announce(context, submitted.arn)
        # After a repair, AWS may still show the failure before it.
        if image and not submitted.stale_until and is_image_terminal(image["state"]["status"]):
            return self.finish(context, image)
        return self._wait(context, self._trigger(submitted, deadline))

    def announce(self, context: Context, arn: str) -> dict[str, Any] | None:
        """
        Publish the image before the wait: as XCom, as links, and for :meth:`on_kill`.

        :param arn: image build version ARN.
        :return: GetImage's ``image``; ``None`` where the call fails. Trouble of this one call does not end
            the wait for a build that was submitted.
        :raises ImageBuilderError: the task was killed while it submitted the image.
        """
        cancellation = self.cancellation
        cancellation.context, cancellation.arn = context, arn
        cancellation.raise_if_killed(arn)
        publish_arn(context, arn)
        image = self._image_or_none(arn)
        persist_links(context, self, arn, image)
        if image and self.records_image:
            self.recording(context).seen(image)
        return image

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Resume after the wait: read the image from AWS, whatever the trigger reported, and judge from that.

        :param event: the event of :class:`ImageBuilderImageTrigger`.
        :return: the :class:`ImageResult` as a JSON-safe mapping.
        :raises ImageFailedError: (or ImageCancelledError) the image did not end well.
        :raises DeadlineExceededError: the image did not finish before its deadline.
        :raises WaitInterruptedError: AWS did not answer for :data:`MAX_RESUMES` resumes of the wait.
        """
        if is_of_another_try(event, context):
            begun: dict[str, Any] = self.execute(context)
            return begun
        if not event:
            raise ImageBuilderError("The trigger fired without an event: clear this task to build again.")
        self.cancellation.arn = str(event[ARN_KEY])
        return self.in_time(context, lambda: self._after_wait(context, event))

    def _after_wait(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        arn = str(event[ARN_KEY])
        why: AwsError | str
        try:
            if event["outcome"] == "deadline":
                # Cancel first: a GetImage before it could fail, and the build would outlive its deadline.
                return self.finish(context, self.cancellation.at_deadline(arn, event.get("deadline")))
            image = self.hook.get_image(arn)
            stale = may_be_stale(image, event.get("stale_until"), event.get("stale_failure"), time.time())
            if is_image_terminal(image["state"]["status"]) and not stale:
                return self.finish(context, image)
            # A person has just repaired it, or AWS's lists are ahead of GetImage, or the trigger reported
            # trouble that says nothing about the build.
            shown = "AWS still shows the failure before its repair" if stale else "it is in progress again"
            why = str(event.get("message") or shown)
        except AwsError as trouble:
            why = trouble
        return self._wait_again(context, arn, event, why)

    def _wait_again(
        self, context: Context, arn: str, event: Mapping[str, Any], why: AwsError | str
    ) -> dict[str, Any]:
        """Wait again with the same deadline: trouble of a call does not end the wait for a build."""
        resumes = int(event.get("resumes") or 0) + 1
        missing = isinstance(why, NotFoundError)
        # A single "not found" is not enough: the trigger must have got it too, for the whole of its grace.
        lasting = missing and event["outcome"] == "error" and event.get("missing", True)
        most = MAX_RESUMES_MISSING if lasting else MAX_RESUMES
        if resumes > most:
            raise ImageNotFoundError(arn, why) if missing else WaitInterruptedError(arn, why)
        self.log.warning(
            "The wait for image %s continues (%d of at most %d times): %s", arn, resumes, most, why
        )
        stale = {name: event.get(name) for name in ("stale_until", "stale_failure")}
        submitted = Submitted(arn, Origin.ATTACHED, **stale)
        deadline = event.get("deadline") or self._deadline(context, submitted)
        return self._wait(context, self._trigger(submitted, deadline, resumes))

    def _image_or_none(self, arn: str) -> dict[str, Any] | None:
        try:
            return self.hook.get_image(arn, patience=FIRST_READ_PATIENCE)
        except AwsError as error:
            self.log.info("AWS does not show image %s yet: %s", arn, error)
            return None

    def _trigger(self, submitted: Submitted, deadline: float, resumes: int = 0) -> ImageBuilderImageTrigger:
        from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger

        interval = self.poll_interval
        return ImageBuilderImageTrigger(
            image_build_version_arn=submitted.arn,
            deadline=deadline,
            stale_until=submitted.stale_until,
            stale_failure=submitted.stale_failure,
            poll_interval=interval.total_seconds() if isinstance(interval, timedelta) else interval,
            cancel_on_kill=self.cancel_on_kill,
            delete_outputs_on_kill=self.delete_outputs_on_kill,
            resumes=resumes,
            **self.submitter_arguments,
            **self.aws,
        )

    @property
    def submitter_arguments(self) -> dict[str, Any]:
        """The trigger's arguments that say who submitted the image; empty where this task did."""
        return {}

    def _deadline(self, context: Context, submitted: Submitted) -> float:
        """Return the Unix time at which the wait is over: it counts from the submit, through all tries."""
        return self.wait_until(context, self.timeout, submitted.submitted_at)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Resume after the wait. A new try whose last try lost its trigger begins at :meth:`execute`.

        Airflow 3.0 resumes a new try in the way in which it resumed the last one, so after a trigger's
        exception no try would read the image again.
        """
        if lost_its_trigger(next_method, context):
            return self.execute(context)
        return super().resume_execution(next_method, next_kwargs, context)

    def _wait(self, context: Context, trigger: ImageBuilderImageTrigger) -> dict[str, Any]:
        # SIGTERM may have come during a call to Airflow, in which it could not be asked about a kill.
        self.cancellation.raise_if_killed(trigger.image_build_version_arn)
        if self.deferrable:
            note_wait(context)
            self.defer(trigger=trigger, method_name="execute_complete")
        return self._after_wait(context, asyncio.run(trigger.wait()))

    def in_time(self, context: Context, work: Callable[[], T]) -> T | dict[str, Any]:
        """
        Do the work of a try, and cancel the image if ``execution_timeout`` interrupts it.

        :param work: the work of the try.
        :return: what ``work`` returns; the :class:`ImageResult` of an image that finished before the cancel.
        :raises DeadlineExceededError: time was up. The image is cancelled, unless ``cancel_on_kill`` is off.
        :raises WaitInterruptedError: time was up, and AWS did not accept the cancel.
        :raises AirflowTaskTimeout: time was up before there was an image.
        """
        with final_errors(self.retry_policy, context):
            return self._in_time(context, work)

    def _in_time(self, context: Context, work: Callable[[], T]) -> T | dict[str, Any]:
        try:
            self.cancellation.begin(context)
            return work()
        except AirflowTaskTimeout:
            # Set first: Airflow calls on_kill after the timeout, too.
            self.cancellation.stop = Stop.TIMED_OUT
            arn = self.cancellation.arn or (self.learn_arn() if self.cancel_on_kill else None)
            if arn is None:
                raise
            self.log.warning("execution_timeout has ended this try.")
            try:
                return self.finish(context, self.cancellation.at_deadline(arn))
            except AwsError as trouble:
                raise WaitInterruptedError(arn, trouble) from trouble

    # -- the end -------------------------------------------------------------------------------------------

    def finish(self, context: Context, image: Mapping[str, Any]) -> dict[str, Any]:
        """
        Turn an image that has finished into a result or an error.

        :param image: GetImage's ``image``.
        :return: the :class:`ImageResult` as a JSON-safe mapping.
        :raises ImageFailedError: (or ImageCancelledError) it did not end well.
        :raises TestsFailedError: a test failed, and ``fail_on_test_failure`` is on.
        """
        result = image_result(self, image, self.recording(context).ended)
        self.record_finished(context)
        if self.fail_on_test_failure:
            refuse_failed_tests(result)
        update_asset_events(context, self.outlets, result)
        return result.to_dict()

    def recording(self, context: Context) -> Recording:
        """Return what writes the records of this try."""
        kept = self.__dict__.get("_recording")
        if not isinstance(kept, Recording) or kept.ti is not context["ti"]:
            kept = self.__dict__["_recording"] = Recording(context, self.log)
        return kept

    def record_finished(self, context: Context) -> None:
        """Note for later tries that this one is finished: only a clear can follow it."""
        Submission(self.hook, TaskStore(context, written=True)).finished(this_try(context), self.record_kind)

    # -- killing -------------------------------------------------------------------------------------------

    @property
    def cancellation(self) -> Cancellation:
        """The cancel of this try's image. The try makes it: Airflow copies an operator before it runs it."""
        new = Cancellation(self, allowed=self.cancel_on_kill, delete_outputs=self.delete_outputs_on_kill)
        # A signal handler may come here in the middle of the main thread's first call: both get the same one.
        kept: Cancellation = self.__dict__.setdefault("_cancellation", new)
        # A signal may also come before Airflow copies the operator: then the copy has that of the original.
        kept.operator = self
        return kept

    @property
    def arn(self) -> str | None:
        """The image of this try, once it is announced."""
        return self.cancellation.arn

    def on_kill(self) -> None:
        """Cancel the image if a person killed the running task, not if its worker is being stopped."""
        self.cancellation.on_kill()

    def cancel(self, arn: str) -> dict[str, Any]:
        """Submit CancelImageCreation, and return GetImage's ``image`` after it."""
        image = self.cancellation.submit(arn)
        if self.records_image and self.cancellation.context is not None:
            self.recording(self.cancellation.context).ended(image)
        return image

    def learn_arn(self) -> str | None:
        """Return this try's image before it is announced; ``None`` where there is none yet."""
        return self._submission.arn if self._submission else None
