"""One watcher for all users of a key on a loop, and none on a loop that is closed."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.client.loop_registry import CLOSE_PATIENCE, LoopRegistry
from airflow_imagebuilder.service.watcher.watcher import ImageWatcher, WatchSettings, shared
from tests.support.clockwork import ARN, Service, build, now, run, statuses

if TYPE_CHECKING:
    import pytest

SETTINGS = WatchSettings(poll_interval=10)
AT_ONCE = WatchSettings(poll_interval=10, first_look=0)


def test_the_same_key_gives_the_same_watcher_and_another_key_another() -> None:
    service = Service()

    async def main() -> tuple[bool, bool]:
        async with (
            shared("a", service.connect, SETTINGS) as first,
            shared("a", service.connect, SETTINGS) as second,
            shared("b", service.connect, SETTINGS) as third,
        ):
            return first is second, first is third

    assert run(main()) == (True, False)


def test_a_hundred_waits_make_one_client_which_the_last_one_closes() -> None:
    service = Service()
    for n in range(100):
        service.image(build(n), (0, "BUILDING"), (n, "AVAILABLE"))

    async def wait(n: int) -> None:
        async with shared("a", service.connect, SETTINGS) as watcher:
            async for _ in watcher.watch(build(n)):
                pass

    async def main() -> None:
        await asyncio.gather(*map(wait, range(100)))
        assert service.closed == 1

    run(main())
    assert service.opened == 1


def test_after_the_last_user_has_left_a_new_watcher_is_made() -> None:
    service = Service()

    async def main() -> bool:
        async with shared("a", service.connect, SETTINGS) as first:
            pass
        async with shared("a", service.connect, SETTINGS) as second:
            return first is second

    assert run(main()) is False


def test_watchers_of_a_process_share_one_rate() -> None:
    service = Service()
    for n in range(40):
        service.image(build(1, f"image-{n}"), (0, "AVAILABLE"))
    slow = WatchSettings(poll_interval=10, max_calls_per_second=2)

    async def wait(n: int) -> None:
        async with shared(n % 4, service.connect, slow) as watcher:
            async for _ in watcher.watch(build(1, f"image-{n}")):
                pass

    async def main() -> None:
        await asyncio.gather(*map(wait, range(40)))

    run(main())
    times = [time for time, *_ in service.calls]
    assert times[-1] - times[0] > (len(times) - 1) / 2 - 0.001


def test_the_last_user_closes_the_watcher_even_while_it_is_cancelled() -> None:
    service = Service(latency=1)
    service.image(ARN, (0, "BUILDING"))

    async def wait() -> None:
        async with shared("a", service.connect, SETTINGS) as watcher:
            await statuses(watcher, ARN)

    async def main() -> None:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(5.5)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.1)
        assert service.opened == service.closed == 1

    run(main())


def test_a_watcher_that_does_not_close_holds_no_answer_back_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stuck:
        async def aclose(self) -> None:
            await asyncio.sleep(3600)

    async def main() -> float:
        async with LoopRegistry[Stuck]().use("a", Stuck):
            pass
        return now()

    assert run(main()) == CLOSE_PATIENCE
    assert "Could not close Stuck" in caplog.text


def test_the_watcher_of_a_closed_loop_is_not_used_again() -> None:
    service = Service()
    service.image(ARN, (0, "BUILDING"), (20, "AVAILABLE"))
    left: list[ImageWatcher] = []

    async def abandon() -> None:
        context = shared("a", service.connect, SETTINGS)
        left.append(await context.__aenter__())

    async def main() -> bool:
        async with shared("a", service.connect, SETTINGS) as watcher:
            await statuses(watcher, ARN)
            return watcher is left[0]

    run(abandon())
    assert run(main()) is False


def test_a_loop_that_is_closed_during_a_wait_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="asyncio")
    service = Service()
    service.image(ARN, (0, "BUILDING"))

    async def wait() -> None:
        async with shared("a", service.connect, AT_ONCE) as watcher:
            await statuses(watcher, ARN)

    async def another() -> None:
        async with shared("a", service.connect, SETTINGS):
            pass

    loop = asyncio.new_event_loop()
    task = loop.create_task(wait())
    loop.run_until_complete(asyncio.sleep(0.2))
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # this one is the test's own
    loop.close()
    del task, loop
    gc.collect()
    assert run(another()) is None
    gc.collect()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
