"""Calls that are tried again, sync and async, whatever retry mode the client has; and what errors mean."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import aiobotocore.session
import aiohttp
import boto3
import pytest
from botocore import exceptions as botocore
from botocore.config import Config
from botocore.parsers import ResponseParserError

from airflow_imagebuilder.service.client.retries import acall, attempted, call, policy, seconds, translate
from airflow_imagebuilder.service.errors import (
    AwsError,
    ForbiddenError,
    ImageBuilderError,
    InvalidRequestError,
    MalformedAnswerError,
    NotFoundError,
    ParametersChangedError,
    QuotaExceededError,
    RefusedError,
    ThrottledError,
    TransientError,
)
from tests.support.clockwork import client_error
from tests.support.stub import GOOD, Answer, stub

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/golden/1.0.0/1"
MODES = ["legacy", "standard", "adaptive"]
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}

ScheduledClient = Callable[..., dict[str, Any]]


def sync_call(url: str, mode: str, operation: str = "get_image", **kwargs: Any) -> dict[str, Any]:
    config = Config(retries={"mode": mode}, read_timeout=0.5)  # type: ignore[arg-type]
    client = boto3.client("imagebuilder", endpoint_url=url, config=config, **KEYS)  # type: ignore[call-overload]
    return call(client, operation, **kwargs)


def async_call(url: str, mode: str, operation: str = "get_image", **kwargs: Any) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        config = Config(retries={"mode": mode}, read_timeout=0.5)  # type: ignore[arg-type]
        session = aiobotocore.session.get_session()
        async with session.create_client("imagebuilder", endpoint_url=url, config=config, **KEYS) as client:
            return await acall(partial(attempted, client), operation, **kwargs)

    return asyncio.run(main())


both = pytest.mark.parametrize("caller", [sync_call, async_call], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No waiting: what would have been slept is noted."""
    asked: list[float] = []
    really = asyncio.sleep

    async def sleep(duration: float, result: Any = None) -> Any:
        asked.append(duration)
        return await really(0, result)

    monkeypatch.setattr(time, "sleep", asked.append)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return asked


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
def test_trouble_that_passes_is_outlived(caller: ScheduledClient, mode: str, trouble: Answer) -> None:
    # Seven are more than any mode tries; adaptive really waits for its own limiter in between.
    times = 2 if mode == "adaptive" else 7
    with stub(*[trouble] * times, GOOD) as (served, url):
        answer = caller(url, mode, expect="image", imageBuildVersionArn=ARN)
    assert answer["image"]["state"]["status"] == "AVAILABLE"
    assert served.requests == times + 1


@both
@pytest.mark.parametrize("trouble", ["hang", "truncated"])
def test_an_answer_that_never_comes_or_is_cut_off_is_asked_for_again(
    caller: ScheduledClient, trouble: Answer
) -> None:
    with stub(trouble, trouble, GOOD) as (served, url):
        answer = caller(url, "standard", expect="image", imageBuildVersionArn=ARN)
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
    caller: ScheduledClient, answer: Answer, kind: type[AwsError], code: str | None
) -> None:
    with stub(answer) as (served, url), pytest.raises(kind) as caught:
        caller(url, "standard", imageBuildVersionArn=ARN)
    assert served.requests == 1
    assert caught.value.operation == "GetImage"
    assert code in (None, caught.value.code)
    assert caught.value.status == answer[0]  # type: ignore[index]
    assert caught.value.message == "told so"


@both
def test_patience_ends(caller: ScheduledClient, slept: list[float]) -> None:
    with stub((429, "CallRateLimitExceededException")) as (served, url), pytest.raises(ThrottledError):
        caller(url, "standard", imageBuildVersionArn=ARN, patience=timedelta(seconds=30))
    assert 1 < served.requests < 60
    assert sum(slept) < 30


@both
def test_without_patience_there_is_one_try_and_botocore_s_own(caller: ScheduledClient) -> None:
    for mode, tries in (("legacy", 5), ("standard", 1), ("adaptive", 1)):
        with stub((429, "CallRateLimitExceededException")) as (served, url), pytest.raises(ThrottledError):
            caller(url, mode, imageBuildVersionArn=ARN, patience=0)
        assert served.requests == tries


@both
@pytest.mark.parametrize(
    "answer", [{}, {"requestId": "1"}, {"image": {}}, {"image": None}, {"message": "hello"}, "page"], ids=str
)
def test_an_answer_without_what_is_expected_tells_its_shape(caller: ScheduledClient, answer: Answer) -> None:
    with stub(answer) as (served, url), pytest.raises(MalformedAnswerError, match="shape") as caught:
        caller(url, "standard", expect="image", imageBuildVersionArn=ARN)
    assert served.requests == 3
    assert "'image'" in str(caught.value)


@both
def test_parameters_that_botocore_refuses_are_an_invalid_request(caller: ScheduledClient) -> None:
    with stub(GOOD) as (served, url), pytest.raises(InvalidRequestError, match="imageBuildVersionArn"):
        caller(url, "standard", imageBuildVersionArn=17)
    assert served.requests == 0


@both
def test_an_endpoint_that_refuses_connections_is_transient(caller: ScheduledClient) -> None:
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
            await attempted(client, "get_image", timeout=0.05, imageBuildVersionArn=ARN)

    with stub("hang") as (_, url), pytest.raises(TransientError, match="in time"):
        asyncio.run(main(url))


