"""Waits that listen: ends are seen sooner; whatever the queue does, nothing is lost and nothing is early."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.clockwork import (
    ARN,
    THROTTLED,
    Service,
    build,
    client_error,
    execution,
    run,
    statuses,
)
from tests.support.sqs import FORBIDDEN, NO_QUEUE, URL, Queue, announce, event, in_sns, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from airflow_imagebuilder.service.watcher.watcher import ImageWatcher

NO_LISTS = client_error("AccessDeniedException", 403, "ListImageBuildVersions")


def no_lists(operation: str, arn: str, time: float) -> Any:
    return NO_LISTS if operation == "list_image_build_versions" else None


def after(seconds: float, act: Callable[[], object]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_at(seconds, act)


async def ends(watcher: ImageWatcher, *arns: str, **kwargs: Any) -> dict[str, float]:
    """Return when each wait got its image's end, all begun now."""

    async def one(arn: str) -> float:
        seen = await statuses(watcher, arn, **kwargs)
        return seen[-1][0]

    return dict(zip(arns, await asyncio.gather(*(one(arn) for arn in arns)), strict=True))


def service_of(count: int = 1, at: Callable[[int], float] = lambda _: 47.0, **kwargs: Any) -> Service:
    service = Service(**kwargs)
    for number in range(1, count + 1):
        service.image(build(number), (0, "BUILDING"), (at(number), "AVAILABLE"))
    return service


def played(
    service: Service,
    play: Callable[[Queue, ImageWatcher], Coroutine[Any, Any, Any]],
    **settings: Any,
) -> tuple[Any, Queue]:
    async def main() -> tuple[Any, Queue]:
        queue = Queue()
        async with listening(service, queue, **settings) as watcher:
            return await play(queue, watcher), queue

    return run(main())


# -- what listening is for -----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [str, in_sns], ids=["plain", "SNS"])
def test_an_end_is_seen_when_its_event_comes_and_not_at_the_next_poll(wrap: Callable[[str], str]) -> None:
    service = service_of()

    async def play(queue: Queue, watcher: ImageWatcher) -> float:
        after(47.5, lambda: queue.send(wrap(event(ARN))))
        return (await ends(watcher, ARN))[ARN]

    seen, queue = played(service, play)
    assert 47 < seen < 48
    assert len(queue.deleted) == 1
    assert service.counted()[ARN] == 3  # at 5 and 35 s, and the event's


@pytest.mark.parametrize("faults", [None, no_lists], ids=["lists", "no lists"])
def test_a_thousand_ends_at_once_are_seen_within_twenty_seconds_at_the_default_rate(faults: Any) -> None:
    service = service_of(1000, lambda _: 400.0, **({"fault": faults} if faults else {}))
    arns = list(service.stages)

    async def play(queue: Queue, watcher: ImageWatcher) -> dict[str, float]:
        announcing = asyncio.create_task(announce(queue, service, *arns))
        seen = await ends(watcher, *arns)
        await announcing
        return seen

    seen, _ = played(service, play)
    assert max(seen.values()) < 420
    assert min(seen.values()) >= 400


def test_monitors_of_a_thousand_images_do_not_hold_up_the_ends() -> None:
    service = service_of(1000, lambda _: 400.0, fault=no_lists)
    for arn in service.stages:
        service.workflows[arn] = [(0, execution("boot", "RUNNING")), (400, execution("boot", "COMPLETED"))]

    async def play(queue: Queue, watcher: ImageWatcher) -> dict[str, float]:
        monitors = [asyncio.create_task(statuses(watcher, arn, workflows=True)) for arn in service.stages]
        announcing = asyncio.create_task(announce(queue, service, *service.stages))
        seen = await ends(watcher, *service.stages)
        for task in (announcing, *monitors):
            task.cancel()
        await asyncio.gather(announcing, *monitors, return_exceptions=True)
        return seen

    seen, _ = played(service, play)
    assert max(seen.values()) < 420


