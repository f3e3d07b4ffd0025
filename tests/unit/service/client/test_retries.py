"""Calls that are tried again, sync and async, whatever retry mode the client has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import aiobotocore.session
import boto3
import pytest
from botocore.config import Config

from airflow_imagebuilder.service.client.aio_client import call_once
from airflow_imagebuilder.service.client.retries import acall, call, policy, seconds
from airflow_imagebuilder.service.errors import (
    AwsError,
    ForbiddenError,
    InvalidRequestError,
    MalformedAnswerError,
    NotFoundError,
    ParametersChangedError,
    QuotaExceededError,
    RefusedError,
    ThrottledError,
    TransientError,
)
from tests.support.stub import GOOD, Answer, stub

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/golden/1.0.0/1"
MODES = ["legacy", "standard", "adaptive"]
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}

Caller = Callable[..., dict[str, Any]]


def sync_call(
    url: str, mode: str, operation: str = "get_image", *, read_timeout: float = 10, **kwargs: Any
) -> dict[str, Any]:
    config = Config(retries={"mode": mode}, read_timeout=read_timeout)  # type: ignore[arg-type]
    client = boto3.client("imagebuilder", endpoint_url=url, config=config, **KEYS)  # type: ignore[call-overload]
    return call(client, operation, **kwargs)


def async_call(
    url: str, mode: str, operation: str = "get_image", *, read_timeout: float = 10, **kwargs: Any
) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        config = Config(retries={"mode": mode}, read_timeout=read_timeout)  # type: ignore[arg-type]
        session = aiobotocore.session.get_session()
        async with session.create_client("imagebuilder", endpoint_url=url, config=config, **KEYS) as client:
            return await acall(partial(call_once, client), operation, **kwargs)

    return asyncio.run(main())


both = pytest.mark.parametrize("caller", [sync_call, async_call], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace sleeping: record the pauses instead."""
    pauses: list[float] = []
    really = asyncio.sleep

    async def sleep(duration: float, result: Any = None) -> Any:
        pauses.append(duration)
        return await really(0, result)

    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return pauses


@both
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "trouble",
    [
        (429, "CallRateLimitExceededException"),
        (429, "TooManyRequestsException"),
        (400, "ThrottlingException"),
        (500, "ServiceException"),
        (503, "ServiceUnavailableException"),
        (502, "BadGateway"),
        (403, "ExpiredTokenException"),
        "reset",
        "nothing",
    ],
    ids=str,
)
def test_transient_errors_are_retried_until_they_pass(caller: Caller, mode: str, trouble: Answer) -> None:
    # Seven are more tries than any mode makes; adaptive really waits for its own limiter in between.
    times = 2 if mode == "adaptive" else 7
    with stub(*[trouble] * times, GOOD) as (served, url):
        answer = caller(url, mode, expect="image", imageBuildVersionArn=ARN)
    assert answer["image"]["state"]["status"] == "AVAILABLE"
    assert served.requests == times + 1


@both
@pytest.mark.parametrize("trouble", ["hang", "truncated"])
def test_a_call_whose_answer_never_comes_or_is_cut_off_is_retried(caller: Caller, trouble: Answer) -> None:
    with stub(trouble, trouble, GOOD) as (served, url):
        answer = caller(url, "standard", expect="image", read_timeout=1, imageBuildVersionArn=ARN)
    assert answer["image"]["state"]["status"] == "AVAILABLE"
    assert served.requests == 3


@both
@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ((400, "InvalidRequestException"), RefusedError, "InvalidRequestException"),
        ((400, "ResourceInUseException"), RefusedError, "ResourceInUseException"),
        ((402, "ServiceQuotaExceededException"), QuotaExceededError, "ServiceQuotaExceededException"),
        ((403, "ForbiddenException"), ForbiddenError, "ForbiddenException"),
        ((403, "AccessDeniedException"), ForbiddenError, "AccessDeniedException"),
        ((403, "InvalidSignatureException"), ForbiddenError, "InvalidSignatureException"),
        ((404, "ResourceNotFoundException"), NotFoundError, "ResourceNotFoundException"),
        ((400, "IdempotentParameterMismatchException"), ParametersChangedError, None),
    ],
    ids=str,
)
def test_a_refusal_is_raised_at_once(
    caller: Caller, answer: Answer, kind: type[AwsError], code: str | None
) -> None:
    with stub(answer) as (served, url), pytest.raises(kind) as caught:
        caller(url, "standard", imageBuildVersionArn=ARN)
    assert served.requests == 1
    assert caught.value.operation == "GetImage"
    assert code in (None, caught.value.code)
    assert caught.value.status == answer[0]  # type: ignore[index]
    assert caught.value.message == "refused by the stub"


