"""Properties of a watcher: the cost, the rate, and the end of every wait, for any images and any errors."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_imagebuilder.service.errors import DeadlineExceededError
from airflow_imagebuilder.service.results.states import is_image_terminal
from tests.support.clockwork import DOWN, EPOCH, THROTTLED, Service, build, now, run, statuses, watcher_of

INTERVAL = 10.0
ENDS = st.sampled_from(["AVAILABLE", "FAILED", "CANCELLED"])
IMAGES = st.lists(
    st.tuples(st.floats(1, 100), st.floats(1, 100), ENDS, st.integers(1, 4), st.booleans()),
    min_size=1,
    max_size=12,
)
STARTS = st.floats(0, 60)
NAMES = st.integers(1, 4)


def service_of(
    images: list[tuple[float, float, str, int, bool]], names: int
) -> tuple[Service, list[tuple[str, int, bool]]]:
    service = Service()
    arns = []
    for number, (building, testing, end, waits, workflows) in enumerate(images):
        arn = build(number, f"golden-{number % names}")
        service.image(arn, (0, "BUILDING"), (building, "TESTING"), (building + testing, end))
        arns.append((arn, waits, workflows))
    return service, arns


@settings(max_examples=60, deadline=None)
@given(IMAGES, STARTS, NAMES)
def test_every_wait_ends_within_an_interval_of_its_image_and_costs_one_call_per_interval(
    images: list[tuple[float, float, str, int, bool]], start: float, names: int
) -> None:
    service, arns = service_of(images, names)

    async def main() -> list[tuple[str, float, str]]:
        async with watcher_of(service) as watcher:

            async def assert_wait(arn: str, workflows: bool) -> tuple[str, float, str]:
                await asyncio.sleep(start * (len(arn) % 7) / 7)
                seen = await statuses(watcher, arn, workflows=workflows)
                return arn, now(), seen[-1][1]

            waits = [assert_wait(arn, workflows) for arn, number, workflows in arns for _ in range(number)]
            return await asyncio.gather(*waits)

    ended: dict[str, float] = {}
    for arn, at, status in run(main()):
        assert status == service.status(arn, at)
        assert at <= max(service.ended(arn), start + 5) + INTERVAL + 2
        ended[arn] = max(at, ended.get(arn, 0))
    for operation in ("get_image", "list_workflow_executions"):
        for arn, calls in service.counted(operation).items():
            assert calls <= (ended[arn] - 5) / INTERVAL + 2
    # In all: a trial of a list may cost a quarter of one interval's calls.
    intervals = sum((ended[arn] / INTERVAL + 2) * (1 + workflows) for arn, _, workflows in arns)
    assert len(service.calls) <= intervals + len(arns) / 4 + 1


@settings(max_examples=40, deadline=None)
@given(IMAGES, st.floats(0.5, 20), NAMES)
def test_the_rate_is_never_above_the_bucket(
    images: list[tuple[float, float, str, int, bool]], rate: float, names: int
) -> None:
    service, arns = service_of(images, names)

    async def main() -> None:
        async with watcher_of(service, max_calls_per_second=rate) as watcher:
            await asyncio.gather(*(statuses(watcher, arn, workflows=wanted) for arn, _, wanted in arns))

    run(main())
    assert all(
        after - before >= 0.999 / rate for before, after in pairwise(time for time, *_ in service.calls)
    )


@settings(max_examples=60, deadline=None)
@given(
    IMAGES,
    st.lists(st.tuples(st.floats(0, 200), st.floats(1, 60), st.floats(0.1, 1.0)), max_size=4),
    st.data(),
)
def test_transient_errors_of_any_kind_fail_no_wait_before_its_deadline(
    images: list[tuple[float, float, str, int, bool]],
    troubles: list[tuple[float, float, float]],
    data: st.DataObject,
) -> None:
    service, arns = service_of(images, 2)
    count = Counter[str]()

    def fault(operation: str, arn: str, time: float) -> object:
        for begun, lasting, share in troubles:
            count[operation] += 1
            if begun <= time < begun + lasting and (count[operation] * share) % 1 < share:
                return THROTTLED if count[operation] % 2 else DOWN
        return None

    service.fault = fault
    deadlines = {arn: data.draw(st.one_of(st.none(), st.floats(6, 300))) for arn, *_ in arns}

    async def assert_wait(watcher: object, arn: str, workflows: bool) -> tuple[str, float]:
        deadline = deadlines[arn]
        absolute = None if deadline is None else EPOCH + deadline
        try:
            seen = await statuses(watcher, arn, workflows=workflows, deadline=absolute)  # type: ignore[arg-type]
        except DeadlineExceededError:
            assert deadline is not None
            assert abs(now() - deadline) < 0.01
            return "deadline", now()
        return seen[-1][1], now()

    async def main() -> list[tuple[str, float]]:
        async with watcher_of(service) as watcher:
            return await asyncio.gather(*(assert_wait(watcher, arn, wanted) for arn, _, wanted in arns))

    for outcome, at in run(main()):
        assert outcome == "deadline" or is_image_terminal(outcome)
        assert at < 700


@settings(max_examples=40, deadline=None)
@given(IMAGES, st.floats(0, 150))
@example([(1.0, 1.0, "AVAILABLE", 1, False)] * 6, 5.03125)
def test_no_call_is_made_after_the_last_wait_has_left(
    images: list[tuple[float, float, str, int, bool]], leave: float
) -> None:
    service, arns = service_of(images, 2)

    async def main() -> int:
        async with watcher_of(service) as watcher:
            waits = [
                asyncio.ensure_future(statuses(watcher, arn, workflows=wanted))
                for arn, number, wanted in arns
                for _ in range(number)
            ]
            await asyncio.sleep(leave)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            calls = len(service.calls)
            await asyncio.sleep(300)
            return calls

    assert run(main()) == len(service.calls)
