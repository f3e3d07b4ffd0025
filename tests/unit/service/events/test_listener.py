"""Listener: which region a queue's URL names, what is counted, and who is served."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.service.events import listener
from airflow_imagebuilder.service.events.listener import Channel, region_of
from tests.support.clockwork import ARN, run
from tests.support.sqs import NO_QUEUE, URL, Queue, event

if TYPE_CHECKING:
    from airflow_imagebuilder.service.events.messages import ImageStateChange


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/images", "eu-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/images", "cn-north-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/images", "us-gov-west-1"),
        ("https://sqs.us-east-1.api.aws/123456789012/images", "us-east-1"),
        ("https://eu-west-1.queue.amazonaws.com/123456789012/images", "eu-west-1"),
        ("https://vpce-0a1b-2c3d.sqs.us-east-2.vpce.amazonaws.com/123456789012/images", "us-east-2"),
        ("http://127.0.0.1:5005/123456789012/images", None),
        ("http://localhost:4566/000000000000/sqs.eu-west-1.fake", None),
    ],
)
def test_the_region_is_the_one_that_the_url_names(url: str, region: str | None) -> None:
    assert region_of(url) == region


class Watcher:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[ImageStateChange] = []
        self.troubles = 0

    def take(self, change: ImageStateChange) -> bool:
        self.taken.append(change)
        return True

    def deaf(self) -> None:
        self.troubles += 1


class Metrics:
    """A metrics system that may fail."""

    def __init__(self, *, broken: bool = False) -> None:
        self.counts: Counter[str] = Counter()
        self.broken = broken

    def incr(self, name: str, count: int) -> None:
        if self.broken:
            raise OSError("no route to the metrics system")
        self.counts[name] += count


def heard(*bodies: str, metrics: Metrics | None = None, queue: Queue | None = None) -> Watcher:
    async def main() -> Watcher:
        served, channel = Watcher(), Channel(URL, (queue_ := queue or Queue()).connect)
        queue_.send(*bodies)
        listener.join(channel, served, metrics)
        await asyncio.sleep(15)
        await listener.leave(channel, served)
        return served

    return run(main())


def test_a_watcher_gets_each_change_of_state() -> None:
    assert [one.status for one in heard(event(ARN, at=0), event(ARN, "FAILED", at=0)).taken] == [
        "AVAILABLE",
        "FAILED",
    ]


def test_messages_are_counted_by_kind() -> None:
    metrics = Metrics()
    heard(event(ARN, at=0), event(ARN, at=0, source="aws.ec2"), "not json", metrics=metrics)
    assert metrics.counts == {"messages": 3, "messages_foreign": 1, "messages_malformed": 1}


def test_errors_are_counted_and_the_watchers_learn_of_them_once() -> None:
    metrics = Metrics()
    served = heard(metrics=metrics, queue=Queue(fault=lambda *_: NO_QUEUE))
    assert metrics.counts["queue_errors"] >= 2
    assert served.troubles == 1


def test_a_broken_metrics_system_costs_no_message() -> None:
    served = heard(event(ARN, at=0), metrics=Metrics(broken=True))
    assert len(served.taken) == 1


def test_a_second_watcher_starts_no_second_reader_and_the_last_one_stops_it() -> None:
    async def main() -> tuple[Queue, list[int]]:
        queue = Queue()
        channel, same = Channel(URL, queue.connect, "key"), Channel(URL, queue.connect, "key")
        one, two = Watcher(), Watcher()
        assert listener.join(channel, one) is listener.join(same, two)
        await asyncio.sleep(1)
        await listener.leave(channel, one)
        queue.send(event(ARN))
        await asyncio.sleep(1)
        assert queue.closed == 0
        await listener.leave(same, two)
        calls = len(queue.calls)
        await asyncio.sleep(100)
        assert len(queue.calls) == calls
        return queue, [len(one.taken), len(two.taken)]

    queue, taken = run(main())
    assert taken == [0, 1]
    assert (queue.opened, queue.closed) == (1, 1)
