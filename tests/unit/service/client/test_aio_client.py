"""AioClient with real aiobotocore clients: made off the loop, with one try per call."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any

import aiobotocore.session
import pytest
from aiobotocore.session import ClientCreatorContext
from botocore.config import Config

from airflow_imagebuilder.service.client.aio_client import AioClient, off_loop
from airflow_imagebuilder.service.errors import ThrottledError, TransientError
from airflow_imagebuilder.service.watcher.watcher import WatchSettings, shared
from tests.support.arns import IMAGE as ARN
from tests.support.stub import GOOD, Answer, stub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager

KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}


class Connect:
    """A connection: makes clients, and records in which thread."""

    def __init__(self, url: str, **config: Any) -> None:
        self.url, self.config = url, Config(**config)
        self.threads: list[int] = []

    async def __call__(self) -> AbstractAsyncContextManager[Any]:
        context: AbstractAsyncContextManager[Any] = ClientCreatorContext(self._make())
        return context

    async def _make(self) -> Any:
        self.threads.append(threading.get_ident())
        session = aiobotocore.session.get_session()
        made = session.create_client("imagebuilder", endpoint_url=self.url, config=self.config, **KEYS)
        return await made._coro


@pytest.fixture(autouse=True)
def assert_no_noise(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No unclosed session, no task destroyed, no coroutine never awaited."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert not [
        str(one.message) for one in caught if issubclass(one.category, (ResourceWarning, RuntimeWarning))
    ]
    assert not [one.getMessage() for one in caplog.get_records("call") if one.levelno >= logging.ERROR]


def test_the_client_is_made_in_a_thread_and_used_on_the_loop() -> None:
    async def main(url: str) -> Any:
        connect = Connect(url)
        async with off_loop(connect) as client:
            answers = [await client.get_image(imageBuildVersionArn=ARN) for _ in range(3)]
        assert connect.threads
        assert threading.get_ident() not in connect.threads
        return answers

    with stub(GOOD) as (_, url):
        answers = asyncio.run(main(url))
    assert [answer["image"]["arn"] for answer in answers] == ["a", "a", "a"]


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize(
    "trouble",
    [(429, "CallRateLimitExceededException"), (503, "ServiceUnavailable"), (500, "ServiceException")],
)
def test_a_call_is_one_try_whatever_the_retry_mode(mode: str, trouble: Answer) -> None:
    async def main(url: str) -> None:
        client = AioClient(Connect(url, retries={"mode": mode}), call_timeout=5)
        try:
            with pytest.raises(TransientError):
                await client.call("get_image", expect="image", imageBuildVersionArn=ARN)
        finally:
            await client.aclose()

    with stub(trouble) as (served, url):
        asyncio.run(main(url))
    assert served.requests == 1


def test_a_throttled_wait_still_gets_its_end() -> None:
    throttled: Answer = (429, "CallRateLimitExceededException")
    settings = WatchSettings(poll_interval=0.05, first_look=0, max_calls_per_second=1000)

    async def main(url: str) -> str:
        async with shared("a", Connect(url), settings) as watcher:
            async for snapshot in watcher.watch(ARN):
                return snapshot.status
        raise AssertionError

    with stub(throttled, "reset", (503, "ServiceUnavailableException"), GOOD) as (served, url):
        assert asyncio.run(main(url)) == "AVAILABLE"
    assert served.requests == 4


def test_a_loop_that_ends_during_a_call_leaves_no_connection_open() -> None:
    settings = WatchSettings(poll_interval=1, first_look=0)

    async def wait(connect: Connect) -> None:
        async with shared("a", connect, settings) as watcher:
            async for _ in watcher.watch(ARN):
                pass

    async def main(url: str) -> None:
        task = asyncio.ensure_future(wait(Connect(url)))
        assert await asyncio.to_thread(served.asked.wait, 20)
        assert not task.done()

    with stub("hang") as (served, url):
        asyncio.run(main(url))


def test_calls_at_the_same_time_share_one_client() -> None:
    async def main(url: str) -> int:
        connect = Connect(url)
        client = AioClient(connect, call_timeout=5)
        calls = (client.call("get_image", expect="image", imageBuildVersionArn=ARN) for _ in range(20))
        await asyncio.gather(*calls)
        await client.aclose()
        return len(connect.threads)

    with stub(GOOD) as (served, url):
        assert asyncio.run(main(url)) == 1
    assert served.requests == 20


def test_expired_credentials_soon_after_a_client_was_made_do_not_make_another() -> None:
    async def main(url: str) -> int:
        connect = Connect(url)
        client = AioClient(connect, call_timeout=5)
        for _ in range(3):
            with pytest.raises(TransientError, match="ExpiredToken"):
                await client.call("get_image", expect="image", imageBuildVersionArn=ARN)
        await client.aclose()
        return len(connect.threads)

    with stub((403, "ExpiredTokenException")) as (_, url):
        assert asyncio.run(main(url)) == 1


def test_cancelling_the_first_call_does_not_cancel_the_client_for_others() -> None:
    async def main(url: str) -> None:
        client = AioClient(Connect(url), call_timeout=5)
        first = asyncio.ensure_future(client.call("get_image", expect="image", imageBuildVersionArn=ARN))
        other = asyncio.ensure_future(client.call("get_image", expect="image", imageBuildVersionArn=ARN))
        await asyncio.sleep(0)
        first.cancel()
        assert (await other)["image"]["arn"] == "a"
        await client.aclose()

    with stub(GOOD) as (_, url):
        asyncio.run(main(url))


def test_an_error_is_raised_by_its_own_name() -> None:
    async def main(url: str) -> None:
        client = AioClient(Connect(url), call_timeout=5)
        with pytest.raises(ThrottledError):
            await client.call("get_image", expect="image", imageBuildVersionArn=ARN)
        await client.aclose()

    with stub((400, "ThrottlingException")) as (_, url):
        asyncio.run(main(url))