@both
def test_retries_stop_when_patience_is_used_up(caller: Caller, slept: list[float]) -> None:
    with stub((429, "CallRateLimitExceededException")) as (served, url), pytest.raises(ThrottledError):
        caller(url, "standard", imageBuildVersionArn=ARN, patience=timedelta(seconds=30))
    assert 1 < served.requests < 60
    assert sum(slept) < 30


@both
def test_without_patience_there_is_one_try_and_botocore_s_own(caller: Caller) -> None:
    for mode, tries in (("legacy", 5), ("standard", 1), ("adaptive", 1)):
        with stub((429, "CallRateLimitExceededException")) as (served, url), pytest.raises(ThrottledError):
            caller(url, mode, imageBuildVersionArn=ARN, patience=0)
        assert served.requests == tries


@both
@pytest.mark.parametrize(
    "answer", [{}, {"requestId": "1"}, {"image": {}}, {"image": None}, {"message": "hello"}, "page"], ids=str
)
def test_the_error_of_an_answer_without_the_expected_member_shows_its_shape(
    caller: Caller, answer: Answer
) -> None:
    with stub(answer) as (served, url), pytest.raises(MalformedAnswerError, match="shape") as caught:
        caller(url, "standard", expect="image", imageBuildVersionArn=ARN)
    assert served.requests == 3
    assert "'image'" in str(caught.value)


@both
def test_parameters_that_botocore_refuses_are_an_invalid_request(caller: Caller) -> None:
    with stub(GOOD) as (served, url), pytest.raises(InvalidRequestError, match="imageBuildVersionArn"):
        caller(url, "standard", imageBuildVersionArn=17)
    assert served.requests == 0


@both
def test_an_endpoint_that_refuses_connections_is_transient(caller: Caller) -> None:
    with stub(GOOD) as (_, url):
        pass
    with pytest.raises(TransientError) as caught:
        caller(url, "standard", imageBuildVersionArn=ARN, patience=1)
    assert caught.value.code == "EndpointConnectionError"
    assert caught.value.__cause__ is not None


def test_a_client_whose_credentials_have_expired_is_replaced_by_a_new_one() -> None:
    expired, renewed = (403, "ExpiredTokenException"), []
    with stub(expired) as (_, old), stub(GOOD) as (_, new):

        def renew() -> Any:
            renewed.append(new)
            return boto3.client("imagebuilder", endpoint_url=new, **KEYS)  # type: ignore[call-overload]

        answer = sync_call(old, "standard", expect="image", renew=renew, imageBuildVersionArn=ARN)
    assert answer["image"]["state"]["status"] == "AVAILABLE"
    assert renewed == [new]


def test_a_call_that_hangs_is_cut_short_by_its_time_limit() -> None:
    async def main(url: str) -> None:
        session = aiobotocore.session.get_session()
        async with session.create_client("imagebuilder", endpoint_url=url, **KEYS) as client:
            await call_once(client, "get_image", timeout=0.05, imageBuildVersionArn=ARN)

    with stub("hang") as (_, url), pytest.raises(TransientError, match="in time"):
        asyncio.run(main(url))


def test_a_call_that_is_cancelled_stays_cancelled() -> None:
    class Client:
        async def get_image(self) -> None:
            raise asyncio.CancelledError

    async def main(acalled: Coroutine[Any, Any, Any]) -> None:
        with pytest.raises(asyncio.CancelledError):
            await acalled

    asyncio.run(main(acall(partial(call_once, Client()), "get_image")))


def test_durations_are_seconds_or_timedeltas() -> None:
    assert seconds(timedelta(minutes=1)) == seconds(60) == 60.0
    assert {"retry", "wait", "stop", "reraise"} <= set(policy(1))