def test_one_end_is_seen_within_two_seconds_though_the_polls_need_more_than_the_whole_rate() -> None:
    service = service_of(1000, lambda number: 300.0 if number == 777 else 5000.0, fault=no_lists)

    async def play(queue: Queue, watcher: ImageWatcher) -> float:
        others = [asyncio.create_task(statuses(watcher, arn)) for arn in service.stages if arn != build(777)]
        announcing = asyncio.create_task(announce(queue, service, build(777)))
        seen = (await ends(watcher, build(777)))[build(777)]
        await announcing
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        return seen

    seen, _ = played(service, play)
    assert 300 <= seen < 302


def test_watchers_with_other_intervals_share_the_reader() -> None:
    service = service_of(2)

    async def main() -> tuple[list[float], Queue]:
        queue = Queue()
        async with (
            listening(service, queue, poll_interval=30) as one,
            listening(service, queue, poll_interval=60) as two,
        ):
            announcing = asyncio.create_task(announce(queue, service, build(1), build(2)))
            first, second = await asyncio.gather(ends(one, build(1)), ends(two, build(2)))
            await announcing
            return [*first.values(), *second.values()], queue

    seen, queue = run(main())
    assert all(47 < at < 48 for at in seen)
    assert (queue.opened, queue.closed) == (1, 1)


def test_the_reader_runs_from_the_first_wait_to_the_last() -> None:
    service = service_of()

    async def play(queue: Queue, watcher: ImageWatcher) -> int:
        await asyncio.sleep(10)
        before = len(queue.calls)
        await ends(watcher, ARN)
        return before

    before, queue = played(service, play)
    assert before == 0
    assert queue.opened == queue.closed == 1


# -- rule 1: the first poll stays ----------------------------------------------------------------------------


def test_an_end_before_the_wait_is_seen_by_the_first_poll_whatever_the_queue_says() -> None:
    service = service_of(at=lambda _: -1.0)
    seen, _ = played(service, lambda _, watcher: ends(watcher, ARN))
    assert 5 <= seen[ARN] < 6


def test_an_event_before_the_first_poll_ends_no_wait_sooner_than_five_seconds() -> None:
    service = service_of(at=lambda _: 1.0)

    async def play(queue: Queue, watcher: ImageWatcher) -> float:
        after(1, lambda: queue.send(event(ARN)))
        return (await ends(watcher, ARN))[ARN]

    seen, _ = played(service, play)
    assert 5 <= seen < 6


# -- rule 2: an event never ends a wait unverified -----------------------------------------------------------


def test_forged_events_end_no_wait_and_cost_one_call_per_interval_at_most() -> None:
    service = service_of(at=lambda _: 1000.0)

    async def play(queue: Queue, watcher: ImageWatcher) -> float:
        for second in range(10, 900):
            after(second, lambda: queue.send(event(ARN), event(ARN, "FAILED")))
        after(1000.5, lambda: queue.send(event(ARN)))
        return (await ends(watcher, ARN))[ARN]

    seen, queue = played(service, play)
    assert 1000 <= seen <= 1031
    assert len(queue.deleted) >= 1780
    assert service.counted()[ARN] < 80  # 34 polls, and a call per interval for the events


def test_an_end_that_aws_shows_later_than_its_event_is_seen_soon() -> None:
    service = service_of(at=lambda _: 47.0)

    async def play(queue: Queue, watcher: ImageWatcher) -> float:
        after(44, lambda: queue.send(event(ARN)))
        return (await ends(watcher, ARN))[ARN]

    seen, _ = played(service, play)
    assert 47 <= seen < 49


