"""A wait that leaves takes nothing with it that another one needs."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.clockwork import ARN, Service, run, statuses, watcher_of


@pytest.mark.parametrize("leaves_after", range(3, 51))
def test_a_wait_goes_on_when_one_with_workflows_leaves(leaves_after: int) -> None:
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
