"""The operator that submits an image and waits for it, whichever operation of AWS makes the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.operators.options import as_on_retry, read_json
from airflow_imagebuilder.operators.waiting.operator import ImageBuilderWaitingOperator
from airflow_imagebuilder.operators.waiting.task_state import TaskStore, this_try
from airflow_imagebuilder.service.errors import ImageBuilderError
from airflow_imagebuilder.service.request.fields.templates import is_blank
from airflow_imagebuilder.service.submission.decision import OnRetry
from airflow_imagebuilder.service.submission.ports import Origin, Submitted
from airflow_imagebuilder.service.submission.submission import Submission
from airflow_imagebuilder.xcom import SUBMISSION_KEY, publish_arn, submission_record

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_imagebuilder.operators.arguments.keywords import OnRetryChoice, WaitingArguments
    from airflow_imagebuilder.service.submission.ports import Blueprint, Request

STRUCTURED = frozenset(
    {
        "enhanced_image_metadata_enabled",
        "expected_workflows",
        "image_scanning_configuration",
        "image_tests_configuration",
        "logging_configuration",
        "tags",
        "workflows",
    }
)
"""Parameters that are not strings. A template renders them as JSON text, or as native objects."""

_LISTS = frozenset({"expected_workflows", "workflows"})


class ImageBuilderSubmittingOperator(ImageBuilderWaitingOperator):
    """
    An operator that submits an image.

    One image is built whatever process dies: see :mod:`airflow_imagebuilder.service.submission.submission`.
    A subclass checks its own parameters, and returns the request in :meth:`rendered_request`.

    :param wait_for_completion: ``True`` (default) waits; ``False`` submits and returns the ARN.
    :param on_retry: what a new try does about an image that an earlier try left FAILED or CANCELLED:
        ``repair`` it where AWS allows it (RetryImage; default), ``rebuild`` it, or ``fail``.
    """

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        on_retry: OnRetryChoice = OnRetry.REPAIR,
        **kwargs: Unpack[WaitingArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.on_retry = str(on_retry.value) if isinstance(on_retry, OnRetry) else on_retry

    def rendered_request(self) -> Request:
        """
        Return the request of the rendered parameters.

        :raises InvalidRequestError: AWS would refuse it, also for the region of the connection.
        """
        raise NotImplementedError

    def blueprint(self, request: Request) -> Blueprint | None:
        """Return what the request refers to on AWS; ``None`` if the request is complete by itself."""
        return None

    def execute(self, context: Context) -> dict[str, Any] | str:
        """Submit this task's image, or find the one of an earlier try; then wait for it."""
        return self.in_time(context, lambda: self._execute(context))

    def _execute(self, context: Context) -> dict[str, Any] | str:
        submitted = self.submit(context)
        self.log.info("Image %s: %s by this try", submitted.arn, submitted.origin.value)
        if self.wait_for_completion:
            return self.await_image(context, submitted)
        self._publish_submission(context, submitted)
        self.announce(context, submitted.arn)
        self.cancellation.raise_if_killed(submitted.arn)
        self.record_finished(context)
        return submitted.arn

    def submit(self, context: Context) -> Submitted:
        """Check the rendered request and submit it; :class:`Submission` decides about earlier tries."""
        request = self.rendered_request()
        self._submission = Submission(
            self.hook,
            TaskStore(context),
            on_retry=as_on_retry(self.on_retry),
            cancel=self.cancel_on_kill,
            announce=lambda arn: self._before_repair(context, arn),
        )
        self._submission.blueprint = self.blueprint(request)
        return self._submission.submit(request, this_try(context))

    def _before_repair(self, context: Context, arn: str) -> None:
        """Publish that this try owns the image, before RetryImage runs it again."""
        if not self.wait_for_completion:
            self._publish_submission(context, Submitted(arn, Origin.REPAIRED))
        publish_arn(context, arn)

    @staticmethod
    def _publish_submission(context: Context, submitted: Submitted) -> None:
        record = submission_record(submitted, this_try(context))
        context["ti"].xcom_push(key=SUBMISSION_KEY, value=record)

    def learn_arn(self) -> str | None:
        """Return the ARN of this try's image.

        A request without an answer is sent again: with the same token AWS returns the same image.
        """
        if self._submission is None or self._submission.sent is None or self._submission.arn:
            return super().learn_arn()
        try:
            request, token = self._submission.sent
            return request.send(self.hook, token)
        except ImageBuilderError as error:
            self.log.warning("Could not find out whether the stopped task submitted an image: %s", error)
            return None


def region_of(hook: Any) -> str | None:
    """Return the region that a hook's client calls; ``None`` where the hook has no client."""
    try:
        region = hook.conn_region_name
    except Exception:  # noqa: BLE001 (the submit itself reports a missing connection, role or region)
        return None
    return region if isinstance(region, str) else None


def parsed(name: str, value: Any) -> Any:
    """Return a rendered parameter as the request takes it: a template renders structures as JSON text."""
    if is_blank(value):
        return None
    if name in _LISTS and isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)  # the outputs of mapped tasks are a sequence class of Airflow's
    if name not in STRUCTURED or not isinstance(value, str):
        return value
    return value == "True" if value in ("True", "False") else read_json(name, value)
