"""A wait that leaves takes nothing away that another one needs, and causes no further call."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.service.watcher.watcher import ImageWatcher, WatchSettings
from tests.support.clockwork import ARN, Service, build, run, statuses, wall, watcher_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.mark.parametrize("leaves_after", range(3, 51))
def test_a_wait_continues_when_one_with_workflows_leaves(leaves_after: int) -> None:
    service = Service(latency=0.1)
    service.image(ARN, (0, "TESTING"), (200, "AVAILABLE"))

    async def main() -> list[tuple[float, str]]:
        async with watcher_of(service) as watcher:

            async def with_workflows() -> None:
                async for _ in watcher.watch(ARN, workflows=True):
                    pass

            plain = asyncio.create_task(statuses(watcher, ARN))
            await asyncio.sleep(9)
            leaver = asyncio.create_task(with_workflows())
            await asyncio.sleep(leaves_after)
            leaver.cancel()
            await asyncio.gather(leaver, return_exceptions=True)
            return await asyncio.wait_for(plain, 1000)

    assert run(main())[-1][1] == "AVAILABLE"


async def leave(waits: list[asyncio.Task[Any]]) -> None:
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


@pytest.mark.parametrize("leaves_at", [4.99, 5.0, 5.0001, 5.05, 5.1, 5.2, 15.0, 15.1])
@pytest.mark.parametrize("names", [1, 2, 40])
def test_no_call_is_made_for_waits_that_left_together_and_no_traceback_logged(
    leaves_at: float, names: int, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service()
    arns = [service.image(build(n, f"golden-{n % names}"), (0, "BUILDING")) for n in range(40)]

    async def main() -> int:
        async with watcher_of(service) as watcher:
            waits = [
                asyncio.ensure_future(statuses(watcher, arn, workflows=n % 3 == 0))
                for n, arn in enumerate(arns)
            ]
            await asyncio.sleep(leaves_at)
            await leave(waits)
            calls = len(service.calls)
            await asyncio.sleep(300)
            return calls

    assert run(main()) == len(service.calls)
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_list_is_read_no_further_when_the_waits_for_missing_builds_have_left() -> None:
    service = Service(latency=1.0)
    arns = [service.image(build(n), (0, "BUILDING")) for n in range(200)]

    async def main() -> int:
        async with watcher_of(service, poll_interval=100) as watcher:
            waits = [asyncio.ensure_future(statuses(watcher, arn)) for arn in arns]
            await asyncio.sleep(7.5)  # the first pages have been read
            await leave(waits[25:])
            calls = len(service.calls)
            await asyncio.sleep(60)
            after = len(service.calls)
            await leave(waits)
            return after - calls

    assert run(main()) == 0


def test_a_queued_list_of_executions_is_not_sent_when_its_wait_has_left() -> None:
    service = Service()
    arns = [service.image(build(1, f"golden-{n}"), (0, "TESTING")) for n in range(20)]

    async def main() -> int:
        async with watcher_of(service, max_calls_per_second=2) as watcher:
            plain = [asyncio.ensure_future(statuses(watcher, arn)) for arn in arns]
            curious = [asyncio.ensure_future(statuses(watcher, arn, workflows=True)) for arn in arns]
            await asyncio.sleep(8)
            await leave(curious)
            calls = service.counted("list_workflow_executions").total()
            await asyncio.sleep(60)
            await leave(plain)
            return calls

    assert run(main()) == service.counted("list_workflow_executions").total()


def test_nothing_is_sent_by_a_client_that_is_ready_only_when_the_last_wait_has_left() -> None:
    service = Service()
    service.image(ARN, (0, "BUILDING"))

    @asynccontextmanager
    async def slowly() -> AsyncIterator[Any]:
        await asyncio.sleep(20)
        async with await service.connect() as client:
            yield client

    async def connect() -> AbstractAsyncContextManager[Any]:
        return slowly()

    async def main() -> None:
        async with ImageWatcher(connect, settings=WatchSettings(poll_interval=10), wall=wall) as watcher:
            wait = asyncio.ensure_future(statuses(watcher, ARN))
            await asyncio.sleep(15)
            await leave([wait])
            await asyncio.sleep(60)

    run(main())
    assert not service.calls
    assert service.opened == service.closed == 1


def test_a_wait_that_begins_while_the_list_of_those_before_is_queued_is_served() -> None:
    service = Service(latency=2.0)
    arns = [service.image(build(n), (0, "BUILDING"), (40, "AVAILABLE")) for n in range(60)]

    async def main() -> list[Any]:
        async with watcher_of(service) as watcher:
            waits = [asyncio.ensure_future(statuses(watcher, arn)) for arn in arns]
            await asyncio.sleep(5.5)
            await leave(waits)
            return await asyncio.gather(*(statuses(watcher, arn) for arn in arns))

    assert {seen[-1][1] for seen in run(main())} == {"AVAILABLE"}