@pytest.mark.parametrize(
    ("operation", "images"), [("get_image", 1), ("list_image_build_versions", 4)], ids=["GetImage", "list"]
)
def test_an_answer_from_before_the_event_does_not_undo_the_end(operation: str, images: int) -> None:
    begun: list[float] = []

    async def slow() -> Any:
        answer = (
            {"image": service.full_image(ARN)}
            if operation == "get_image"
            else {"imageSummaryList": [service.summary(arn) for arn in service.stages]}
        )
        await asyncio.sleep(5)
        return answer

    def fault(called: str, arn: str, time: float) -> Any:
        if called == operation and 65 <= time < 66 and not begun:
            begun.append(time)
            return slow()
        return THROTTLED if called == "list_workflow_executions" and 65 <= time < 73 else None

    service = service_of(images, lambda number: 66.0 if number == 1 else 500.0, fault=fault)
    service.workflows[ARN] = [(0, execution("boot", "RUNNING")), (66, execution("boot", "COMPLETED"))]

    async def play(queue: Queue, watcher: ImageWatcher) -> Any:
        announcing = asyncio.create_task(announce(queue, service, ARN))
        others = [asyncio.create_task(statuses(watcher, arn)) for arn in service.stages if arn != ARN]
        plain, full = await asyncio.gather(statuses(watcher, ARN), statuses(watcher, ARN, workflows=True))
        for task in (announcing, *others):
            task.cancel()
        await asyncio.gather(announcing, *others, return_exceptions=True)
        return plain, full

    (plain, full), _ = played(service, play)
    assert begun
    assert plain[-1][0] < 68
    assert 73 <= full[-1][0] < 85  # not at the next poll of the image, at 95 s


# -- rule 3: the poll never stops ----------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [None, no_lists], ids=["lists", "no lists"])
def test_a_deaf_queue_costs_no_wait_more_than_polling_alone(faults: Any) -> None:
    service = service_of(5, lambda number: 30.0 * number, **({"fault": faults} if faults else {}))
    seen, _ = played(service, lambda _, watcher: ends(watcher, *service.stages))
    assert all(at <= service.ended(arn) + 31 for arn, at in seen.items())


def test_where_lists_are_allowed_the_interval_stays_however_good_the_queue_is() -> None:
    service = service_of(60, lambda number: 1000.0 if number == 60 else 10.0 * number)
    lost = build(60)

    async def play(queue: Queue, watcher: ImageWatcher) -> dict[str, float]:
        announcing = asyncio.create_task(announce(queue, service, *list(service.stages)[:-1]))
        seen = await ends(watcher, *service.stages)
        await announcing
        return seen

    seen, _ = played(service, play)
    assert seen[lost] <= 1031


def test_an_image_with_monitors_is_polled_at_the_usual_interval() -> None:
    service = service_of(20, lambda number: 60.0 * number, fault=no_lists)
    watched = service.image(build(20), (0, "BUILDING"), (650, "TESTING"), (1200, "AVAILABLE"))
    service.workflows[watched] = [(at, execution("boot", f"RUNNING {at}")) for at in range(600, 1200, 100)]

    async def play(queue: Queue, watcher: ImageWatcher) -> list[tuple[float, str]]:
        announcing = asyncio.create_task(announce(queue, service, *list(service.stages)[:-1]))
        seen, _ = await asyncio.gather(
            statuses(watcher, watched, workflows=True), ends(watcher, *service.stages)
        )
        await announcing
        return seen

    seen, _ = played(service, play)
    testing = [at for at, status in seen if status == "TESTING"]
    assert 650 <= testing[0] <= 681
    assert len(testing) >= 5
    assert seen[-1][0] <= 1231


# -- rule 4: trust -------------------------------------------------------------------------------------------


def calls_between(service: Service, arn: str, begin: float, end: float) -> int:
    return len([at for at, _, called in service.calls if called == arn and begin <= at < end])


def trusting(
    lost: float, *, before: float = 600.0, fault: Callable[[str, float], Any] | None = None
) -> tuple[dict[str, float], Service]:
    """
    Let one end in a minute be announced where lists are forbidden.

    Image 1 is in progress all the time. The end of image 2 is not announced.
    """
    service = service_of(80, lambda number: 60.0 * number, fault=no_lists)
    service.image(build(1), (0, "BUILDING"), (4900, "AVAILABLE"))
    service.image(build(2), (0, "BUILDING"), (lost, "AVAILABLE"))
    told = [build(number) for number in range(3, 81)] + [build(1)]

    async def main() -> dict[str, float]:
        queue = Queue(fault=fault or (lambda operation, time: None))
        async with listening(service, queue) as watcher:
            announcing = asyncio.create_task(announce(queue, service, *told))
            seen = await ends(watcher, *service.stages)
            await announcing
            return seen

    return run(main()), service


