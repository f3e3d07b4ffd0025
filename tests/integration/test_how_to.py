"""The Dags of the how-to pages: what needs a whole Airflow."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.bakes import until
from tests.integration.lacks import deadlines

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.stack.airflow_client import AirflowApi
    from airflow_imagebuilder.local.stack.image_builder import LocalService
    from tests.integration.conftest import RunDag


@pytest.fixture
def inbox(local_service: LocalService) -> Callable[[], list[dict[str, str]]]:
    """The messages that came to the topic of notifications.py, through a queue of it."""
    sns, sqs = (local_service.client(name, "us-east-1") for name in ("sns", "sqs"))
    topic = sns.create_topic(Name="golden-images")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox-of-how-to")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    came: list[dict[str, str]] = []

    def read() -> list[dict[str, str]]:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            came.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return came

    return read


@pytest.mark.integration
def test_the_messages_of_a_run_come_from_its_worker_and_from_the_dag_processor(
    run_dag: RunDag, inbox: Callable[[], list[dict[str, str]]]
) -> None:
    run = run_dag("image_with_messages", {"recipe": "does-not-exist/1.0.0"})

    until(lambda: len(inbox()) >= 2, 90)

    messages = {message["Subject"]: message["Message"] for message in inbox()}
    refused = messages["image_with_messages: golden.create_image failed"]
    assert "does-not-exist" in refused.splitlines()[0]
    assert "/dags/image_with_messages/runs/manual__" in refused
    whole = messages["image_with_messages: the run failed"]
    assert whole.splitlines()[0] == "task_failure"
    assert run.wait() == "failed"


@pytest.mark.integration
def test_dags_of_the_pages_run_as_they_are_and_a_pool_bounds_their_images(
    api: AirflowApi, run_dag: RunDag, local_service: LocalService
) -> None:
    pool: dict[str, Any] = {"name": "golden_images", "slots": 1, "include_deferred": True}
    api.call("POST", "pools", json=pool)
    runs = {
        dag_id: run_dag(dag_id, conf)
        for dag_id, conf in (
            ("images_by_list", None),
            ("golden_each_night", None),
            ("image_on_request", {"reason": "OPS-4711"}),
            ("bake_container", None),
            ("image_with_deadline", None),
            ("clean_up_images", {"keep": 1, "delete": True}),
        )
    }
    assert {dag_id: run.wait(180) for dag_id, run in runs.items()} == dict.fromkeys(runs, "success")

    # The images of the service are of a moment that Airflow's clock has not reached.
    assert runs["clean_up_images"].xcom("delete") == []
    built = {runs["images_by_list"].xcom("bake", "image_build_version_arn", index) for index in range(3)}
    spans = sorted(
        (image["history"][0]["virtual"], image["history"][-1]["virtual"])
        for image in local_service.records()["images"]
        if image["arn"] in built
    )
    assert len(spans) == 3
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


@deadlines
@pytest.mark.integration
def test_a_deadline_sends_its_messages_while_the_run_continues(
    run_dag: RunDag, inbox: Callable[[], list[dict[str, str]]]
) -> None:
    run = run_dag("late")

    late = until(lambda: [each for each in inbox() if each["Subject"] == "A golden image is late"], 60)

    assert late[0]["Message"] == f"The run {run.run_id} of late is late. It continues."
    assert run.wait() == "success"
