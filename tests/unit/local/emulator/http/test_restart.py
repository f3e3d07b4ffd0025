from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bench import image_request
from tests.support.process import Process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def test_a_killed_service_continues_its_builds_after_a_restart(tmp_path: Path) -> None:
    arguments = ("--speed", "0", "--state", str(tmp_path / "state.jsonl"))
    process = Process(*arguments)
    with process:
        client = process.client()
        done = client.create_image(**image_request(), clientToken="done")["imageBuildVersionArn"]
        process.control(advance=100_000)
        before = process.wait(done)
        arns = [
            client.create_image(**image_request(), clientToken=f"t{number}")["imageBuildVersionArn"]
            for number in range(5)
        ]
        process.control(advance=700)
        client.cancel_image_creation(imageBuildVersionArn=arns[0], clientToken="cancel")
        runs = client.list_workflow_executions(imageBuildVersionArn=arns[1])["workflowExecutions"]
        process.kill()
    with process:
        client = process.client()
        assert process.wait(done) == before
        assert client.list_workflow_executions(imageBuildVersionArn=arns[1])["workflowExecutions"] == runs
        again = client.create_image(**image_request(), clientToken="t2")["imageBuildVersionArn"]
        assert again == arns[2]
        process.control(advance=100_000)
        ends = [process.wait(arn)["state"]["status"] for arn in arns]
        assert ends == ["CANCELLED"] + ["AVAILABLE"] * 4
        for ami in before["outputResources"]["amis"]:
            found = process.client("ec2", ami["region"]).describe_images(ImageIds=[ami["image"]])["Images"]
            assert [each["Name"] for each in found] == [ami["name"]]


def test_builds_continue_while_the_service_is_down(tmp_path: Path) -> None:
    process = Process("--speed", "3000", "--state", str(tmp_path / "state.jsonl"))
    with process:
        arn = process.client().create_image(**image_request())["imageBuildVersionArn"]
        process.kill()
    with process:
        assert process.wait(arn, seconds=10)["state"]["status"] == "AVAILABLE"
        assert len(process.records()["images"]) == 1
