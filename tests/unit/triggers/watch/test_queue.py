"""The queue of the waits: Airflow's option, and which triggers share a reader."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.triggers.watch.queue import QueueHook, channel_of
from tests.support.triggers import deferred_trigger, image_trigger

if TYPE_CHECKING:
    from airflow_imagebuilder.service.events.listener import Channel

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/images"


def channel(url: str = URL, **changes: Any) -> Channel | None:
    given = {"aws_conn_id": "aws_default", "region_name": None, "verify": None, "botocore_config": None}
    return channel_of(url, **{**given, **changes})


def test_the_hosts_name_gives_each_triggerer_a_queue_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "airflow-triggerer-1.airflow.svc")
    made = channel(f"{URL}-{{hostname}}")
    assert made is not None
    assert made.url == f"{URL}-airflow-triggerer-1"


@pytest.mark.parametrize("url", ["images", "arn:aws:sqs:eu-west-1:123456789012:images", f"{URL}-{{host}}"])
def test_a_wrong_url_is_logged_once_and_no_wait_fails(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert channel(url + "#1") is None
    assert channel(url + "#1") is None
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "is not the URL of an SQS queue" in record.message


@pytest.mark.parametrize("url", ["", "  "])
def test_without_a_url_there_is_no_queue(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert channel(url) is None
    assert not caplog.records


def test_one_queue_has_one_reader_for_each_connection_whatever_the_regions_of_the_images() -> None:
    keys = [
        made.key
        for region in (None, "us-east-1", "eu-west-1")
        if (made := channel(region_name=region)) is not None
    ]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    other = channel(aws_conn_id="aws_other")
    assert other is not None
    assert other.key != keys[0]


def test_the_queue_is_read_with_the_connection_of_the_waits() -> None:
    hook = QueueHook(aws_conn_id="aws_other", region_name="eu-west-1", config={"read_timeout": 7})
    assert (hook.client_type, hook.aws_conn_id, hook._region_name) == ("sqs", "aws_other", "eu-west-1")
    assert hook._config.read_timeout == 7


@pytest.mark.asyncio
async def test_a_trigger_listens_only_if_the_option_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    async with deferred_trigger().watcher() as watcher:
        assert watcher._hints is None
    monkeypatch.setenv("AIRFLOW__IMAGEBUILDER__QUEUE_URL", URL)
    async with deferred_trigger().watcher() as one, deferred_trigger(poll_interval=7).watcher() as two:
        assert one is not two
        assert one._hints is not None
        assert two._hints is not None
        assert one._hints._channel.key == two._hints._channel.key


@pytest.mark.asyncio
async def test_a_wait_on_a_worker_takes_no_messages_of_a_triggerer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__IMAGEBUILDER__QUEUE_URL", URL)
    async with image_trigger().watcher() as watcher:
        assert watcher._hints is None
