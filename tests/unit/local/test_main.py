"""The AWS CLI against the local service, as a user at a terminal runs it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bench import HEAD, grouped
from tests.support.commands import completed
from tests.support.documents import WORKFLOW

if TYPE_CHECKING:
    from tests.support.process import Process

pytestmark = pytest.mark.integration
AWS = Path(sys.executable).parent / "aws"
STEPS = WORKFLOW


def _aws(server: Process, *arguments: str, code: int = 0) -> Any:
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": server.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    command = [sys.executable, str(AWS), "--output", "json", *arguments]
    done = completed(command, seconds=60, env=environment)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


def test_the_cli_makes_a_workflow_bakes_an_image_and_reads_its_amis(server: Process) -> None:
    made = _aws(
        server,
        *("imagebuilder", "create-workflow", "--name", "smoke", "--semantic-version", "1.0.0"),
        *("--type", "TEST", "--data", STEPS),
    )
    workflows = [*grouped()[:4], {"workflowArn": made["workflowBuildVersionArn"]}]
    arn = _aws(
        server,
        *("imagebuilder", "create-image", "--image-recipe-arn", f"{HEAD}image-recipe/golden-al2023/1.0.0"),
        *("--infrastructure-configuration-arn", f"{HEAD}infrastructure-configuration/golden-build"),
        *("--distribution-configuration-arn", f"{HEAD}distribution-configuration/golden-two-regions"),
        *("--execution-role", "ImageBuilderExecution", "--workflows", json.dumps(workflows)),
    )["imageBuildVersionArn"]
    image = _ended(server, arn)
    assert image["state"]["status"] == "AVAILABLE"
    listed = _aws(server, "imagebuilder", "list-workflow-executions", "--image-build-version-arn", arn)
    assert {run["status"] for run in listed["workflowExecutions"]} == {"COMPLETED"}
    assert len(listed["workflowExecutions"]) == 5
    run = listed["workflowExecutions"][0]["workflowExecutionId"]
    steps = _aws(server, "imagebuilder", "list-workflow-step-executions", "--workflow-execution-id", run)
    assert len(steps["steps"]) == 7
    for ami in image["outputResources"]["amis"]:
        shown = _aws(
            server, "ec2", "describe-images", "--region", ami["region"], "--image-ids", ami["image"]
        )["Images"]
        assert shown[0]["State"] == "available"


def _ended(server: Process, arn: str) -> dict[str, Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        image = _aws(server, "imagebuilder", "get-image", "--image-build-version-arn", arn)["image"]
        if image["state"]["status"] in ("AVAILABLE", "FAILED"):
            return dict(image)
    raise AssertionError(f"still {image['state']}")


def test_the_cli_shows_a_refusal_with_its_code(server: Process) -> None:
    refusal = _aws(
        server,
        *("imagebuilder", "get-image", "--image-build-version-arn", f"{HEAD}image/nothing/1.0.0/1"),
        code=255,
    )
    assert "ResourceNotFoundException" in refusal
