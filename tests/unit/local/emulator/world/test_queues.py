"""Moto's SQS in the local service: as moto has it, without a count of all messages per message."""

from __future__ import annotations

from typing import Any

import pytest
from moto.core.utils import unix_time
from moto.events.utils import EventTemplateParser
from moto.sqs.models import SQSBackend, sqs_backends

from airflow_imagebuilder.local.emulator.world import moto_world, queues  # noqa: F401  (it quickens them)
from tests.support.counted_calls import work

MESSAGES = 1000


@pytest.fixture
def sqs() -> Any:
    backend = sqs_backends["123456789012"]["us-east-1"]
    backend.reset()
    backend.create_queue("events", {})
    for number in range(MESSAGES):
        backend.send_message("events", str(number))
    return backend


def receive(sqs: Any, count: int = 10, visible_after: int = 30) -> list[str]:
    return [message.body for message in sqs.receive_message("events", count, 0, visible_after)]


def test_messages_come_in_order_and_stay_hidden_until_their_time(sqs: Any) -> None:
    assert receive(sqs) == [str(number) for number in range(10)]
    assert receive(sqs, visible_after=0) == [str(number) for number in range(10, 20)]
    assert receive(sqs)[0] == "10"


def test_a_delayed_or_expired_message_is_not_received(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sqs.create_queue("later", {})
    sqs.send_message("later", "one", delay_seconds=60)
    assert sqs.receive_message("later", 1, 0, 0) == []
    sqs.create_queue("old", {}, MessageRetentionPeriod="60")
    sqs.send_message("old", "one")
    monkeypatch.setattr(f"{queues.__name__}.unix_time", lambda: unix_time() + 61)
    assert sqs.receive_message("old", 1, 0, 0) == []


def test_a_message_costs_no_count_of_the_others(sqs: Any) -> None:
    assert work(lambda: receive(sqs)) < 20 * MESSAGES
    assert SQSBackend.is_message_valid_based_on_retention_period.__module__.endswith("world.queues")


def test_a_message_that_is_sent_costs_no_clock_per_message_of_the_queue(sqs: Any) -> None:
    assert work(lambda: sqs.send_message("events", "one more")) < 10 * MESSAGES


def test_the_messages_of_a_queue_are_counted_by_what_becomes_of_them(sqs: Any) -> None:
    receive(sqs)
    sqs.send_message("events", "later", delay_seconds=60)
    queue = sqs.queues["events"]
    counts = queue.attributes
    assert counts["ApproximateNumberOfMessages"] == MESSAGES - 10
    assert counts["ApproximateNumberOfMessagesNotVisible"] == 10
    assert counts["ApproximateNumberOfMessagesDelayed"] == 1


def test_the_paths_of_a_target_are_parsed_once() -> None:
    event: Any = {"ingestion-time": 0.0, **{name: name for name in ("id", "account", "source", "region")}}
    template, paths = '{"from": "<source>"}', {"source": "$.source"}
    assert EventTemplateParser.parse(template, paths, event) == {"from": "source"}
    assert work(lambda: EventTemplateParser.parse(template, paths, event)) < 100
