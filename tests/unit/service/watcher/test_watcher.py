"""ImageWatcher: what a wait gets, what it costs, and that waits do not affect each other."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ImageBuilderError,
    MalformedAnswerError,
    ThrottledError,
)
from airflow_imagebuilder.service.watcher.watcher import ImageWatcher, WatcherStats, WatchSettings
from tests.support.clockwork import (
    ARN,
    EPOCH,
    THROTTLED,
    FaultySettings,
    Service,
    build,
    client_error,
    execution,
    now,
    run,
    snapshots,
    statuses,
    wall,
    watcher_of,
)


def test_a_wait_gets_the_first_snapshot_each_change_and_the_end() -> None:
    service = Service(latency=0)
    service.image(ARN, (0, "BUILDING"), (25, "TESTING"), (48, "AVAILABLE"))

    async def main() -> list[tuple[float, str]]:
        async with watcher_of(service) as watcher:
            return await statuses(watcher, ARN)

    assert run(main()) == [(5, "BUILDING"), (25, "TESTING"), (55, "AVAILABLE")]


def test_a_wait_gets_nothing_before_the_first_poll() -> None:
    service = Service()
    service.image(ARN, (0, "AVAILABLE"))

    async def main() -> float:
        async with watcher_of(service, first_look=5) as watcher:
            await statuses(watcher, ARN)
            return now()

    assert 5 <= run(main()) < 5.2


def test_an_image_is_polled_once_per_interval_however_many_waits_there_are() -> None:
    service = Service()
    service.image(ARN, (0, "BUILDING"), (100, "AVAILABLE"))

    async def main() -> list[list[tuple[float, str]]]:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(*(statuses(watcher, ARN) for _ in range(50)))

    assert {seen[-1][1] for seen in run(main())} == {"AVAILABLE"}
    assert service.counted() == {ARN: 11}


def test_workflow_executions_are_polled_only_if_a_wait_wants_them() -> None:
    service = Service()
    plain = service.image(build(1, "plain"), (0, "TESTING"), (50, "AVAILABLE"))
    wanted = service.image(build(1, "wanted"), (0, "TESTING"), (50, "AVAILABLE"))
    service.workflows[wanted] = [
        (0, execution("boot", "RUNNING")),
        (0, execution("old", "FAILED", retried=True)),
    ]

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(
                snapshots(watcher, plain),
                snapshots(watcher, wanted, workflows=True),
                snapshots(watcher, wanted),
            )

    without, with_them, beside = run(main())
    assert service.counted("list_workflow_executions")[plain] == 0
    assert {one["workflowExecutionId"] for seen in with_them for one in seen.executions} == {"wf-boot"}
    assert not any(seen.executions for seen in (*without, *beside))


def test_a_stage_change_brings_the_executions_in_the_same_poll() -> None:
    service = Service()
    service.image(ARN, (0, "BUILDING"), (95, "AVAILABLE"))
    service.workflows[ARN] = [(0, execution("build", "RUNNING")), (95, execution("build", "COMPLETED"))]

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            return await snapshots(watcher, ARN, workflows=True), now()

    seen, ended = run(main())
    assert seen[-1].executions[-1]["status"] == "COMPLETED"
    assert ended < 106
    # While it builds, the executions show no more than the image does.
    assert service.counted("list_workflow_executions")[ARN] < service.counted("get_image")[ARN] / 2


def test_a_late_wait_gets_what_is_known_without_another_call() -> None:
    service = Service()
    service.image(ARN, (0, "BUILDING"), (300, "AVAILABLE"))

    async def late(watcher: ImageWatcher) -> float:
        await asyncio.sleep(101)
        async for _ in watcher.watch(ARN):
            return now()
        raise AssertionError

    async def main() -> tuple[Any, float]:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(statuses(watcher, ARN), late(watcher))

    _, given = run(main())
    assert given == 106
    assert service.counted()[ARN] <= 31


def test_no_call_is_made_after_the_last_wait_has_left() -> None:
    service = Service()
    service.image(ARN, (0, "BUILDING"))

    async def main() -> int:
        async with watcher_of(service) as watcher:
            async for _ in watcher.watch(ARN):
                break
            gc.collect()
            await asyncio.sleep(1)
            calls = len(service.calls)
            await asyncio.sleep(1000)
            return calls

    assert run(main()) == len(service.calls) == 1


def test_a_cancelled_wait_does_not_cancel_others() -> None:
    service = Service()
    service.image(ARN, (0, "BUILDING"), (60, "AVAILABLE"))

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            waits = [asyncio.ensure_future(statuses(watcher, ARN)) for _ in range(3)]
            await asyncio.sleep(10.02)  # in the middle of a call
            waits[0].cancel()
            return await asyncio.gather(*waits, return_exceptions=True)

    cancelled, *others = run(main())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert [seen[-1][1] for seen in others] == ["AVAILABLE", "AVAILABLE"]


def test_the_deadline_is_an_absolute_time_and_its_error_names_the_last_status() -> None:
    service = Service()
    service.image(ARN, (0, "TESTING"))

    async def main() -> float:
        async with watcher_of(service) as watcher:
            with pytest.raises(DeadlineExceededError, match="TESTING") as caught:
                await statuses(watcher, ARN, deadline=EPOCH + 47)
            assert caught.value.arn == ARN
            return now()

    assert run(main()) == 47


def test_the_deadline_of_one_wait_does_not_end_another() -> None:
    service = Service()
    service.image(ARN, (0, "TESTING"), (100, "AVAILABLE"))

    async def main() -> Any:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(
                statuses(watcher, ARN, deadline=EPOCH + 20), statuses(watcher, ARN), return_exceptions=True
            )

    over, other = run(main())
    assert isinstance(over, DeadlineExceededError)
    assert other[-1][1] == "AVAILABLE"


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_after_a_repair_the_old_end_counts_as_stale_until_the_image_is_in_progress(status: str) -> None:
    service = Service()
    service.image(ARN, (0, status), (12, "TESTING"), (40, status))

    async def main() -> list[str]:
        async with watcher_of(service) as watcher:
            seen = await statuses(watcher, ARN, stale_until=EPOCH + 60)
            return [one for _, one in seen]

    assert run(main()) == ["TESTING", status]


def test_an_end_that_is_still_there_after_the_grace_is_reported() -> None:
    service = Service()
    service.image(ARN, (0, "FAILED"))

    async def main() -> list[tuple[float, str]]:
        async with watcher_of(service) as watcher:
            return await statuses(watcher, ARN, stale_until=EPOCH + 60)

    [(given, status)] = run(main())
    assert status == "FAILED"
    assert 60 <= given <= 70.1


def test_a_build_that_succeeded_needs_no_grace() -> None:
    service = Service()
    service.image(ARN, (0, "AVAILABLE"))

    async def main() -> float:
        async with watcher_of(service) as watcher:
            await statuses(watcher, ARN, stale_until=EPOCH + 60)
            return now()

    assert run(main()) < 6


def test_polls_are_spread_over_the_interval() -> None:
    listed = "list_image_build_versions"
    refused = client_error("AccessDeniedException", 403)
    service = Service(
        latency=0.01, fault=lambda operation, arn, time: refused if operation == listed else None
    )
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING"), (55, "AVAILABLE")) for n in range(300)]

    async def main() -> None:
        async with watcher_of(service) as watcher:
            await asyncio.gather(*(statuses(watcher, arn) for arn in arns))

    run(main())
    seconds = Counter(int(time) for time, *_ in service.calls if 15 <= time < 55)
    assert max(seconds.values()) < 40
    assert len(seconds) == 40


def test_the_rate_is_never_above_the_bucket() -> None:
    service = Service()
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING"), (90, "AVAILABLE")) for n in range(60)]

    async def main() -> None:
        async with watcher_of(service, max_calls_per_second=4) as watcher:
            await asyncio.gather(*(statuses(watcher, arn, workflows=True) for arn in arns))

    run(main())
    times = [time for time, *_ in service.calls]
    assert all(after - before > 0.2499 for before, after in pairwise(times))


def test_no_more_calls_in_flight_than_connections() -> None:
    service = Service(latency=3.0)
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING"), (60, "AVAILABLE")) for n in range(100)]

    async def main() -> None:
        async with watcher_of(service, max_connections=10) as watcher:
            await asyncio.gather(*(statuses(watcher, arn) for arn in arns), watcher.steps("wf-1"))

    run(main())
    assert service.most_in_flight == 10


def test_polls_are_faster_near_the_end_and_never_cost_more_in_all() -> None:
    service = Service(latency=0)
    service.image(ARN, (0, "BUILDING"), (202, "TESTING"), (311, "INTEGRATING"), (341, "AVAILABLE"))
    service.workflows[ARN] = [(202, execution("boot", "RUNNING"))]

    async def main() -> None:
        async with watcher_of(service) as watcher:
            await statuses(watcher, ARN, workflows=True)

    run(main())
    polls = [time for time, operation, _ in service.calls if operation == "get_image"]
    assert min(after - before for before, after in pairwise(polls)) == 5
    assert len(service.calls) <= 2 * 35


def test_one_image_is_read_once_through_the_same_client() -> None:
    async def main() -> Any:
        service = Service()
        service.image(ARN, (0, "AVAILABLE"))
        async with watcher_of(service) as watcher:
            image = await watcher.image(ARN)
        return image["state"]["status"], service.counted("get_image")[ARN], service.opened, service.closed

    assert run(main()) == ("AVAILABLE", 1, 1, 1)


@pytest.mark.parametrize(
    ("fault", "error"), [(THROTTLED, ThrottledError), ({"image": {"arn": ARN}}, MalformedAnswerError)]
)
def test_an_image_that_is_not_answered_is_an_error_at_once(fault: Any, error: type[Exception]) -> None:
    async def main() -> int:
        service = Service(fault=lambda *call: fault)
        async with watcher_of(service) as watcher:
            with pytest.raises(error):
                await watcher.image(ARN)
        return len(service.calls)

    assert run(main()) == 1


def test_steps_are_read_through_the_same_client() -> None:
    service = Service()

    async def main() -> list[dict[str, Any]]:
        async with watcher_of(service) as watcher:
            return await watcher.steps("wf-1")

    assert run(main()) == [{"name": "Boot"}]
    assert service.opened == service.closed == 1


def test_nothing_is_kept_of_waits_that_have_left() -> None:
    service = Service()
    arns = [service.image(build(n), (0, "BUILDING"), (90_000, "AVAILABLE")) for n in range(20)]
    sizes: list[int] = []

    async def come_and_go(watcher: ImageWatcher, arn: str, stay: float) -> None:
        while now() < 8_000:
            with contextlib.suppress(DeadlineExceededError):
                await statuses(watcher, arn, workflows=stay % 2 == 0, deadline=wall() + stay)

    async def main() -> None:
        async with watcher_of(service) as watcher:
            waits = [asyncio.ensure_future(come_and_go(watcher, arn, 7 + n)) for n, arn in enumerate(arns)]
            for _ in range(40):
                await asyncio.sleep(200)
                stats = watcher.stats()
                sizes.append(stats.scheduled + stats.polls)
            await asyncio.gather(*waits)
            stats = watcher.stats()
            assert stats.images == stats.waits == stats.lists == stats.calls_per_interval == 0

    run(main())
    assert max(sizes) < 100


def test_the_stats_show_what_a_watcher_is_doing() -> None:
    service = Service(latency=1.0)
    arns = [service.image(build(1, f"image-{n}"), (0, "BUILDING")) for n in range(2)]

    async def main() -> tuple[WatcherStats, WatcherStats]:
        async with watcher_of(service) as watcher:
            waits = [asyncio.ensure_future(statuses(watcher, arn)) for arn in (*arns, *arns)]
            waits.append(asyncio.ensure_future(statuses(watcher, arns[0], workflows=True)))
            await asyncio.sleep(5.5)
            busy = watcher.stats()
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            await asyncio.sleep(1)
            return busy, watcher.stats()

    busy, idle = run(main())
    assert busy == WatcherStats(
        images=2,
        waits=5,
        scheduled=0,
        polls=2,
        lists=3,
        calls_in_flight=2,
        calls_per_interval=3,
        calls_per_second=1000.0,
    )
    assert idle == WatcherStats(
        images=0,
        waits=0,
        scheduled=0,
        polls=0,
        lists=0,
        calls_in_flight=0,
        calls_per_interval=0,
        calls_per_second=1000.0,
    )


def test_steps_never_delay_the_polls() -> None:
    service = Service(latency=0.01)
    arns = [service.image(build(1, f"image-{n}"), (0, "TESTING"), (100, "AVAILABLE")) for n in range(40)]

    async def curious(watcher: ImageWatcher) -> None:
        while now() < 110:
            await watcher.steps("wf-1")

    async def main() -> list[Any]:
        async with watcher_of(service, max_calls_per_second=10) as watcher:
            waits = asyncio.gather(*(statuses(watcher, arn) for arn in arns))
            await asyncio.gather(*(curious(watcher) for _ in range(50)))
            return await waits

    assert max(seen[-1][0] for seen in run(main())) < 111.5
    assert service.counted("list_workflow_step_executions")["wf-1"] > 300


def test_a_watcher_that_is_closed_ends_the_waits_that_are_left() -> None:
    service = Service()
    service.image(ARN, (0, "BUILDING"))

    async def main() -> None:
        watcher = watcher_of(service)
        wait = asyncio.ensure_future(statuses(watcher, ARN))
        await asyncio.sleep(30)
        await watcher.aclose()
        with pytest.raises(ImageBuilderError, match="closed"):
            await wait

    run(main())
    assert service.opened == service.closed == 1


def test_a_watcher_that_is_closed_as_soon_as_a_wait_begins_ends_it() -> None:
    async def main() -> None:
        watcher = watcher_of(Service())
        wait = asyncio.ensure_future(statuses(watcher, ARN, first_look=0))
        await asyncio.sleep(0)
        await watcher.aclose()
        with pytest.raises(ImageBuilderError, match="closed"):
            await asyncio.wait_for(wait, 100)

    run(main())


def test_a_loop_that_ends_in_the_middle_of_a_wait_leaves_nothing_open() -> None:
    service = Service(latency=1)
    service.image(ARN, (0, "BUILDING"))

    async def main() -> None:
        async def hold() -> None:
            async with watcher_of(service) as watcher:
                await statuses(watcher, ARN)

        asyncio.ensure_future(hold())  # noqa: RUF006 (abandoned on purpose)
        await asyncio.sleep(5.5)

    run(main())
    assert service.opened == service.closed == 1


def test_a_fault_of_the_package_reaches_the_waits_and_the_next_wait_starts_again() -> None:
    service = Service()
    service.image(ARN, (0, "AVAILABLE"))

    faults: list[Exception] = []

    async def main() -> list[tuple[float, str]]:
        settings = FaultySettings(lambda: faults[-1] if faults else None, poll_interval=10.0)
        async with ImageWatcher(service.connect, settings=settings, wall=wall) as watcher:
            faults.append(TypeError("a mistake of ours"))
            with pytest.raises(ImageBuilderError, match="fault of the package") as caught:
                await statuses(watcher, ARN)
            assert isinstance(caught.value.__cause__, TypeError)
            assert now() >= 30
            faults.clear()
            return await statuses(watcher, ARN)

    assert run(main())[-1][1] == "AVAILABLE"


@pytest.mark.parametrize(
    ("name", "value"),
    [("poll_interval", 0), ("max_calls_per_second", -1), ("first_look", -1), ("max_connections", 0)],
)
def test_settings_that_cannot_work_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        WatchSettings(**{name: value})  # type: ignore[arg-type]


def test_deadlines_use_absolute_time() -> None:
    async def main() -> float:
        return wall()

    assert run(main()) == EPOCH
