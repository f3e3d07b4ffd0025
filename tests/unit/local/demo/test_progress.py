"""The progress of a bake: workflows in the order of the request, AMIs as EC2 has them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.demo.progress import Progress, amis_in_ec2, read_progress
from airflow_imagebuilder.service.results.image import Ami

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/golden/1.0.0/1"
WORKFLOW = "arn:aws:imagebuilder:us-east-1:123456789012:workflow/"


class ImageBuilder:
    """Answers GetImage and ListWorkflowExecutions as boto3 does."""

    def __init__(self, planned: list[dict[str, str]], executions: list[dict[str, Any]]) -> None:
        self.image = {
            "arn": ARN,
            "name": "golden",
            "version": "1.0.0/1",
            "state": {"status": "TESTING"},
            "workflows": planned,
        }
        self.executions = executions

    def get_image(self, **_: str) -> dict[str, Any]:
        return {"image": self.image}

    def get_paginator(self, _: str) -> ImageBuilder:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return [{"workflowExecutions": [execution]} for execution in self.executions]


def execution(name: str, status: str, **more: Any) -> dict[str, Any]:
    kind = name.split("/", maxsplit=1)[0].upper()
    return {"workflowBuildVersionArn": f"{WORKFLOW}{name}/1.0.0/1", "type": kind, "status": status, **more}


def planned(name: str, **more: str) -> dict[str, str]:
    return {"workflowArn": f"{WORKFLOW}{name}/1.0.0/1", **more}


def shown(progress: Progress) -> list[tuple[str, str, str]]:
    return [(item.name, item.parallel_group or "", item.status) for item in progress.workflows]


def test_workflows_are_in_the_order_of_the_request_whatever_the_order_of_the_executions() -> None:
    client = ImageBuilder(
        [planned("build/base"), planned("test/boot"), planned("test/users")],
        [execution("test/boot", "RUNNING"), execution("build/base", "COMPLETED")],
    )
    assert shown(read_progress(client, ARN)) == [
        ("base", "", "COMPLETED"),
        ("boot", "", "RUNNING"),
        ("users", "", "PENDING"),
    ]


def test_a_workflow_that_aws_adds_to_the_request_is_last() -> None:
    client = ImageBuilder(
        [planned("build/base")],
        [execution("distribution/copy", "PENDING"), execution("build/base", "RUNNING")],
    )
    assert shown(read_progress(client, ARN)) == [("base", "", "RUNNING"), ("copy", "", "PENDING")]


def test_an_execution_that_a_retry_replaced_is_left_out() -> None:
    client = ImageBuilder(
        [planned("test/boot")],
        [execution("test/boot", "FAILED", retried=True), execution("test/boot", "RUNNING")],
    )
    assert shown(read_progress(client, ARN)) == [("boot", "", "RUNNING")]


def test_a_workflow_that_is_in_two_groups_is_shown_once_per_group() -> None:
    client = ImageBuilder(
        [planned("test/boot", parallelGroup="a"), planned("test/boot", parallelGroup="b")],
        [execution("test/boot", "RUNNING", parallelGroup="b")],
    )
    assert shown(read_progress(client, ARN)) == [("boot", "a", "PENDING"), ("boot", "b", "RUNNING")]


def test_a_wildcard_version_in_the_request_finds_its_execution() -> None:
    client = ImageBuilder(
        [{"workflowArn": f"{WORKFLOW}build/base/x.x.x"}], [execution("build/base", "RUNNING")]
    )
    assert shown(read_progress(client, ARN)) == [("base", "", "RUNNING")]


@pytest.mark.parametrize(
    ("end", "seconds"), [("2026-01-01T00:02:30.500Z", 150.5), (None, None)], ids=["finished", "not finished"]
)
def test_the_duration_is_known_when_a_workflow_has_finished(end: str | None, seconds: float | None) -> None:
    times = {"startTime": "2026-01-01T00:00:00.000Z", "endTime": end}
    (workflow,) = read_progress(ImageBuilder([], [execution("test/boot", "RUNNING", **times)]), ARN).workflows
    assert workflow.duration == seconds


class Ec2:
    """The EC2 of one region."""

    def __init__(self, *images: str) -> None:
        self._images = images

    def describe_images(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS's name
        (wanted,) = Filters[0]["Values"]
        return {"Images": [{"State": "available"}] if wanted in self._images else []}


def test_an_ami_that_is_not_in_its_region_is_missing() -> None:
    amis = [
        Ami(region="us-east-1", image="ami-1", name="n"),
        Ami(region="eu-west-1", image="ami-1", name="n"),
    ]
    found = amis_in_ec2({"us-east-1": Ec2("ami-1"), "eu-west-1": Ec2("ami-2")}, amis)
    assert [ami.status for ami in found] == ["available", "missing"]


def test_tests_are_the_workflows_of_that_type_alone() -> None:
    client = ImageBuilder(
        [planned("build/base"), planned("test/boot"), planned("test/users")],
        [execution("build/base", "COMPLETED"), execution("test/boot", "RUNNING")],
    )
    tests = read_progress(client, ARN).tests
    assert [(test.name, test.status) for test in tests] == [("boot", "RUNNING"), ("users", "PENDING")]
