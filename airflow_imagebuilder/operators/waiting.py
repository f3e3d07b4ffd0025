"""Waiting for an image, deferred or on the worker, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_imagebuilder.assets import update_asset_events
from airflow_imagebuilder.links import LINKS, persist_links
from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator
from airflow_imagebuilder.operators.retry_policy import default_retry_policy
from airflow_imagebuilder.operators.task_state import TaskStore, this_try, was_killed
from airflow_imagebuilder.service.client.tokens import random_token
from airflow_imagebuilder.service.errors import (
    AwsError,
    DeadlineExceededError,
    ImageBuilderError,
    ImageNotFoundError,
    NotFoundError,
    RefusedError,
    TestsFailedError,
    WaitInterruptedError,
    ended_badly,
)
from airflow_imagebuilder.service.results.cause import failed_execution
from airflow_imagebuilder.service.results.image import ImageResult
from airflow_imagebuilder.service.states import (
    IMAGE_SUCCEEDED,
    WORKFLOW_FAILED,
    ImageStatus,
    is_image_terminal,
)
from airflow_imagebuilder.service.submission.ports import Origin, Submitted
from airflow_imagebuilder.service.submission.repair import may_be_stale
from airflow_imagebuilder.service.submission.submission import Submission
from airflow_imagebuilder.service.text import aws_command
from airflow_imagebuilder.xcom import ARN_KEY, publish_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger

MAX_RESUMES = 10
"""How often one try waits again after trouble. The pauses grow: some 30 minutes in all."""

MAX_RESUMES_MISSING = 1
"""How often it does so for an image that AWS does not find, after a grace in which it does not either."""

FIRST_LOOK_PATIENCE = 10.0
"""Seconds for which the first look at an image, before the wait, outlives throttling and outages."""

T = TypeVar("T")


class ImageBuilderWaitingOperator(ImageBuilderBaseOperator):
    """
    An operator that waits for an image and answers for it: kill it, and the image is cancelled.

    :param deferrable: wait in the triggerer (default), or on the worker.
    :param timeout: how long the image may take, from its submit (or its repair) on, through all tries; then
        it is cancelled. The task's ``execution_timeout``, which counts from the start of each try, holds too,
        whichever ends first.
    :param poll_interval: seconds between two looks; ``None`` takes ``[imagebuilder] poll_interval``.
    :param cancel_on_kill: cancel the image when the task is killed, cleared or runs out of time.
    :param delete_outputs_on_kill: then also remove the AMIs and snapshots that the build left behind.
    :param fail_on_test_failure: fail when a test failed, though AWS calls the image AVAILABLE (a test whose
        ``on_failure`` is CONTINUE does not fail the image).
    """

    operator_extra_links = LINKS
    ui_color = "#e8f2ec"

    def __init__(
        self,
        *,
        deferrable: bool = True,
        timeout: timedelta = timedelta(hours=12),
        poll_interval: float | timedelta | None = None,
        cancel_on_kill: bool = True,
        delete_outputs_on_kill: bool = False,
        fail_on_test_failure: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("retry_policy") is None:  # .partial() passes None, so setdefault would miss it
            kwargs["retry_policy"] = default_retry_policy()
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.cancel_on_kill = cancel_on_kill
        self.delete_outputs_on_kill = delete_outputs_on_kill
        self.fail_on_test_failure = fail_on_test_failure
        self._refuse_options()
        self.arn: str | None = None
        self._submission: Submission | None = None
        self._context: Context | None = None
        self._stopped = self._killed = self._timed_out = False
        self._cancelled: str | None = None

    # -- waiting -------------------------------------------------------------------------------------------

    def await_image(self, context: Context, submitted: Submitted) -> dict[str, Any]:
        """
        Return the image once it has ended; a task that defers comes back through :meth:`execute_complete`.

        :return: the :class:`ImageResult` as a JSON-safe mapping.
        """
        deadline = self._deadline(context, submitted)
        image = self.announce(context, submitted.arn)
        # After a repair, what is seen now may be the failure before it.
        if image and not submitted.stale_until and is_image_terminal(image["state"]["status"]):
            return self.finish(context, image)
        return self._wait(context, self._trigger(submitted, deadline))

    def announce(self, context: Context, arn: str) -> dict[str, Any] | None:
        """
        Make the image known before the wait: as XCom, as links, and to :meth:`on_kill`.

        :return: GetImage's ``image``; ``None`` where AWS does not show it right now. It is optional here: a
            build that was submitted is waited for, whatever the first call after it meets.
        """
        self.arn, self._context = arn, context
        self._refuse_if_killed(arn)
        publish_arn(context, arn)
        image = self._image_or_none(arn)
        persist_links(context, self, arn, image)
        return image

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Resume after the wait: ask AWS how the image is, whatever the trigger reported, and judge from that.

        :param event: the event of :class:`ImageBuilderImageTrigger`.
        :raises WaitInterruptedError: AWS did not answer for :data:`MAX_RESUMES` resumes of the wait.
        """
        if not event:
            raise ImageBuilderError("The trigger fired without an event: clear this task to bake anew.")
        self.arn, self._context = str(event[ARN_KEY]), context
        return self.in_time(context, lambda: self._after_wait(context, event))

    def _after_wait(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        arn, deadline = str(event[ARN_KEY]), event.get("deadline")
        why: AwsError | str
        try:
            if event["outcome"] == "deadline":
                # Cancel first: a look before it could fail, and the build would outlive its deadline.
                return self._out_of_time(context, arn, deadline)
            image = self.hook.get_image(arn)
            stale = may_be_stale(image, event.get("stale_until"), event.get("stale_failure"), time.time())
            if is_image_terminal(image["state"]["status"]) and not stale:
                return self.finish(context, image)
            # Repaired by a person in the moment between, or AWS's lists are ahead of its images, or the
            # trigger met trouble that says nothing about the build.
            seen = "AWS still shows the failure before its repair" if stale else "it is in progress again"
            why = str(event.get("message") or seen)
        except AwsError as trouble:
            why = trouble
        return self._wait_again(context, arn, event, why)

    def _wait_again(
        self, context: Context, arn: str, event: Mapping[str, Any], why: AwsError | str
    ) -> dict[str, Any]:
        """Wait on with the same deadline: a build that may be alive is not given up for trouble of a call."""
        resumes = int(event.get("resumes") or 0) + 1
        missing = isinstance(why, NotFoundError)
        # A single "not found" is no verdict: the trigger, too, must have met it, and for all of its grace.
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
            return self.hook.get_image(arn, patience=FIRST_LOOK_PATIENCE)
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
            **self.submitter_known_to_trigger,
            **self.aws,
        )

    @property
    def submitter_known_to_trigger(self) -> dict[str, Any]:
        """Who submitted the image, where that is another task."""
        return {}

    def _deadline(self, context: Context, submitted: Submitted) -> float:
        """Return the Unix time at which the wait is over: from the submit on, whichever try waits."""
        deadline = (submitted.submitted_at or time.time()) + self.timeout.total_seconds()
        started = getattr(context["ti"], "start_date", None)
        if self.execution_timeout and started:
            # Airflow's own timeout does not reach a deferred task.
            deadline = min(deadline, (started + self.execution_timeout).timestamp())
        return deadline

    def _wait(self, context: Context, trigger: ImageBuilderImageTrigger) -> dict[str, Any]:
        if self.deferrable:
            self.defer(trigger=trigger, method_name="execute_complete")
        return self._after_wait(context, asyncio.run(trigger.wait()))

    def in_time(self, context: Context, work: Callable[[], T]) -> T | dict[str, Any]:
        """
        Do what a try does, and cancel the image if ``execution_timeout`` ends it, wherever that is.

        :return: what ``work`` returns; the :class:`ImageResult` of an image that finished first.
        :raises DeadlineExceededError: time was up. The image is cancelled, unless ``cancel_on_kill`` is off.
        :raises WaitInterruptedError: time was up, and AWS did not take the cancel.
        """
        try:
            return work()
        except AirflowTaskTimeout:
            self._timed_out = True  # Airflow calls on_kill after it, too: there is nothing left to do
            arn = self.arn or (self.learn_arn() if self.cancel_on_kill else None)
            if arn is None:
                raise
            self.log.warning("execution_timeout has ended this try.")
            try:
                return self._out_of_time(context, arn)
            except AwsError as trouble:
                raise WaitInterruptedError(arn, trouble) from trouble

    # -- the end -------------------------------------------------------------------------------------------

    def finish(self, context: Context, image: Mapping[str, Any]) -> dict[str, Any]:
        """
        Turn an image that has ended into a result or an error.

        :raises ImageFailedError: (or ImageCancelledError) it did not end well.
        """
        executions = self.hook.list_workflow_executions(image["arn"])
        if image["state"]["status"] not in IMAGE_SUCCEEDED:
            raise ended_badly(image["arn"], image, executions, self._steps_of_failure(image, executions))
        result = ImageResult.from_api(image, executions)
        self._tell(result)
        self.note_finished(context)
        failed = [test.name for test in result.tests if test.status in WORKFLOW_FAILED]
        if failed and self.fail_on_test_failure:
            raise TestsFailedError(arn=result.arn, tests=failed)
        update_asset_events(context, self.outlets, result)
        return result.to_dict()

    def note_finished(self, context: Context) -> None:
        """Note for later tries that this one has done what it was for: only a clear can follow it."""
        Submission(self.hook, TaskStore(context)).finished(this_try(context))

    def _steps_of_failure(
        self, image: Mapping[str, Any], executions: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        failed = failed_execution(image, executions)
        return self.steps_if_told(failed["workflowExecutionId"]) if failed else []

    def _tell(self, result: ImageResult) -> None:
        self.log.info("Image %s is %s", result.arn, result.status)
        for test in result.tests:
            self.log.info("Test %s: %s", test.name, test.status)
        for ami in result.amis:
            self.log.info("AMI %s in %s (account %s)", ami.image, ami.region, ami.account_id)
        for container in result.containers:
            self.log.info("Container in %s: %s", container.region, ", ".join(container.image_uris))

    # -- killing -------------------------------------------------------------------------------------------

    def on_kill(self) -> None:
        """Cancel the image when a person killed the running task, not when its worker is being stopped."""
        if not self.cancel_on_kill or self._context is None or self._killed or self._timed_out:
            return
        self._stopped = True
        killed = was_killed(self._context)
        if not killed:
            self._log_left_alone(known=killed is False)
            return
        self._killed = True
        # Airflow ends the process in five seconds: an answer that is still to come may come too late.
        if arn := self.arn or self.learn_arn():
            self.cancel(arn)

    def _log_left_alone(self, *, known: bool) -> None:
        image = f"Image {self.arn}" if self.arn else "What it submits"
        if known:
            self.log.info(
                "This process is being stopped, and Airflow shows no kill of its task. %s keeps building. "
                "Airflow's next try finds it, if a try is left.",
                image,
            )
            return
        self.log.error(
            "Airflow did not say whether this task was killed. %s is left alone and may still be building. "
            "If you killed the task, cancel it by hand: %s",
            image,
            aws_command("cancel-image-creation", self.arn or "(its ARN: see the Image Builder console)"),
        )

    def learn_arn(self) -> str | None:
        """Return this try's image before it is announced; ``None`` where there is none yet."""
        return self._submission.arn if self._submission else None

    def _refuse_if_killed(self, arn: str) -> None:
        if self._stopped:
            self.on_kill()  # asks again: in the middle of a call to Airflow it could not know
        if self._killed:
            if self._cancelled != arn:
                self.cancel(arn)
            became = (
                "AWS accepted the cancel" if self._cancelled == arn else "AWS refused the cancel, see above"
            )
            raise ImageBuilderError(
                f"The task was killed while it submitted {arn}. {became}. For a new try, clear the task that "
                "submitted it, with what follows it."
            )

    def cancel(self, arn: str) -> dict[str, Any]:
        """Cancel an image and return it as it then is: a build that ended first has ended."""
        self._cancelled = arn
        try:
            self.hook.cancel_image(arn, random_token())
        except RefusedError as refusal:
            self._cancelled = None
            self.log.info("CancelImageCreation was refused: %s", refusal)
        except AwsError:
            self._cancelled = None
            raise
        image = self.hook.get_image(arn)
        self.log.info("After CancelImageCreation %s is %s", arn, image["state"]["status"])
        if self.delete_outputs_on_kill and image["state"]["status"] == ImageStatus.CANCELLED:
            self.hook.delete_outputs(image)
        elif self.delete_outputs_on_kill:
            self.log.warning(
                "Image %s is %s now: its outputs, if any, are left behind. Once it is CANCELLED, remove "
                "its AMIs "
                "and snapshots by hand.",
                arn,
                image["state"]["status"],
            )
        return image

    def _out_of_time(self, context: Context, arn: str, deadline: float | None = None) -> dict[str, Any]:
        try:
            image = self.cancel(arn) if self.cancel_on_kill else self.hook.get_image(arn)
        except AwsError as trouble:
            if self._cancelled != arn:
                raise
            # A later look would find it CANCELLED, and not know by whom.
            shown, when = "unknown, AWS did not answer", deadline or time.time()
            raise DeadlineExceededError(arn, when, shown, cancelled=True) from trouble
        status = image["state"]["status"]
        if is_image_terminal(status) and self._cancelled != arn:
            return self.finish(context, image)  # it ended by itself first: well, or with a failure of its own
        if status in IMAGE_SUCCEEDED or status == ImageStatus.FAILED:
            return self.finish(context, image)
        raise DeadlineExceededError(arn, deadline or time.time(), status, cancelled=self._cancelled == arn)
