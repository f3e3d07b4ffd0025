"""TokenBucket and AdaptiveRate: how fast calls are made, and how the rate falls and rises."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_imagebuilder.service.client.rate_limit import CATCH_UP, AdaptiveRate, TokenBucket
from tests.support.clockwork import now, run

Fails = Callable[[float, random.Random], bool]


class Simulation:
    """A caller that keeps to an adaptive rate, and a service that refuses some of its calls."""

    def __init__(self, demand: float, ceiling: float, fails: Fails) -> None:
        self.time, self.demand, self.fails = 0.0, demand, fails
        self.adaptive = AdaptiveRate(ceiling, lambda: self.time)
        self.random = random.Random(7)
        self.calls: list[tuple[float, bool]] = []

    def run_until(self, until: float) -> Simulation:
        while self.time < until:
            self.time += 1 / min(self.demand, self.adaptive.rate)
            failed = self.fails(self.time, self.random)
            self.adaptive.record(failed=failed)
            self.calls.append((self.time, failed))
        return self

    def rate(self, begin: float, end: float) -> float:
        return sum(begin <= time < end for time, _ in self.calls) / (end - begin)

    def share(self, begin: float, end: float) -> float:
        outcomes = [failed for time, failed in self.calls if begin <= time < end]
        return sum(outcomes) / len(outcomes)


def limiter(rate: float, burst: float = 5) -> Fails:
    state = {"tokens": burst, "time": 0.0}

    def fails(time: float, _: random.Random) -> bool:
        state["tokens"] = min(burst, state["tokens"] + (time - state["time"]) * rate)
        state["time"] = time
        if state["tokens"] < 1:
            return True
        state["tokens"] -= 1
        return False

    return fails


@pytest.mark.parametrize("limit", [1, 3, 20, 60, 150])
def test_the_rate_settles_near_a_limit(limit: float) -> None:
    simulation = Simulation(200, 250, limiter(limit)).run_until(400)
    assert simulation.rate(200, 400) < limit * 1.6
    assert simulation.rate(200, 400) > limit * 0.8
    assert simulation.share(200, 400) < 0.4


@pytest.mark.parametrize("demand", [0.5, 2, 10, 200])
def test_a_fifth_of_failures_at_random_is_tolerated_and_does_not_stop_the_poll(demand: float) -> None:
    simulation = Simulation(demand, max(10, demand), lambda _, chance: chance.random() < 0.2).run_until(400)
    assert simulation.rate(100, 400) > demand * 0.7


def test_an_outage_is_probed_every_few_seconds_and_its_end_brings_the_rate_back() -> None:
    simulation = Simulation(20, 40, lambda time, _: 60 < time < 300).run_until(400)
    assert simulation.rate(100, 300) < 0.3
    assert simulation.rate(306, 316) > 5
    assert simulation.rate(320, 400) > 19


def test_a_limit_that_was_lifted_is_noticed() -> None:
    tight = limiter(5)
    simulation = Simulation(100, 100, lambda time, chance: time < 200 and tight(time, chance)).run_until(300)
    assert simulation.rate(100, 200) < 9
    assert simulation.rate(240, 300) > 90


def test_one_failure_among_many_calls_does_not_slow_the_rate() -> None:
    simulation = Simulation(20, 40, lambda time, _: 50 < time < 50.06).run_until(60)
    assert simulation.adaptive.rate == 40
    assert not simulation.adaptive.slowed


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 30), st.booleans()), max_size=400), st.floats(0.3, 500))
def test_the_rate_stays_between_a_call_in_five_seconds_and_the_ceiling(
    calls: list[tuple[float, bool]], ceiling: float
) -> None:
    time = 0.0
    adaptive = AdaptiveRate(ceiling, lambda: time)
    for pause, failed in calls:
        time += pause
        adaptive.record(failed=failed)
        assert min(0.2, ceiling) <= adaptive.rate <= ceiling


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 200), st.integers(1, 30))
def test_a_bucket_passes_no_more_than_its_rate_and_every_caller(rate: float, callers: int) -> None:
    bucket = TokenBucket(rate)
    times: list[float] = []

    async def caller() -> None:
        for _ in range(5):
            await bucket.take()
            times.append(now())

    async def main() -> None:
        await asyncio.gather(*(caller() for _ in range(callers)))

    run(main())
    assert len(times) == 5 * callers
    assert all(later - times[0] >= (number - 1) / rate - CATCH_UP for number, later in enumerate(times))


def test_a_bucket_is_first_come_first_served() -> None:
    bucket = TokenBucket(1)
    order: list[int] = []

    async def caller(number: int) -> None:
        await bucket.take()
        order.append(number)

    async def main() -> None:
        await asyncio.gather(*(caller(number) for number in range(10)))

    run(main())
    assert order == list(range(10))
