"""QueueReader: what it takes and deletes, and what trouble of the queue costs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.service.events.queue import MOST_RECEIVES, QueueMessage, QueueReader
from tests.support.clockwork import EPOCH, client_error, now, run
from tests.support.sqs import FORBIDDEN, NO_QUEUE, URL, Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

LOGGER = "airflow_imagebuilder.service.events.queue"


class Reading:
    """A reader whose user keeps what ``keep`` says, and what it was given."""

    def __init__(self, queue: Queue, keep: Callable[[QueueMessage], bool] = lambda message: False) -> None:
        self.queue, self.keep = queue, keep
        self.taken: list[tuple[float, QueueMessage]] = []
        self.counts: Counter[str] = Counter()
        self.troubles = 0
        self.reader = QueueReader(queue.connect, URL, self.take, on_trouble=self._trouble, count=self._count)

    async def take(self, messages: Sequence[QueueMessage]) -> Collection[QueueMessage]:
        self.taken += [(now(), one) for one in messages]
        return [one for one in messages if not self.keep(one)]

    def bodies(self) -> list[str]:
        return [message.body for _, message in self.taken]

    def _trouble(self) -> None:
        self.troubles += 1

    def _count(self, name: str, number: int) -> None:
        self.counts[name] += number

    async def during(self, seconds: float, *events: tuple[float, str]) -> None:
        """Read for so long, while messages are sent at given times; then cancel the reader."""
        task = asyncio.create_task(self.reader.run())
        for at, body in events:
            if at > now():
                await asyncio.sleep(at - now())
            self.queue.send(body)
        await asyncio.sleep(seconds - now())
        assert not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def reading(
    queue: Callable[[], Queue], seconds: float, *events: tuple[float, str], **options: Any
) -> Reading:
    async def main() -> Reading:
        made = Reading(queue(), **options)
        await made.during(seconds, *events)
        return made

    return run(main())


def test_a_message_is_taken_as_soon_as_it_is_there_and_deleted() -> None:
    read = reading(Queue, 100, (3, "one"), (55, "two"))
    assert [(at, one.body) for at, one in read.taken] == [(3, "one"), (55, "two")]
    assert read.queue.deleted == ["one", "two"]
    first = read.taken[0][1]
    assert (first.received, first.sent, first.message_id) == (1, EPOCH + 3, "message-0")


def test_an_empty_queue_costs_three_calls_a_minute() -> None:
    read = reading(Queue, 600)
    assert read.queue.counted() == {"receive_message": 30}


def test_ten_messages_cost_two_calls() -> None:
    read = reading(Queue, 19, *[(1, str(number)) for number in range(10)])
    assert sorted(read.queue.deleted) == sorted(str(number) for number in range(10))
    assert read.queue.counted()["delete_message_batch"] == 1


def test_what_is_kept_comes_back_after_the_visibility_timeout() -> None:
    read = reading(Queue, 70, (0, "kept"), keep=lambda message: message.received < 3)
    assert [(round(at), one.received) for at, one in read.taken] == [(0, 1), (30, 2), (60, 3)]
    assert read.queue.deleted == ["kept"]


def test_a_message_that_is_always_kept_is_known_by_its_count() -> None:
    read = reading(Queue, 1000, (0, "kept"), keep=lambda message: not message.kept_too_often)
    assert len(read.taken) == MOST_RECEIVES
    assert read.queue.deleted == ["kept"]


def test_the_client_is_closed_when_the_reader_is_cancelled() -> None:
    read = reading(Queue, 10)
    assert (read.queue.opened, read.queue.closed) == (1, 1)


def test_a_reader_that_is_cancelled_at_any_moment_ends() -> None:
    async def lasts(steps: int) -> bool:
        queue = Queue()
        queue.send("one", "two")
        task = asyncio.create_task(Reading(queue).reader.run())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=100)
        return not task.done()

    async def main() -> list[int]:
        return [steps for steps in range(60) if await lasts(steps)]

    assert run(main()) == []


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (NO_QUEUE, "There is no such queue: check account, region and name"),
        (FORBIDDEN, "sqs:ReceiveMessage and sqs:DeleteMessage"),
        (client_error("ServiceUnavailable", 503, "ReceiveMessage"), "check network"),
        (client_error("InvalidAddress", 400, "ReceiveMessage"), "Check the URL"),
        (OSError("connection reset"), "check network"),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else type(value).__name__,
)
def test_trouble_costs_one_warning_and_pauses_up_to_a_minute(
    error: Exception, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    read = reading(lambda: Queue(fault=lambda _, time: error if time < 1000 else None), 1100, (5, "waits"))
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]
    assert advice in caplog.messages[0]
    assert URL in caplog.messages[0]
    assert read.troubles == 1
    tries = [at for at, operation in read.queue.calls if operation == "receive_message" and at < 1000]
    assert read.counts["queue_errors"] == len(tries)
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses[0] <= 1
    assert 30 <= max(pauses) <= 60
    assert read.bodies() == ["waits"]
    assert read.taken[0][0] <= 1060


def test_a_second_trouble_is_another_warning(caplog: pytest.LogCaptureFixture) -> None:
    def fault(_: str, time: float) -> Exception | None:
        return NO_QUEUE if 100 <= time < 200 or 500 <= time < 600 else None

    read = reading(lambda: Queue(fault=fault), 900)
    assert read.troubles == 2
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 2


def test_a_forbidden_delete_is_one_trouble_and_not_one_per_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = client_error("AccessDenied", 403, "DeleteMessageBatch", "sqs:DeleteMessage")
    read = reading(
        lambda: Queue(fault=lambda operation, _: error if operation.startswith("delete") else None),
        2000,
        (0, "stays"),
    )
    assert len(caplog.records) == read.troubles == 1
    assert read.queue.counted()["receive_message"] < 200


def test_a_fault_of_the_user_deletes_nothing_and_is_reported_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(Reading):
        async def take(self, messages: Sequence[QueueMessage]) -> Collection[QueueMessage]:
            if now() < 20:
                raise KeyError("a mistake of ours")
            return await super().take(messages)

    async def main() -> Failing:
        made = Failing(Queue())
        await made.during(100, (1, "one"))
        return made

    read = run(main())
    assert read.queue.deleted == ["one"]
    assert read.taken[0][1].received == 2
    assert caplog.records[0].exc_info
    # The trouble was not with the call, so that the queue is not asked again and again.
    assert read.queue.counted()["receive_message"] < 10


def test_an_answer_of_the_wrong_shape_is_trouble() -> None:
    class Broken(Queue):
        async def receive_message(self, **params: Any) -> dict[str, Any]:
            found = await super().receive_message(**params)
            return {"Messages": "soup"} if now() < 30 else found

    read = reading(Broken, 200, (1, "one"))
    assert read.troubles == 1
    assert read.bodies() == ["one"]


def test_a_server_without_long_polling_is_asked_once_a_second_at_most() -> None:
    class Hasty(Queue):
        async def receive_message(self, **params: Any) -> dict[str, Any]:
            return await super().receive_message(**{**params, "WaitTimeSeconds": 0})

    read = reading(Hasty, 100, (50, "one"))
    assert read.bodies() == ["one"]
    assert len(read.queue.calls) <= 102


def test_a_message_that_is_kept_can_be_hidden_and_deleted_later() -> None:
    async def main() -> Reading:
        made = Reading(Queue(), keep=lambda message: True)
        task = asyncio.create_task(made.during(300, (1, "one")))
        await asyncio.sleep(2)
        (first,) = [message for _, message in made.taken]
        await made.reader.hide(first, 100.4)
        await asyncio.sleep(103)
        _, second = made.taken[-1]
        await made.reader.delete(second)
        await task
        return made

    read = run(main())
    assert [(at, message.received) for at, message in read.taken] == [(1, 1), (102, 2)]
    assert read.queue.deleted == ["one"]
