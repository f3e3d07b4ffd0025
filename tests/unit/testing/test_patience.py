"""A stopped clock starts again when a client only polls."""

from __future__ import annotations

import threading
from typing import Any

from airflow_imagebuilder.testing.patience import POLLS, Patience

DEADLINE = 30.0


class Polled:
    """A clock whose client polls as often as asked between two reads of the records."""

    def __init__(self, polls: int) -> None:
        self._polls, self._total, self.asked = polls, 0, 0
        self.started, self.watched = threading.Event(), threading.Event()

    def records(self) -> dict[str, Any]:
        self._total += self._polls
        self.asked += 1
        if self.asked > 4 * POLLS:
            self.watched.set()
        return {"calls": {"GetImage": {"total": self._total}, "CreateImage": {"total": 1}}}

    def start_clock(self) -> None:
        self.started.set()


def test_a_client_that_only_polls_makes_the_clock_start_with_a_complaint() -> None:
    clock = Polled(polls=POLLS)
    patience = Patience(clock, 0.05)
    patience.start()
    assert clock.started.wait(DEADLINE)
    patience.stop()
    assert "no advance() came" in (patience.complaint or "")


def test_a_test_that_does_not_poll_is_left_alone() -> None:
    clock = Polled(polls=0)
    patience = Patience(clock, 0.02)
    patience.start()
    assert clock.watched.wait(DEADLINE)
    patience.stop()
    assert not clock.started.is_set()
    assert patience.complaint is None