def test_what_the_caller_cancels_stays_cancelled() -> None:
    class Client:
        async def get_image(self) -> None:
            raise asyncio.CancelledError

    async def main(acalled: Coroutine[Any, Any, Any]) -> None:
        with pytest.raises(asyncio.CancelledError):
            await acalled

    asyncio.run(main(acall(partial(attempted, Client()), "get_image")))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (botocore.NoCredentialsError(), ForbiddenError),
        (botocore.PartialCredentialsError(provider="env", cred_var="key"), ForbiddenError),
        (botocore.ProfileNotFound(profile="x"), ForbiddenError),
        (botocore.NoRegionError(), ForbiddenError),
        (botocore.UnknownRegionError(region_name="x", error_msg="no"), ForbiddenError),
        (botocore.EndpointProviderError(msg="no"), ForbiddenError),
        (botocore.UnauthorizedSSOTokenError(), ForbiddenError),
        (botocore.SSLError(endpoint_url="x", error=OSError("CERTIFICATE_VERIFY_FAILED")), ForbiddenError),
        (botocore.SSLError(endpoint_url="x", error=OSError("EOF")), TransientError),
        (botocore.CredentialRetrievalError(provider="sts", error_msg="timeout"), TransientError),
        (botocore.ReadTimeoutError(endpoint_url="x"), TransientError),
        (botocore.ConnectTimeoutError(endpoint_url="x"), TransientError),
        (botocore.ConnectionClosedError(endpoint_url="x"), TransientError),
        (botocore.ProxyConnectionError(proxy_url="x"), TransientError),
        (botocore.HTTPClientError(error="x"), TransientError),
        (botocore.IncompleteReadError(actual_bytes=1, expected_bytes=2), TransientError),
        (aiohttp.ClientPayloadError(), TransientError),
        (aiohttp.ServerDisconnectedError(), TransientError),
        (asyncio.TimeoutError(), TransientError),
        (ConnectionResetError(), TransientError),
        (client_error("Unknown", 429), ThrottledError),
        (client_error("Unknown", 504), TransientError),
        (client_error("UnrecognizedClientException", 403), TransientError),
        (client_error("Unknown", 401), ForbiddenError),
        (client_error("InvalidRequestException", 400, message="Image x does not exist."), NotFoundError),
        (client_error("InvalidParameterValueException", 400, message="cannot be found"), NotFoundError),
        (client_error("InvalidRequestException", 400, message="is not an ARN"), RefusedError),
        (client_error("ResourceInUseException", 400, message="no such moment"), RefusedError),
        (client_error("ServiceUnavailable", 400), TransientError),
        (client_error("RequestTimeTooSkewed", 403), TransientError),
        (
            client_error("InvalidSignatureException", 403, message="Signature expired: a is now b"),
            TransientError,
        ),
        (client_error("SignatureDoesNotMatch", 403, message="Signature not yet current: a"), TransientError),
        (client_error("SignatureDoesNotMatch", 403, message="Check your secret key"), ForbiddenError),
        (client_error("407", 407), ForbiddenError),
        (OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /x"), ForbiddenError),
        (FileNotFoundError(2, "No such file or directory"), ForbiddenError),
        (botocore.HTTPClientError(error=FileNotFoundError(2, "No such file or directory")), ForbiddenError),
        (botocore.HTTPClientError(error=OSError("[X509: NO_CERTIFICATE_OR_CRL_FOUND]")), ForbiddenError),
        (botocore.HTTPClientError(error=OSError("reset by peer")), TransientError),
        (ZeroDivisionError(), AwsError),
    ],
    ids=lambda value: (
        f"{type(value).__name__}: {value}"[:60] if isinstance(value, Exception) else value.__name__
    ),
)
def test_every_error_has_its_place_in_the_tree(error: Exception, kind: type[ImageBuilderError]) -> None:
    translated = translate(error, "get_image")
    assert type(translated) is kind
    assert translated.__cause__ is error
    assert "GetImage" in str(translated)
    assert translate(translated, "another_one") is translated
    assert str(pickle.loads(pickle.dumps(translated))) == str(translated)


@pytest.mark.parametrize(
    "error",
    [
        ResponseParserError("Unable to parse response, invalid JSON: " + "<html>\x1b[31m" * 100_000),
        client_error("Weird", 400, message="m\x1b[31m" * 100_000),
        client_error("Weird\x1b[31m" * 1000, 400, message="no"),
        botocore.ParamValidationError(report="x\n" * 100_000),
        OSError("no\x1b[31m" * 100_000),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_came_in_place_of_an_answer_is_short_and_clean(error: Exception) -> None:
    told = str(translate(error, "get_image"))
    assert len(told) < 1500
    assert told.replace("\n", "").isprintable()


def test_a_missing_ca_bundle_says_where_it_is_named() -> None:
    error = botocore.HTTPClientError(error=FileNotFoundError(2, "No such file or directory"))
    assert "AWS_CA_BUNDLE" in str(translate(error, "get_image"))


def test_durations_are_seconds_or_timedeltas() -> None:
    assert seconds(timedelta(minutes=1)) == seconds(60) == 60.0
    assert {"retry", "wait", "stop", "reraise"} <= set(policy(1))
