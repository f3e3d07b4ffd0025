"""Waits that listen on a real queue: moto's EventBridge, SNS and SQS behind the local service's port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.stack.image_builder import LocalService
from tests.support.arns import PREFIX
from tests.support.triggers import deferred_trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_imagebuilder.service.watcher.watcher import ImageWatcher

pytestmark = pytest.mark.integration
FILES = Path(__file__).parents[2] / "docs" / "how-to" / "events"
BUILD = 600
LIMIT = 60.0
"""Seconds; the next poll is after ten minutes, so that only an event can end a wait sooner."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A local service in which a build takes about a second."""
    with LocalService(speed=600, home=tmp_path_factory.mktemp("imagebuilder")) as made:
        made.control(
            durations={"pending": 1, "creating": 1, "build": BUILD, "test": 60, "distribution": 60, "gap": 0}
        )
        yield made


@pytest.fixture(autouse=True)
def aws(service: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local service is the AWS of every client."""
    for name, value in service.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW__IMAGEBUILDER__FIRST_LOOK", "0")


def text(name: str) -> str:
    return (FILES / name).read_text("utf-8")


class Account:
    """Applies the files of docs/how-to/events, as the page does."""

    def __init__(self, service: LocalService, *, quick: bool = True) -> None:
        self.sqs, self.sns = service.client("sqs"), service.client("sns")
        self.events = service.client("events")
        self.quick = {"VisibilityTimeout": "1"} if quick else {}

    def rule(self) -> None:
        self.events.put_rule(Name="imagebuilder-ends", EventPattern=text("event-pattern.json"))

    def queues(self) -> list[str]:
        """Make the dead-letter queue and a queue for each target, and return the URLs of the latter."""
        self.sqs.create_queue(
            QueueName="imagebuilder-dead-letters", Attributes=json.loads(text("dead-letter-queue.json"))
        )
        names = [target["Arn"].rpartition(":")[2] for target in json.loads(text("targets.json"))]
        return [self.queue(name) for name in names]

    def queue(self, name: str) -> str:
        attributes = {**json.loads(text("queue.json")), "Policy": text("queue-policy.json"), **self.quick}
        url: str = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url

    def targets(self, *urls: str) -> None:
        """Make the queues targets of the rule: all of the file, or only some."""
        names = [url.rpartition("/")[2] for url in urls]
        targets = [
            one
            for one in json.loads(text("targets.json"))
            if not urls or one["Arn"].rpartition(":")[2] in names
        ]
        answer = self.events.put_targets(Rule="imagebuilder-ends", Targets=targets)
        assert answer["FailedEntryCount"] == 0

    def topic(self, url: str, *, raw: bool) -> str:
        """Make the topic, subscribe one queue to it, and return its ARN."""
        topic: str = self.sns.create_topic(Name="imagebuilder-ends")["TopicArn"]
        self.sns.set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=text("topic-policy.json")
        )
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        self.sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"],
            Attributes={"RawMessageDelivery": "true"} if raw else {},
        )  # fmt: skip
        return topic

    def forward(self, url: str, topic: str) -> None:
        """Publish the next message of a queue: moto's rules have no topics as targets."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            for one in self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", ()):
                self.sns.publish(TopicArn=topic, Message=one["Body"])
                return

    def left(self, url: str) -> int:
        """Return how many messages a queue holds, delivered or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def remove(self) -> None:
        with contextlib.suppress(self.events.exceptions.ResourceNotFoundException):
            ids = [one["Id"] for one in self.events.list_targets_by_rule(Rule="imagebuilder-ends")["Targets"]]
            if ids:
                self.events.remove_targets(Rule="imagebuilder-ends", Ids=ids)
            self.events.delete_rule(Name="imagebuilder-ends")
        for one in self.sns.list_topics()["Topics"]:
            self.sns.delete_topic(TopicArn=one["TopicArn"])
        for url in self.sqs.list_queues().get("QueueUrls", ()):
            self.sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def account(service: LocalService) -> Iterator[Account]:
    made = Account(service)
    yield made
    made.remove()


def submit(service: LocalService) -> str:
    """Submit an image while the clock of the service is stopped; :func:`ends` lets it run on."""
    service.control(speed=0)
    arn: str = service.client("imagebuilder").create_image(
        imageRecipeArn=f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
        infrastructureConfigurationArn=f"{PREFIX}:infrastructure-configuration/golden-build",
    )["imageBuildVersionArn"]
    return arn


async def ends(service: LocalService, *waits: tuple[ImageWatcher, str]) -> list[str]:
    """Return the last status that each wait got. No image ends before all waits have seen it in progress."""
    seen: dict[str, list[str]] = {arn: [] for _, arn in waits}

    async def one(watcher: ImageWatcher, arn: str) -> str:
        async for snapshot in watcher.watch(arn):
            seen[arn].append(snapshot.status)
        return seen[arn][-1]

    waiting = asyncio.gather(*(one(*wait) for wait in waits))
    await until(lambda: all(seen.values()))
    assert not any("AVAILABLE" in statuses for statuses in seen.values())
    await asyncio.to_thread(service.control, speed=600)
    return await asyncio.wait_for(waiting, LIMIT)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + LIMIT
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < end, condition
        await asyncio.sleep(0.2)


def watching(url: str, monkeypatch: pytest.MonkeyPatch, interval: float = 600.0) -> Any:
    """Enter a trigger's watcher that listens to a queue, with Airflow's options in the environment."""
    monkeypatch.setenv("AIRFLOW__IMAGEBUILDER__QUEUE_URL", url)
    return deferred_trigger(aws_conn_id=None, region_name="us-east-1", poll_interval=interval).watcher()


@pytest.mark.asyncio
async def test_the_files_of_the_page_let_each_triggerer_see_an_end(
    service: LocalService, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.rule()
    urls = account.queues()
    account.targets()
    arns = [await asyncio.to_thread(submit, service) for _ in range(10)]
    async with watching(urls[0], monkeypatch) as one, watching(urls[1], monkeypatch) as two:
        assert one is not two
        waits = [(one if number % 2 else two, arn) for number, arn in enumerate(arns)]
        assert await ends(service, *waits) == ["AVAILABLE"] * 10
        await until(lambda: all(account.left(url) == 0 for url in urls))


@pytest.mark.asyncio
@pytest.mark.parametrize("raw", [True, False], ids=["raw", "wrapped"])
async def test_a_topic_may_be_between_rule_and_queue(
    raw: bool, service: LocalService, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.rule()
    url, beside = account.queues()
    account.targets(beside)
    topic = account.topic(url, raw=raw)
    arn = await asyncio.to_thread(submit, service)
    async with watching(url, monkeypatch) as watcher:
        forwarding = asyncio.create_task(asyncio.to_thread(account.forward, beside, topic))
        assert await ends(service, (watcher, arn)) == ["AVAILABLE"]
        await forwarding


@pytest.mark.asyncio
async def test_forged_foreign_and_broken_messages_end_no_wait_and_reach_the_dead_letter_queue(
    service: LocalService, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.rule()
    url = account.queues()[0]
    account.targets(url)
    arn = await asyncio.to_thread(submit, service)
    other = await asyncio.to_thread(held, service)
    forged: dict[str, Any] = {
        "version": "0", "id": "1", "source": "aws.imagebuilder", "account": "123456789012",
        "detail-type": "EC2 Image Builder Image State Change", "time": "2099-01-01T00:00:00Z",
        "region": "us-east-1", "resources": [arn], "detail": {"state": {"status": "FAILED"}},
    }  # fmt: skip
    broken = ["not json", "[]", json.dumps({**forged, "detail": None})]
    bodies = [json.dumps(forged), json.dumps({**forged, "source": "aws.ec2"}), *broken]
    for body in 20 * bodies:
        await asyncio.to_thread(account.sqs.send_message, QueueUrl=url, MessageBody=body)
    [dead] = [one for one in account.sqs.list_queues()["QueueUrls"] if one.endswith("dead-letters")]
    async with watching(url, monkeypatch) as watcher:
        # The reader ends with the last wait of its watcher, so another image keeps it.
        keeping = asyncio.create_task(first_of(watcher, other))
        assert await ends(service, (watcher, arn)) == ["AVAILABLE"]
        await until(lambda: account.left(dead) == 20 * len(broken) and account.left(url) == 0)
        await stopped(keeping)


@pytest.mark.asyncio
async def test_a_queue_that_is_deleted_in_mid_run_costs_one_warning_and_no_wait(
    service: LocalService,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = account.queues()[0]
    arn = await asyncio.to_thread(submit, service)
    other = await asyncio.to_thread(held, service)
    async with watching(url, monkeypatch, interval=1.0) as watcher:
        keeping = asyncio.create_task(first_of(watcher, other))
        await asyncio.to_thread(account.sqs.delete_queue, QueueUrl=url)
        await until(lambda: any("There is no such queue" in line for line in caplog.messages))
        assert await ends(service, (watcher, arn)) == ["AVAILABLE"]
        caplog.set_level(logging.INFO, "airflow_imagebuilder.service.events")
        await asyncio.to_thread(account.queue, url.rpartition("/")[2])
        await until(lambda: any("can be read again" in line for line in caplog.messages))
        await stopped(keeping)
    assert len([line for line in caplog.messages if "There is no such queue" in line]) == 1


@pytest.mark.asyncio
async def test_a_queue_that_is_not_there_costs_one_warning_and_no_wait(
    service: LocalService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    arn = await asyncio.to_thread(submit, service)
    async with watching(f"{service.url}/123456789012/nowhere", monkeypatch, interval=1.0) as watcher:
        assert await ends(service, (watcher, arn)) == ["AVAILABLE"]
    assert len([line for line in caplog.messages if "There is no such queue" in line]) == 1


@pytest.mark.asyncio
async def test_what_ended_while_no_triggerer_ran_is_seen_by_the_first_poll(
    service: LocalService, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.rule()
    url = account.queues()[0]
    account.targets(url)
    arns = [await asyncio.to_thread(submit, service) for _ in range(3)]
    async with watching(url, monkeypatch) as watcher:
        await asyncio.gather(*(first_of(watcher, arn, alone=True) for arn in arns))
    await asyncio.to_thread(service.control, speed=600)
    await until(lambda: all(statuses_of(service)[arn] == "AVAILABLE" for arn in arns))
    async with watching(url, monkeypatch) as watcher:
        seen = await asyncio.wait_for(
            asyncio.gather(*(first_of(watcher, arn, alone=True) for arn in arns)), LIMIT
        )
    assert seen == ["AVAILABLE"] * 3


async def first_of(watcher: ImageWatcher, arn: str, *, alone: bool = False) -> str:
    """
    Return the first status that a wait gets, or keep the wait.

    :param alone: whether to leave after the first status.
    """
    status = ""
    async with contextlib.aclosing(watcher.watch(arn)) as watch:
        async for snapshot in watch:
            status = status or snapshot.status
            if alone:
                break
    return status


async def stopped(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def statuses_of(service: LocalService) -> dict[str, str]:
    return {one["arn"]: one["status"] for one in service.records()["images"]}


def held(service: LocalService) -> str:
    """Submit an image that takes longer than any test."""
    service.control(durations={"build": 86400 * 400})
    try:
        return submit(service)
    finally:
        service.control(durations={"build": BUILD})
