"""Waiting for an image, deferred or on the worker, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_imagebuilder.assets import tell_assets
from airflow_imagebuilder.links import LINKS, persist_links
from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator
from airflow_imagebuilder.policies import default_retry_policy
from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ImageBuilderError,
    NotFoundError,
    RefusedError,
    TestsFailedError,
)
from airflow_imagebuilder.service.failure import failed_execution
from airflow_imagebuilder.service.repair import ended_badly
from airflow_imagebuilder.service.result import ImageResult
from airflow_imagebuilder.service.states import (
    IMAGE_FAILED,
    IMAGE_SUCCEEDED,
    WORKFLOW_FAILED,
    is_image_terminal,
)
from airflow_imagebuilder.service.submitted import How, Submitted
from airflow_imagebuilder.service.tokens import random_token
from airflow_imagebuilder.state import was_killed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from airflow_imagebuilder.triggers import ImageBuilderImageTrigger

ARN_KEY = "image_build_version_arn"
"""Key of the XCom that holds the ARN from the submit on."""


class ImageBuilderWaitingOperator(ImageBuilderBaseOperator):
    """
    An operator that waits for an image and answers for it: kill it, and the image is cancelled.

    :param deferrable: wait in the triggerer (default), or on the worker.
    :param timeout: how long the image may take; then it is cancelled. The task's ``execution_timeout``
        counts too, whichever ends first.
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
        self._context: Context | None = None
        self._stopped = self._killed = False
        self._cancelled: str | None = None

    # -- waiting -------------------------------------------------------------------------------------------

    def await_image(
        self, context: Context, submitted: Submitted, *, deadline: float | None = None
    ) -> dict[str, Any]:
        """
        Return the image once it is there; a task that defers comes back through :meth:`execute_complete`.

        :param deadline: Unix time at which the wait ends; ``None`` reckons it from now.
        :return: the :class:`ImageResult` as a JSON-safe mapping.
        """
        self.announce(context, submitted.arn)
        image = self._first_look(submitted)
        if image and is_image_terminal(image["state"]["status"]):
            return self.finish(context, image)
        trigger = self._trigger(submitted, deadline or self._deadline(context))
        if self.deferrable:
            self.defer(trigger=trigger, method_name="execute_complete")
        return self._wait_here(context, trigger)

    def announce(self, context: Context, arn: str) -> None:
        """Make the image known, before the wait: as XCom, as links, and to :meth:`on_kill`."""
        self.arn, self._context = arn, context
        self._refuse_if_killed(arn)
        context["ti"].xcom_push(key=ARN_KEY, value=arn)
        persist_links(context, self, arn, self._image_or_none(arn))

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Go on after the wait: ask AWS how the image is, whatever the trigger said, and judge from that.

        :param event: the event of :class:`ImageBuilderImageTrigger`.
        """
        if not event:
            raise ImageBuilderError("The trigger fired without an event: clear this task to bake anew.")
        self.arn, self._context = str(event[ARN_KEY]), context
        image = self.hook.get_image(self.arn)
        if is_image_terminal(image["state"]["status"]):
            return self.finish(context, image)
        if event["outcome"] == "deadline":
            return self._out_of_time(context, self.arn, event.get("deadline"))
        if event["outcome"] == "ended":
            # Repaired by somebody in the moment between, or AWS's lists are ahead of its images.
            return self.await_image(
                context, Submitted(self.arn, How.ATTACHED), deadline=event.get("deadline")
            )
        raise ImageBuilderError(f"Watching {self.arn} ended with an error: {event.get('message')}")

    def _first_look(self, submitted: Submitted) -> dict[str, Any] | None:
        """Look once before the wait, unless what is to be seen may be older than a repair."""
        return None if submitted.stale_until else self._image_or_none(submitted.arn)

    def _image_or_none(self, arn: str) -> dict[str, Any] | None:
        """An image that was submitted this second may not be there to be read (undocumented)."""
        try:
            return self.hook.get_image(arn)
        except NotFoundError:
            return None

    def _trigger(self, submitted: Submitted, deadline: float) -> ImageBuilderImageTrigger:
        from airflow_imagebuilder.triggers import ImageBuilderImageTrigger

        interval = self.poll_interval
        return ImageBuilderImageTrigger(
            image_build_version_arn=submitted.arn,
            deadline=deadline,
            stale_until=submitted.stale_until,
            poll_interval=interval.total_seconds() if isinstance(interval, timedelta) else interval,
            cancel_on_kill=self.cancel_on_kill,
            delete_outputs_on_kill=self.delete_outputs_on_kill,
            **self.aws,
        )

    def _deadline(self, context: Context) -> float:
        deadline = time.time() + self.timeout.total_seconds()
        started = getattr(context["ti"], "start_date", None)
        if self.execution_timeout and started:
            # Airflow's own timeout does not reach a deferred task.
            deadline = min(deadline, (started + self.execution_timeout).timestamp())
        return deadline

    def _wait_here(self, context: Context, trigger: ImageBuilderImageTrigger) -> dict[str, Any]:
        try:
            event = asyncio.run(trigger.wait())
        except AirflowTaskTimeout:
            return self._out_of_time(context, trigger.image_build_version_arn)
        return self.execute_complete(context, event)

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
        failed = [test.name for test in result.tests if test.status in WORKFLOW_FAILED]
        if failed and self.fail_on_test_failure:
            raise TestsFailedError(arn=result.arn, tests=failed)
        tell_assets(context, self.outlets, result)
        return result.to_dict()

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
        """Cancel the image when a user killed the running task; not when its worker is only being stopped."""
        if not self.cancel_on_kill or self._context is None or self._killed:
            return
        self._stopped = True
        if not was_killed(self._context):
            self.log.info("The worker is being stopped: image %s goes on, the next try finds it.", self.arn)
            return
        self._killed = True
        # Airflow ends the process in five seconds: an answer that is still to come may come too late.
        if arn := self.arn or self.learn_arn():
            self.cancel(arn)

    def learn_arn(self) -> str | None:
        """Return the image of a submit whose answer has not come yet; ``None`` where there is none."""
        return None

    def _refuse_if_killed(self, arn: str) -> None:
        if self._stopped:
            self.on_kill()  # asks again: in the middle of a call to Airflow it could not know
        if self._killed:
            if self._cancelled != arn:
                self.cancel(arn)
            raise ImageBuilderError(f"The task was killed while it submitted {arn}: the image is cancelled.")

    def cancel(self, arn: str) -> dict[str, Any]:
        """Cancel an image and return it as it then is: a build that ended first has ended."""
        self._cancelled = arn
        try:
            self.hook.cancel_image(arn, random_token())
        except RefusedError as refusal:
            self.log.info("CancelImageCreation was refused: %s", refusal)
        image = self.hook.get_image(arn)
        self.log.info("After CancelImageCreation %s is %s", arn, image["state"]["status"])
        if self.delete_outputs_on_kill and image["state"]["status"] in IMAGE_FAILED:
            self.hook.delete_outputs(image)
        return image

    def _out_of_time(self, context: Context, arn: str, deadline: float | None = None) -> dict[str, Any]:
        image = self.cancel(arn) if self.cancel_on_kill else self.hook.get_image(arn)
        status = image["state"]["status"]
        if status in IMAGE_SUCCEEDED:
            return self.finish(context, image)
        raise DeadlineExceededError(arn, deadline or time.time(), status, cancelled=self.cancel_on_kill)
