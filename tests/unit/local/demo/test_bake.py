"""What the demo shows of a bake: workflows in the plan's order, AMIs as EC2 has them, a line a change."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from airflow_imagebuilder.local.demo.bake import Bake, WorkflowRow, amis_in_ec2, look
from airflow_imagebuilder.local.demo.display import BakeView, Stages, ami_table, minutes, workflow_table

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/golden/1.0.0/1"
WORKFLOW = "arn:aws:imagebuilder:us-east-1:123456789012:workflow/"


class ImageBuilder:
    """Answers GetImage and ListWorkflowExecutions as boto3 does."""

    def __init__(self, planned: list[dict[str, str]], executions: list[dict[str, Any]]) -> None:
        self.image = {
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


def told(bake: Bake) -> list[tuple[str, str, str]]:
    return [(row.name, row.group, row.status) for row in bake.rows]


def test_workflows_stand_in_the_order_of_the_plan_whatever_the_order_of_the_executions() -> None:
    client = ImageBuilder(
        [planned("build/base"), planned("test/boot"), planned("test/users")],
        [execution("test/boot", "RUNNING"), execution("build/base", "COMPLETED")],
    )
    assert told(look(client, ARN)) == [
        ("base", "", "COMPLETED"),
        ("boot", "", "RUNNING"),
        ("users", "", "PENDING"),
    ]


def test_what_aws_adds_to_the_plan_stands_last() -> None:
    client = ImageBuilder(
        [planned("build/base")],
        [execution("distribution/copy", "PENDING"), execution("build/base", "RUNNING")],
    )
    assert told(look(client, ARN)) == [("base", "", "RUNNING"), ("copy", "", "PENDING")]


def test_an_execution_that_a_retry_has_replaced_is_left_out() -> None:
    client = ImageBuilder(
        [planned("test/boot")],
        [execution("test/boot", "FAILED", retried=True), execution("test/boot", "RUNNING")],
    )
    assert told(look(client, ARN)) == [("boot", "", "RUNNING")]


def test_a_workflow_that_is_in_two_groups_is_told_apart() -> None:
    client = ImageBuilder(
        [planned("test/boot", parallelGroup="a"), planned("test/boot", parallelGroup="b")],
        [execution("test/boot", "RUNNING", parallelGroup="b")],
    )
    assert told(look(client, ARN)) == [("boot", "a", "PENDING"), ("boot", "b", "RUNNING")]


def test_a_wildcard_version_in_the_plan_finds_its_execution() -> None:
    client = ImageBuilder(
        [{"workflowArn": f"{WORKFLOW}build/base/x.x.x"}], [execution("build/base", "RUNNING")]
    )
    assert told(look(client, ARN)) == [("base", "", "RUNNING")]


@pytest.mark.parametrize(
    ("end", "seconds"), [("2026-01-01T00:02:30.500Z", 150.5), (None, None)], ids=["ended", "not ended"]
)
def test_the_duration_is_known_when_a_workflow_has_ended(end: str | None, seconds: float | None) -> None:
    times = {"startTime": "2026-01-01T00:00:00.000Z", "endTime": end}
    (row,) = look(ImageBuilder([], [execution("test/boot", "RUNNING", **times)]), ARN).rows
    assert row.seconds == seconds


class Ec2:
    """The EC2 of one region."""

    def __init__(self, *images: str) -> None:
        self._images = images

    def describe_images(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS's name
        (wanted,) = Filters[0]["Values"]
        return {"Images": [{"State": "available"}] if wanted in self._images else []}


def test_an_ami_that_its_region_lacks_is_missing() -> None:
    amis = [
        {"region": "us-east-1", "image": "ami-1", "name": "n"},
        {"region": "eu-west-1", "image": "ami-1", "name": "n"},
    ]
    found = amis_in_ec2({"us-east-1": Ec2("ami-1"), "eu-west-1": Ec2("ami-2")}, amis)
    assert [ami["state"] for ami in found] == ["available", "missing"]


def bake(**statuses: str) -> Bake:
    rows = tuple(
        WorkflowRow(
            name=name,
            kind="TEST",
            group="",
            status=status,
            seconds=61 if status != "RUNNING" else None,
            message=status,
        )
        for name, status in statuses.items()
    )
    return Bake(arn=ARN, name="golden 1.0.0/1", status="TESTING", reason="", rows=rows, amis=())


def shown(*moments: tuple[str, dict[str, str | None], Bake | None], terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)
    with BakeView(console, Stages(console)) as view:
        for moment in moments:
            view.show(*moment)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return str(text)


def test_without_a_terminal_every_change_is_a_line_and_what_stays_is_none() -> None:
    lines = shown(
        ("running", {"image": None}, None),
        ("running", {"image": "deferred"}, bake(boot="RUNNING")),
        ("running", {"image": "deferred"}, bake(boot="RUNNING")),
        ("success", {"image": "success"}, bake(boot="COMPLETED")),
    ).splitlines()
    assert [line.split("] ")[1] for line in lines] == [
        "Dag run: running",
        "task image: deferred",
        "test boot: RUNNING",
        "image golden 1.0.0/1: TESTING  tests: 1 running, 0 of 1 done",
        "task image: success",
        "test boot: COMPLETED (1:01)",
        "Dag run: success",
    ]


def test_in_a_terminal_a_table_shows_the_moment() -> None:
    screen = shown(
        ("running", {"image": "deferred", "build": None}, bake(boot="RUNNING", users="FAILED")), terminal=True
    )
    assert "1 deferred, 1 waiting" in screen
    assert "tests: 1 running, 1 of 2 done" in screen
    assert "users: FAILED" in screen


def test_before_the_submit_a_terminal_shows_the_run_alone() -> None:
    assert "Dag run queued" in shown(("queued", {}, None), terminal=True)


def test_a_stage_that_fails_is_timed_too() -> None:
    console = Console(file=io.StringIO())
    stages = Stages(console)
    with pytest.raises(ZeroDivisionError), stages("divide"):
        _ = 1 / 0
    assert list(stages.table().columns[0].cells) == ["divide", "in all"]


def test_tables_have_a_row_for_each_thing() -> None:
    assert workflow_table(bake(boot="RUNNING", users="FAILED")).row_count == 2
    assert ami_table([{"region": "r", "image": "i", "name": "n", "state": "available"}]).row_count == 1


@pytest.mark.parametrize(("seconds", "text"), [(None, ""), (0, "0:00"), (59.9, "0:59"), (600, "10:00")])
def test_durations_are_minutes_and_seconds(seconds: float | None, text: str) -> None:
    assert minutes(seconds) == text