def test_where_lists_are_forbidden_trust_begins_with_the_first_event_and_spares_nine_polls_of_ten() -> None:
    _, service = trusting(lost=4000)
    assert calls_between(service, build(1), 0, 180) >= 6
    assert calls_between(service, build(1), 300, 3300) <= 11


def test_a_lost_event_is_made_good_by_the_poll_and_ends_the_trust() -> None:
    seen, service = trusting(lost=2000)
    assert 2000 < seen[build(2)] <= 2000 + 300 + 31
    # No trust until another end was announced, and for two of them since the loss was certain.
    at = seen[build(2)]
    assert calls_between(service, build(1), at, at + 31) >= 1


def test_trouble_of_the_queue_ends_the_trust_within_one_interval(caplog: pytest.LogCaptureFixture) -> None:
    seen, service = trusting(lost=2100, fault=lambda _, time: NO_QUEUE if 2000 <= time < 3000 else None)
    assert seen[build(2)] <= 2131 + 20  # 20 s: the queue may just have been asked
    assert calls_between(service, build(1), 2100, 3000) >= 27
    warnings = [record for record in caplog.records if "cannot be read" in record.message]
    assert len(warnings) == 1


def test_an_event_that_comes_after_the_poll_has_seen_the_end_does_not_count_as_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = service_of(at=lambda _: 60.0)
    service.image(build(2), (0, "BUILDING"), (400, "AVAILABLE"))

    async def play(queue: Queue, watcher: ImageWatcher) -> None:
        announcing = asyncio.create_task(announce(queue, service, *service.stages, after=29))
        await ends(watcher, *service.stages)
        await announcing

    played(service, play)
    assert not caplog.records


def test_a_deaf_queue_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    service = service_of(9, lambda number: 60.0 * number)
    played(service, lambda _, watcher: ends(watcher, *service.stages))
    [record] = caplog.records
    assert "has not announced it" in record.message
    assert "give each triggerer a queue of its own" in record.message


# -- rule 5: an event older than the wait is ignored ---------------------------------------------------------


def test_events_older_than_the_wait_cost_no_call() -> None:
    service = service_of(at=lambda _: 447.0)

    async def play(queue: Queue, watcher: ImageWatcher) -> float:
        queue.send(*(event(ARN, "FAILED", at=second) for second in range(300)))
        await asyncio.sleep(400)
        return (await ends(watcher, ARN))[ARN]

    seen, queue = played(service, play)
    assert 447 <= seen <= 466
    assert len(queue.deleted) == 300
    assert service.counted()[ARN] == 3


def test_the_failure_before_a_repair_stays_stale_though_an_event_announces_it() -> None:
    service = Service()
    service.image(ARN, (0, "FAILED"), (40, "TESTING"), (70, "AVAILABLE"))

    async def play(queue: Queue, watcher: ImageWatcher) -> list[tuple[float, str]]:
        after(6, lambda: queue.send(event(ARN, "FAILED", at=0)))
        after(70.5, lambda: queue.send(event(ARN)))
        return await statuses(watcher, ARN, stale_until=1_800_000_000.0 + 60)

    seen, _ = played(service, play)
    assert seen[-1][1] == "AVAILABLE"
    assert 70 <= seen[-1][0] < 72
    assert not [status for _, status in seen if status == "FAILED"]


# -- rule 6: hints are urgent, and throttling holds them back too --------------------------------------------


def test_throttled_hints_are_sent_again_and_end_no_wait() -> None:
    def fault(operation: str, arn: str, time: float) -> Any:
        return THROTTLED if 40 <= time < 60 else None

    service = service_of(50, lambda _: 47.0, fault=fault)

    async def play(queue: Queue, watcher: ImageWatcher) -> dict[str, float]:
        announcing = asyncio.create_task(announce(queue, service, *service.stages))
        seen = await ends(watcher, *service.stages)
        await announcing
        return seen

    seen, _ = played(service, play)
    assert all(60 <= at < 140 for at in seen.values())


