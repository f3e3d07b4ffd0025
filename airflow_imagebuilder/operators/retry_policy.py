"""Which errors another try of the task may get past."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_imagebuilder.compat import AirflowNotFoundException, RetryDecision, RetryPolicy
from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    NotRepairableError,
    ParametersChangedError,
    PipelineNotStartedError,
    QuotaExceededError,
    RefusedError,
    RequestChangedError,
    StateStoreError,
    TestsFailedError,
    TransientError,
    WaitInterruptedError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

ERROR_RETRY_DELAY = timedelta(minutes=1)
QUOTA_RETRY_DELAY = timedelta(minutes=15)

_NOT_RETRIED = (
    InvalidRequestError,
    ForbiddenError,
    NotFoundError,
    NotRepairableError,
    ParametersChangedError,
    PipelineNotStartedError,
    RequestChangedError,
    TestsFailedError,
    AirflowNotFoundException,  # no connection of this id
)


class ImageBuilderRetryPolicy(RetryPolicy):
    """
    The default retry policy of this package's operators. ``retry_policy=`` replaces it.

    Invalid input, an unknown connection and missing permissions fail a submit at once: a person must act. In
    a wait they are retried (:class:`WaitInterruptedError`), since the build may still be running. Throttling
    and faults of the service are retried after :data:`ERROR_RETRY_DELAY`, an exceeded quota after
    :data:`QUOTA_RETRY_DELAY`. Every other error, such as a failed component or test, follows the task's
    ``retries`` and ``retry_delay``.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """
        Decide by the class of the error.

        :param exception: the error that ended the try.
        :param try_number: the try that it ended, from 1.
        :param max_tries: how many tries the task may have.
        :param context: the task's context; not needed.
        :return: the decision, with the reason for the task's log.
        """
        if isinstance(exception, QuotaExceededError):
            return RetryDecision.retry(QUOTA_RETRY_DELAY, "a service quota of Image Builder is used up")
        if isinstance(exception, (WaitInterruptedError, StateStoreError)):
            reason = "a call to AWS or Airflow failed, which says nothing about the image"
            return RetryDecision.retry(ERROR_RETRY_DELAY, reason)
        if isinstance(exception, TransientError):
            return RetryDecision.retry(ERROR_RETRY_DELAY, "AWS could not be reached or throttled the calls")
        if isinstance(exception, _NOT_RETRIED):
            return RetryDecision.fail("another try would be refused in the same way")
        if isinstance(exception, RefusedError) and exception.code != "ResourceInUseException":
            return RetryDecision.fail("AWS refuses this request")
        return RetryDecision.default()


def default_retry_policy() -> RetryPolicy:
    """Return the policy of an operator whose Dag gives none."""
    return ImageBuilderRetryPolicy()
