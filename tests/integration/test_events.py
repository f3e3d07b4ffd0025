"""A real triggerer that listens: it sees the ends that a queue announces, and a restart of it loses none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.image_builder import LocalService
from tests.integration.bakes import Run, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
PATTERN = Path(__file__).parents[2] / "docs" / "how-to" / "events" / "event-pattern.json"
IMAGES = 3


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A local service in which an image takes about 10 seconds: more than the first poll takes to come."""
    with LocalService(speed=60, home=tmp_path_factory.mktemp("imagebuilder")) as made:
        made.control(
            durations={"pending": 1, "creating": 1, "build": 500, "test": 60, "distribution": 40, "gap": 0}
        )
        yield made


@pytest.fixture(scope="module")
def queue(service: LocalService) -> str:
    """The URL of a queue that announces the ends."""
    sqs, events = service.client("sqs"), service.client("events")
    url: str = sqs.create_queue(QueueName="imagebuilder-live")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    events.put_rule(Name="imagebuilder-ends", EventPattern=PATTERN.read_text("utf-8"))
    events.put_targets(Rule="imagebuilder-ends", Targets=[{"Id": "queue", "Arn": found["QueueArn"]}])
    return url


@pytest.fixture(scope="module")
def listening(
    service: LocalService, queue: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowStack]:
    """An Airflow whose triggerer reads the queue."""
    env = {**service.env, "AIRFLOW__IMAGEBUILDER__QUEUE_URL": queue}
    dags = Path(__file__).parent / "dags"
    with AirflowStack(tmp_path_factory.mktemp("airflow"), dags, env) as stack:
        yield stack


def tasks(run: Run, *states: str) -> bool:
    """Return whether all of the images' tasks are in one of the states."""
    found = [run.states().get(f"image[{number}]") for number in range(IMAGES)]
    return all(state in states for state in found)


def test_a_triggerer_hears_the_ends_and_a_restart_of_it_loses_none(
    listening: AirflowStack, service: LocalService, queue: str
) -> None:
    heard = Run.start(listening.api, "listening")
    until(lambda: tasks(heard, "success"), seconds=90)
    images = service.records()["images"]
    assert [one["status"] for one in images] == ["AVAILABLE"] * IMAGES
    # One poll at the beginning, the event's, and the answer to the worker: nothing was polled in between.
    assert service.records()["calls"]["GetImage"]["total"] <= 5 * IMAGES

    again = Run.start(listening.api, "listening")
    until(lambda: tasks(again, "deferred"), seconds=60)
    listening.kill("triggerer")
    ended = "AVAILABLE"
    until(lambda: all(one["status"] == ended for one in service.records()["images"]), seconds=60)
    listening.launch("triggerer")
    until(lambda: tasks(again, "success"), seconds=120)
    sqs = service.client("sqs")
    names = ["ApproximateNumberOfMessages"]
    until(
        lambda: sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"][names[0]] == "0"
    )
