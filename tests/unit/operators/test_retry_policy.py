"""Which errors are worth another try of the task, and after how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.operators.retry_policy import (
    ERROR_RETRY_DELAY,
    QUOTA_RETRY_DELAY,
    ImageBuilderRetryPolicy,
    default_retry_policy,
)
from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    Fault,
    ForbiddenError,
    ImageCancelledError,
    InvalidRequestError,
    MalformedAnswerError,
    NotFoundError,
    ParametersChangedError,
    QuotaExceededError,
    RefusedError,
    RequestChangedError,
    TestsFailedError,
    ThrottledError,
    TransientError,
)
from tests.support.arns import IMAGE as ARN

if TYPE_CHECKING:
    from datetime import timedelta


def decided(error: BaseException) -> tuple[str, timedelta | None]:
    decision = ImageBuilderRetryPolicy().evaluate(error, 1, 3)
    return decision.action.value, decision.retry_delay


def named(error: object) -> str:
    return type(error).__name__


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError([Fault("tags", {}, "1 to 50 tags", "leave it out")]),
        ForbiddenError("CreateImage"),
        NotFoundError("GetImage"),
        ParametersChangedError("CreateImage"),
        RequestChangedError(ARN, ["tags"]),
        TestsFailedError(ARN, ["boot"]),
        RefusedError("CreateImage", "InvalidRequestException", 400),
    ],
    ids=named,
)
def test_an_error_that_another_try_would_meet_again_fails_at_once(error: Exception) -> None:
    assert decided(error) == ("fail", None)


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (ThrottledError("CreateImage", "CallRateLimitExceededException", 429), ERROR_RETRY_DELAY),
        (TransientError("GetImage", "ServiceUnavailableException", 503), ERROR_RETRY_DELAY),
        (QuotaExceededError("CreateImage", "ServiceQuotaExceededException", 402), QUOTA_RETRY_DELAY),
    ],
    ids=named,
)
def test_an_error_that_passes_is_retried_after_a_delay(error: Exception, delay: timedelta) -> None:
    assert decided(error) == ("retry", delay)


@pytest.mark.parametrize(
    "error",
    [
        ImageCancelledError(arn=ARN),
        DeadlineExceededError(ARN, 0.0),
        MalformedAnswerError("GetImage"),
        RefusedError("CreateImage", "ResourceInUseException", 400),
        KeyError("a bug"),
    ],
    ids=named,
)
def test_everything_else_follows_the_retries_of_the_task(error: BaseException) -> None:
    assert decided(error) == ("default", None)


def test_a_decision_gives_its_reason() -> None:
    reason = default_retry_policy().evaluate(QuotaExceededError("CreateImage"), 1, 3).reason
    assert reason is not None
    assert "quota" in reason


def test_an_unknown_connection_is_not_retried() -> None:
    from airflow_imagebuilder.compat import AirflowNotFoundException

    for hopeless in (
        AirflowNotFoundException("nowhere"),
        ForbiddenError("CreateImage"),
        InvalidRequestError([]),
    ):
        assert ImageBuilderRetryPolicy().evaluate(hopeless, 1, 3).action.value == "fail"


def test_a_failed_image_follows_the_retries_of_the_task() -> None:
    cancelled = ImageCancelledError(arn=ARN)
    assert ImageBuilderRetryPolicy().evaluate(cancelled, 1, 3).action.value == "default"
