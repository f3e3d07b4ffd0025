"""Trust in a queue: when it begins, ends and comes back."""

from __future__ import annotations

import asyncio

from airflow_imagebuilder.service.events.trust import LATE, Trust
from tests.support.clockwork import ARN, build, run
from tests.support.sqs import URL


class Watched(Trust):
    """A trust, with how often it ended and how many ends no event announced."""

    def __init__(self) -> None:
        self.losses = self.unheard = 0
        super().__init__(URL, on_loss=self._lost, on_unheard=self._not_heard)

    def _lost(self) -> None:
        self.losses += 1

    def _not_heard(self) -> None:
        self.unheard += 1


def test_it_begins_with_the_first_end_that_is_heard() -> None:
    trust = Watched()
    assert not trust.held
    trust.heard()
    assert trust.held


def test_it_ends_with_the_first_end_that_is_missed() -> None:
    async def main() -> Watched:
        trust = Watched()
        trust.heard()
        trust.missed(ARN)
        assert not trust.held
        trust.close()
        return trust

    assert run(main()).losses == 1


def test_a_late_event_does_not_count_as_lost_and_the_next_one_brings_the_trust_back() -> None:
    async def main() -> Watched:
        trust = Watched()
        trust.missed(ARN)
        await asyncio.sleep(LATE - 1)
        assert trust.late(ARN)
        assert not trust.late(ARN)
        trust.heard()
        await asyncio.sleep(2 * LATE)
        return trust

    trust = run(main())
    assert trust.held
    assert trust.unheard == 0


def test_each_event_that_never_comes_doubles_the_ends_that_have_to_be_heard() -> None:
    async def main() -> list[int]:
        trust, needed = Watched(), []
        for number in range(4):
            trust.missed(build(number))
            await asyncio.sleep(LATE + 1)
            heard = 0
            while not trust.held:
                trust.heard()
                heard += 1
            needed.append(heard)
        assert trust.unheard == 4
        return needed

    assert run(main()) == [2, 4, 8, 16]


def test_while_the_queue_cannot_be_read_no_event_is_missed() -> None:
    async def main() -> Watched:
        trust = Watched()
        trust.heard()
        trust.missed(ARN)
        trust.deaf()
        await asyncio.sleep(2 * LATE)
        return trust

    trust = run(main())
    assert (trust.unheard, trust.losses, trust.held) == (0, 1, False)
