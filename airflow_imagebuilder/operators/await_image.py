"""The operator that waits for an image which another task submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.operators.base import AWS_FIELDS
from airflow_imagebuilder.operators.options import as_on_retry
from airflow_imagebuilder.operators.waiting.operator import ImageBuilderWaitingOperator
from airflow_imagebuilder.operators.waiting.task_state import TaskStore, this_try
from airflow_imagebuilder.service.submission.decision import OnRetry
from airflow_imagebuilder.service.submission.record import GuardRecord
from airflow_imagebuilder.service.submission.submission import Submission
from airflow_imagebuilder.xcom import as_time, known_arn, publish_arn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_imagebuilder.operators.arguments.keywords import OnRetryChoice, WaitingArguments
    from airflow_imagebuilder.service.submission.ports import Submitted


class ImageBuilderAwaitImageOperator(ImageBuilderWaitingOperator):
    """
    Wait for an image that another task submitted. A kill of this task cancels the image.

    A new try of this task repairs a FAILED or CANCELLED image with RetryImage where AWS allows it. It never
    submits another image: for that, clear the task that submitted this one.

    :param image_build_version_arn: the image, for example the output of an
        :class:`ImageBuilderCreateImageOperator` with ``wait_for_completion=False``.
    :param stale_until: Unix time until which AWS may still show the FAILED from before that task's repair;
        ``None`` (default) if that task did not repair the image.
    :param stale_failure: the workflow execution that had failed before that repair: a failure that names
        another one counts at once.
    :param submitted_by: the try of the submitting task. It shows whether a person cleared both tasks, or only
        this one. If only this one was cleared, it cancels the build and then repairs the image.
    :param submitted_at: Unix time of that task's submit or repair, from which ``timeout`` counts; ``None``
        (default) counts from the start of this task.
    :param submitter: the id of the submitting task, if it belongs to this run and publishes what it submits.
        With it, a late kill of this task does not cancel an image that a later try of the submitting task
        has repaired.
    :param on_retry: ``repair`` (default). With ``rebuild`` or ``fail`` a new try fails, since this task never
        builds.
    :return: the :class:`ImageResult` as a JSON-safe mapping.
    :raises AirflowSkipException: no image was submitted in this run.
    :raises ImageFailedError: (or ImageCancelledError) the image did not end well.
    :raises NotRepairableError: the image ended badly, and RetryImage does not accept it or ``on_retry``
        forbids the repair.
    :raises DeadlineExceededError: the image did not finish in time.
    """

    template_fields: Sequence[str] = (
        *AWS_FIELDS,
        "image_build_version_arn",
        "stale_until",
        "stale_failure",
        "submitted_by",
        "submitted_at",
        "on_retry",
    )

    record_kind = GuardRecord

    def __init__(
        self,
        *,
        image_build_version_arn: str,
        stale_until: float | str | None = None,
        stale_failure: str | None = None,
        submitted_by: str | None = None,
        submitted_at: float | str | None = None,
        submitter: str | None = None,
        on_retry: OnRetryChoice = OnRetry.REPAIR,
        **kwargs: Unpack[WaitingArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.image_build_version_arn = image_build_version_arn
        self.stale_until = stale_until
        self.stale_failure = stale_failure
        self.submitted_by = submitted_by
        self.submitted_at = submitted_at
        self.submitter = submitter
        self.on_retry = str(on_retry.value) if isinstance(on_retry, OnRetry) else on_retry
        self._refuse_options()

    def execute(self, context: Context) -> dict[str, Any]:
        """Attach to the image, repair it if this is a new try after it failed, and wait."""
        return self.in_time(context, lambda: self.await_image(context, self._rejoin(context)))

    def _rejoin(self, context: Context) -> Submitted:
        self._submission = Submission(
            self.hook,
            TaskStore(context),
            on_retry=as_on_retry(self.on_retry),
            cancel=self.cancel_on_kill,
            announce=lambda arn: publish_arn(context, arn),
        )
        return self._submission.rejoin(
            known_arn(self.image_build_version_arn),
            this_try(context),
            stale_until=as_time(self.stale_until),
            stale_failure=None if self.stale_failure == "None" else self.stale_failure,
            submitted_by=self._known_submitter,
            submitted_at=as_time(self.submitted_at),
        )

    @property
    def _known_submitter(self) -> str | None:
        return None if self.submitted_by in (None, "", "None") else self.submitted_by

    @property
    def submitter_arguments(self) -> dict[str, Any]:
        """Who submitted the image: the trigger needs it to decide whether a late kill still concerns it."""
        return {"submitter": self.submitter, "submitted_by": self._known_submitter}
