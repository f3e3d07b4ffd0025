"""The virtual clock: its speed, its moves by hand, and the order of its timers."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.local.emulator.engine import Clock, iso
from airflow_imagebuilder.local.emulator.engine.clock import Timers


class Wall:
    """Real time, as the test sets it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_at_a_speed_virtual_time_is_real_time_multiplied() -> None:
    wall = Wall()
    clock = Clock(60, start=0.0, real=wall)
    wall.now += 2
    assert clock.now() == 120.0


def test_at_speed_0_only_a_move_by_hand_changes_the_time() -> None:
    wall = Wall()
    clock = Clock(start=0.0, real=wall)
    wall.now += 3600
    assert clock.now() == 0.0
    clock.advance(5)
    assert clock.now() == 5.0
    assert clock.real_of(1.0) == wall.now


def test_another_speed_continues_from_the_present_moment() -> None:
    wall = Wall()
    clock = Clock(60, start=0.0, real=wall)
    wall.now += 1
    clock.set_speed(10)
    assert (clock.now(), clock.speed) == (60.0, 10)
    wall.now += 1
    assert clock.now() == 70.0
    assert clock.real_of(80.0) == wall.now + 1


def test_a_machine_clock_that_is_set_back_does_not_set_virtual_time_back() -> None:
    wall = Wall()
    clock = Clock(60, start=0.0, real=wall)
    wall.now -= 500
    assert clock.now() == 0.0


def test_a_negative_speed_or_move_is_refused() -> None:
    clock = Clock(start=0.0)
    with pytest.raises(ValueError, match="speed: -1 is negative"):
        clock.set_speed(-1)
    with pytest.raises(ValueError, match="advance: -1 is negative"):
        clock.advance(-1)


def test_a_frozen_clock_shows_one_moment_until_it_is_released() -> None:
    wall = Wall()
    clock = Clock(60, start=0.0, real=wall)
    clock.freeze(7.0)
    wall.now += 1
    assert clock.now() == 7.0
    clock.freeze(None)
    assert clock.now() == 60.0


def test_timers_run_in_the_order_of_their_moments_and_then_of_their_setting() -> None:
    timers = Timers()
    for due, name in ((5.0, "late"), (1.0, "first"), (1.0, "second")):
        timers.add(due, name, "argument")
    assert timers.next_due() == 1.0
    run = [timer.kind for _ in range(3) if (timer := timers.pop_due(4.0))]
    assert run == ["first", "second"]
    assert timers.next_due() == 5.0


def test_a_moment_is_written_as_image_builder_writes_it() -> None:
    assert iso(0.25) == "1970-01-01T00:00:00.250Z"