# -- rule 7: trouble of the queue ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [NO_QUEUE, FORBIDDEN, OSError("reset")], ids=["missing", "forbidden", "reset"]
)
def test_a_queue_that_never_answers_costs_one_warning(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "airflow_imagebuilder.service.events")
    service = service_of(9, lambda number: 60.0 * number)

    async def main() -> dict[str, float]:
        async with listening(service, Queue(fault=lambda *_: error)) as watcher:
            return await ends(watcher, *service.stages)

    seen = run(main())
    assert all(at <= service.ended(arn) + 31 for arn, at in seen.items())
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


# -- rules 8 and 9: what is in the queue ---------------------------------------------------------------------


def test_foreign_messages_and_those_about_other_images_are_deleted_and_cost_no_call() -> None:
    service = service_of(at=lambda _: 100.0)

    async def play(queue: Queue, watcher: ImageWatcher) -> None:
        after(20, lambda: queue.send(event(ARN, source="aws.ec2"), event(build(9)), event(ARN, "TESTING")))
        await ends(watcher, ARN)

    _, queue = played(service, play)
    assert len(queue.deleted) == 3
    assert service.counted()[ARN] == 5


def test_malformed_messages_are_left_for_redrive_and_deleted_after_ten_deliveries(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = service_of(at=lambda _: 1000.0)

    async def play(queue: Queue, watcher: ImageWatcher) -> tuple[int, int]:
        queue.send("not json", event(ARN, resources=None))
        waiting = asyncio.create_task(ends(watcher, ARN))
        await asyncio.sleep(200)
        left = len(queue.stored)
        await waiting
        return left, len(queue.stored)

    (left, at_last), queue = played(service, play)
    assert (left, at_last) == (2, 0)
    assert queue.counted()["receive_message"] < 100
    [first, *_] = caplog.records
    assert "cannot be read" in first.message


# -- two triggerers ------------------------------------------------------------------------------------------


def test_two_triggerers_with_a_queue_each_hear_all() -> None:
    service = service_of(40, lambda number: 60.0 + 10 * number)
    arns = list(service.stages)

    async def main() -> dict[str, float]:
        queues = Queue(), Queue()
        async with (
            listening(service, queues[0], f"{URL}-a") as one,
            listening(service, queues[1], f"{URL}-b") as two,
        ):
            announcing = [asyncio.create_task(announce(queue, service, *arns)) for queue in queues]
            first, second = await asyncio.gather(ends(one, *arns[::2]), ends(two, *arns[1::2]))
            await asyncio.gather(*announcing)
            return first | second

    seen = run(main())
    assert all(at < service.ended(arn) + 2 for arn, at in seen.items())


def test_two_triggerers_on_one_queue_lose_nothing_and_are_warned(caplog: pytest.LogCaptureFixture) -> None:
    service = service_of(40, lambda number: 60.0 + 10 * number)
    arns = list(service.stages)

    async def main() -> dict[str, float]:
        queue = Queue()
        async with (  # the same queue under two names: each has a reader of its own, as two processes have
            listening(service, queue, f"{URL}-a") as one,
            listening(service, queue, f"{URL}-b") as two,
        ):
            announcing = asyncio.create_task(announce(queue, service, *arns))
            first, second = await asyncio.gather(ends(one, *arns[::2]), ends(two, *arns[1::2]))
            await announcing
            return first | second

    seen = run(main())
    assert all(at <= service.ended(arn) + 31 for arn, at in seen.items())
    assert any("give each triggerer a queue of its own" in record.message for record in caplog.records)


def test_connections_of_one_process_that_read_one_queue_hear_what_the_other_reads() -> None:
    service = service_of(40, lambda number: 60.0 + 10 * number)
    arns = list(service.stages)

    async def main() -> dict[str, float]:
        queue = Queue()
        async with listening(service, queue) as one, listening(service, queue, key="aws_other") as two:
            announcing = asyncio.create_task(announce(queue, service, *arns))
            first, second = await asyncio.gather(ends(one, *arns[::2]), ends(two, *arns[1::2]))
            await announcing
            assert queue.opened == 2
            return first | second

    seen = run(main())
    assert all(at < service.ended(arn) + 2 for arn, at in seen.items())
