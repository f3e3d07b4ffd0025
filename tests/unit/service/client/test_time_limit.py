"""What has a time limit ends when it is cancelled, also if its answer comes at the same moment."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.service.client.aio_client import AioClient
from airflow_imagebuilder.service.client.time_limit import within
from airflow_imagebuilder.service.watcher.watcher import ImageWatcher, WatchSettings
from tests.support.clockwork import ARN, Service, now, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def unheard(work: Callable[[], Awaitable[Any]], at: float, steps: int) -> bool:
    """Cancel work at a time, after some more steps of the loop, and return whether it continued."""
    task = asyncio.ensure_future(work())
    if at:
        await asyncio.sleep(at)
    for _ in range(steps):
        await asyncio.sleep(0)
    if task.done():
        return False
    task.cancel()
    await asyncio.wait({task}, timeout=100)
    return not task.cancelled()


async def answers_at_once() -> None:
    await within(10, asyncio.sleep(0))
    await asyncio.sleep(3600)


async def answers() -> None:
    await within(2, asyncio.sleep(1))
    await asyncio.sleep(3600)


async def lasts() -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await within(1, asyncio.sleep(2))
    await asyncio.sleep(3600)


async def calls() -> None:
    service = Service(latency=1)
    service.image(ARN, (0, "BUILDING"))
    client = AioClient(service.connect, call_timeout=30)
    try:
        await client.call("get_image", imageBuildVersionArn=ARN)
        await asyncio.sleep(3600)
    finally:
        await client.aclose()


async def watches() -> None:
    service = Service(latency=1)
    service.image(ARN, (0, "BUILDING"))
    async with ImageWatcher(service.connect, settings=WatchSettings(first_look=0)) as watcher:
        await watcher.image(ARN)
        async for _ in watcher.watch(ARN):
            pass


@pytest.mark.parametrize("work", [answers_at_once, answers, lasts, calls, watches])
def test_a_cancellation_at_any_moment_is_heard(work: Callable[[], Awaitable[Any]]) -> None:
    moments = [(at, steps) for at in (0, 1, 2, 3) for steps in range(12)]

    async def main() -> list[tuple[float, int]]:
        return [moment for moment in moments if await unheard(work, *moment)]

    assert run(main()) == []


def test_what_lasts_longer_is_cancelled_and_has_ended() -> None:
    ended = []

    async def slow() -> None:
        try:
            await asyncio.sleep(11)
        finally:
            await asyncio.sleep(1)
            ended.append(now())

    async def main() -> None:
        await within(10, slow())

    with pytest.raises(asyncio.TimeoutError):
        run(main())
    assert ended == [11]


def test_an_answer_that_comes_while_it_is_given_up_counts() -> None:
    async def stubborn() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(11)
        return "answer"

    assert run(within(10, stubborn())) == "answer"


def test_an_error_is_raised_and_the_one_of_cancelled_work_is_not_logged() -> None:
    async def fails() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            raise KeyError

    with pytest.raises(KeyError):
        run(within(10, fails()))

    async def main() -> None:
        task = asyncio.ensure_future(within(10, fails()))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        gc.collect()

    run(main())


def test_none_sets_no_limit() -> None:
    assert run(within(None, asyncio.sleep(10_000, "answer"))) == "answer"
