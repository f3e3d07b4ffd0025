"""Arrivals: which images are yielded, and what becomes of each message."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.service.client.error_mapping import translate
from airflow_imagebuilder.service.events.arrivals import MOST, Arrivals
from tests.support.arns import image_arn
from tests.support.clockwork import DOWN, THROTTLED, client_error, now, run
from tests.support.sqs import NO_QUEUE, URL, Queue
from tests.support.state_changes import state_change as body

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.service.events.arrivals import Arrival
    from airflow_imagebuilder.service.events.messages import ImageStateChange

ARN = image_arn(3)
MISSING = client_error("ResourceNotFoundException", 404)
FORBIDDEN = client_error("AccessDeniedException", 403)


class Reading:
    """A user of arrivals that stores the events of each at once, if ``stores`` is true."""

    def __init__(
        self,
        answer: Callable[[str], str | BaseException] = lambda arn: "AVAILABLE",
        wants: Callable[[ImageStateChange], bool] = lambda change: True,
        stores: Callable[[Arrival], bool] = lambda arrival: True,
        **queue: Any,
    ) -> None:
        self.queue = Queue(**queue)
        self.answer, self.stores = answer, stores
        self.asked: list[tuple[float, str]] = []
        self.came: list[tuple[float, str, str]] = []
        self.arrivals = Arrivals(self.queue.connect, URL, self.read, wants)

    async def read(self, arn: str) -> dict[str, Any]:
        self.asked.append((now(), arn))
        answer = self.answer(arn)
        if isinstance(answer, BaseException):
            raise translate(answer, "get_image")
        return {"arn": arn, "state": {"status": answer}}

    async def user(self) -> None:
        async with contextlib.aclosing(self.arrivals.stream()) as stream:
            async for arrival in stream:
                self.came.append((now(), arrival.change.arn, arrival.image["state"]["status"]))
                if self.stores(arrival):
                    await self.arrivals.done(arrival)

    async def during(self, seconds: float) -> None:
        """Read for so many seconds more."""
        task = asyncio.create_task(self.user())
        await asyncio.sleep(seconds)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    @property
    def arns(self) -> list[str]:
        return [arn for _, arn, _ in self.came]


def reading(*bodies: str, seconds: float = 100, **options: Any) -> Reading:
    async def main() -> Reading:
        made = Reading(**options)
        made.queue.send(*bodies)
        await made.during(seconds)
        return made

    return run(main())


def test_an_image_is_read_from_aws_and_its_message_is_deleted_once_the_event_is_stored() -> None:
    read = reading(body())
    assert [(arn, status) for _, arn, status in read.came] == [(ARN, "AVAILABLE")]
    assert read.queue.deleted == [body()]
    assert not read.queue.stored


def test_a_process_that_ends_before_the_event_is_stored_loses_nothing() -> None:
    async def main() -> Reading:
        first = Reading(stores=lambda arrival: False)
        first.queue.send(body())
        await first.during(20)
        assert first.arns == [ARN]
        second = Reading()
        second.queue = first.queue
        second.arrivals = Arrivals(first.queue.connect, URL, second.read, lambda change: True)
        await second.during(60)
        return second

    second = run(main())
    assert second.arns == [ARN]
    assert not second.queue.stored


def test_duplicates_of_a_stored_event_are_deleted() -> None:
    again = body(id="another", time="2026-11-26T13:00:09Z")
    read = reading(body(), body(), again)
    assert read.arns == [ARN]
    assert len(read.asked) == 1
    assert sorted(read.queue.deleted) == sorted([body(), body(), again])


def test_a_message_that_sqs_delivers_again_before_the_event_is_stored_gives_one_event() -> None:
    async def main() -> Reading:
        made = Reading(stores=lambda arrival: False)
        made.queue.send(body())
        await made.during(200)
        return made

    read = run(main())
    assert read.queue.counted()["receive_message"] > 4
    assert read.arns == [ARN]
    assert read.queue.deleted == []


def test_an_event_that_could_not_be_stored_comes_again() -> None:
    async def main() -> Reading:
        made = Reading()
        made.queue.send(body())
        fails = iter([True])

        async def user() -> None:
            async for arrival in made.arrivals.stream():
                made.came.append((now(), arrival.change.arn, ""))
                await (made.arrivals.again if next(fails, False) else made.arrivals.done)(arrival)

        task = asyncio.create_task(user())
        await asyncio.sleep(60)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return made

    read = run(main())
    assert read.arns == [ARN, ARN]
    assert not read.queue.stored


@pytest.mark.parametrize(
    "bad", ["", "no JSON", "[]", "{}", body(resources=["arn:of:nothing"]), body(source="aws.ec2"), "%s %d {"]
)
def test_a_message_that_is_not_about_an_image_stays_in_the_queue_and_stops_nothing(
    bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    read = reading(bad, body(), seconds=1000)
    assert read.arns == [ARN]
    assert read.queue.deleted == [body()]
    (kept,) = read.queue.stored.values()
    assert kept.received == 7  # at 3 s, then 10, 20, 40, 80, ... seconds after the one before
    (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert "message-0 returns to the queue" in line


def test_the_message_of_an_image_in_progress_is_deleted_and_yields_nothing() -> None:
    read = reading(body(status="TESTING"))
    assert (read.arns, read.asked, read.queue.deleted) == ([], [], [body(status="TESTING")])


def test_an_image_that_no_watcher_here_wants_stays_for_those_of_another_triggerer() -> None:
    other = image_arn(1, "other")
    read = reading(body(), body(other), wants=lambda change: change.arn == ARN)
    assert read.arns == [ARN]
    assert [arn for _, arn in read.asked] == [ARN]
    assert [one.body for one in read.queue.stored.values()] == [body(other)]


@pytest.mark.parametrize("trouble", [THROTTLED, DOWN, FORBIDDEN])
def test_a_message_is_held_while_aws_does_not_answer(trouble: BaseException) -> None:
    read = reading(body(), seconds=1500, answer=lambda arn: trouble if now() < 1000 else "AVAILABLE")
    assert read.arns == [ARN]
    assert 1000 <= read.came[0][0] < 1061
    assert len(read.asked) < 25
    assert not read.queue.stored


def test_a_held_message_is_delivered_once_so_that_no_redrive_policy_takes_it() -> None:
    read = reading(body(), seconds=900, answer=lambda arn: THROTTLED)
    assert [one.received for one in read.queue.stored.values()] == [1]


@pytest.mark.parametrize("answer", [MISSING, "TESTING"])
def test_an_image_that_aws_does_not_show_yet_is_asked_for_again(answer: Any) -> None:
    read = reading(body(), answer=lambda arn: answer if now() < 10 else "AVAILABLE")
    assert read.arns == [ARN]


@pytest.mark.parametrize("answer", [MISSING, "TESTING"])
def test_a_message_about_an_image_that_aws_never_shows_so_stays_in_the_queue(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    read = reading(body(), seconds=600, answer=lambda arn: answer)
    assert read.arns == []
    (kept,) = read.queue.stored.values()
    assert kept.received > 1
    assert f"it says that {ARN} is AVAILABLE, but" in caplog.text


def test_an_image_that_is_something_else_by_now_yields_nothing() -> None:
    read = reading(body(), answer=lambda arn: "DEPRECATED")
    assert (read.arns, read.queue.deleted) == ([], [body()])


def test_a_forged_message_does_not_hide_the_true_one_that_comes_later() -> None:
    async def main() -> Reading:
        made = Reading(answer=lambda arn: "FAILED" if now() < 50 else "AVAILABLE")
        made.queue.send(body(id="forged"))
        task = asyncio.create_task(made.during(100))
        await asyncio.sleep(60)
        made.queue.send(body())
        await task
        return made

    assert run(main()).arns == [ARN]


def test_an_image_can_fail_twice() -> None:
    second = body(status="FAILED", time="2026-11-26T14:00:00Z")
    read = reading(body(status="FAILED"), second, answer=lambda arn: "FAILED")
    assert read.arns == [ARN, ARN]


def test_a_message_that_could_not_be_deleted_gives_one_event() -> None:
    def fault(operation: str, at: float) -> BaseException | None:
        return DOWN if operation == "delete_message_batch" and at < 40 else None

    read = reading(body(), fault=fault)
    assert read.arns == [ARN]
    assert not read.queue.stored


def test_a_queue_that_comes_late_is_read() -> None:
    read = reading(body(), seconds=200, fault=lambda operation, at: NO_QUEUE if at < 100 else None)
    assert read.arns == [ARN]


def test_a_fault_of_this_package_with_one_image_stops_no_other() -> None:
    bad = image_arn(1, "bad")

    def answer(arn: str) -> str:
        if arn == bad:
            raise KeyError(arn)
        return "AVAILABLE"

    read = reading(body(bad), body(), answer=answer)
    assert read.arns == [ARN]
    assert [one.body for one in read.queue.stored.values()] == [body(bad)]


def test_the_queue_keeps_what_is_too_much_at_once() -> None:
    many = [body(image_arn(number)) for number in range(1, 2 * MOST)]
    read = reading(*many, stores=lambda arrival: False, seconds=25)
    assert MOST <= len(read.came) < MOST + 10
    stored = reading(*many)
    assert len(stored.came) == len(many)
    assert not stored.queue.stored


def test_a_slow_image_delays_no_other() -> None:
    slow = image_arn(1, "slow")
    read = reading(body(slow), body(), answer=lambda arn: THROTTLED if arn == slow else "AVAILABLE")
    assert read.arns == [ARN]
    assert read.came[0][0] < 4
