"""The AWS CLI: a build from its documents to its AMIs, pages, waits of people, and refusals."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.conftest import INSTALLED, found, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.clients]
AWS = "arn:aws:imagebuilder:us-east-1:aws"
COMPONENT = """name: own
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: Run, action: ExecuteBash, inputs: {commands: ['true']}}
"""
WORKFLOW = """schemaVersion: 1.0
parameters:
  - {name: ask, type: boolean, default: true}
steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - {name: Make, action: CreateImage, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - name: Ask
    action: WaitForAction
    if: {booleanEquals: true, value: $.parameters.ask}
outputs:
  - {name: ImageId, value: $.stepOutputs.Make.imageId}
"""


@pytest.fixture(scope="module")
def aws(environment: dict[str, str]) -> Callable[..., Any]:
    """Call ``aws imagebuilder`` (or another service) and return its JSON, or the text of its refusal."""
    program = found("aws", INSTALLED / "aws" / "bin")

    def call(*arguments: str, service: str = "imagebuilder") -> Any:
        code, output = run(program, service, *arguments, "--output", "json", environment=environment)
        return (json.loads(output) if output.strip() else None) if code == 0 else output

    return call


@pytest.fixture(scope="module")
def made(aws: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make what a build needs, from files as people do."""
    folder: Path = tmp_path_factory.mktemp("documents")
    (folder / "component.yaml").write_text(COMPONENT)
    (folder / "workflow.yaml").write_text(WORKFLOW)
    version = ("--semantic-version", "1.0.0")
    component = aws(
        *("create-component", "--name", "own", *version, "--platform", "Linux"),
        *("--data", f"file://{folder / 'component.yaml'}"),
    )["componentBuildVersionArn"]
    workflow = aws(
        *("create-workflow", "--name", "own", *version, "--type", "BUILD"),
        *("--data", f"file://{folder / 'workflow.yaml'}"),
    )["workflowBuildVersionArn"]
    recipe = aws(
        *("create-image-recipe", "--name", "own", "--semantic-version", "1.0.x"),
        *("--parent-image", f"{AWS}:image/amazon-linux-2023-x86/x.x.x"),
        *("--components", f"componentArn={component}", f"componentArn={AWS}:component/update-linux/x.x.x"),
    )["imageRecipeArn"]
    return {"component": component, "workflow": workflow, "recipe": recipe}


INFRASTRUCTURE = "arn:aws:imagebuilder:us-east-1:123456789012:infrastructure-configuration/golden-build"


def eventually(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return the first true answer."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, "it did not come"
    return seen


def test_a_build_waits_for_a_person_and_then_has_its_ami(
    aws: Callable[..., Any], made: dict[str, str]
) -> None:
    arn = aws(
        *("create-image", "--image-recipe-arn", made["recipe"]),
        *("--infrastructure-configuration-arn", INFRASTRUCTURE, "--execution-role", "ImageBuilderExecution"),
        *(
            "--workflows",
            f"workflowArn={made['workflow']}",
            f"workflowArn={AWS}:workflow/test/test-image/x.x.x",
        ),
    )["imageBuildVersionArn"]
    (step,) = eventually(lambda: aws("list-waiting-workflow-steps")["steps"])
    assert step["imageBuildVersionArn"] == arn
    aws(
        *("send-workflow-step-action", "--step-execution-id", step["stepExecutionId"], "--action", "RESUME"),
        *("--image-build-version-arn", arn, "--reason", "good"),
    )

    def finished() -> Any:
        image = aws("get-image", "--image-build-version-arn", arn)["image"]
        return image if image["state"]["status"] in ("AVAILABLE", "FAILED") else None

    image = eventually(finished)
    assert image["state"] == {"status": "AVAILABLE"}
    (ami,) = image["outputResources"]["amis"]
    (shown,) = aws("describe-images", "--image-ids", ami["image"], service="ec2")["Images"]
    assert {"Key": "Ec2ImageBuilderArn", "Value": arn} in shown["Tags"]
    runs = aws("list-workflow-executions", "--image-build-version-arn", arn)["workflowExecutions"]
    assert [(run["type"], run["status"]) for run in runs] == [("BUILD", "COMPLETED"), ("TEST", "COMPLETED")]
    steps = aws("list-workflow-step-executions", "--workflow-execution-id", runs[0]["workflowExecutionId"])
    assert [s["name"] for s in steps["steps"]] == ["Launch", "Make", "Ask"]
    assert json.loads(steps["steps"][2]["outputs"]) == {"action": "RESUME", "reason": "good"}


def test_pages_are_followed(aws: Callable[..., Any]) -> None:
    whole = aws("list-components", "--owner", "Amazon", "--query", "componentVersionList[].arn")
    small = aws(
        *("list-components", "--owner", "Amazon", "--page-size", "7", "--query", "componentVersionList[].arn")
    )
    assert whole == small
    assert len(whole) == len(set(whole)) > 100
    first = aws("list-images", "--owner", "Amazon", "--max-items", "2")
    assert len(first["imageVersionList"]) == 2
    rest = aws("list-images", "--owner", "Amazon", "--starting-token", first["NextToken"])
    assert first["imageVersionList"][0] not in rest["imageVersionList"]


def test_filters_narrow_a_list(aws: Callable[..., Any]) -> None:
    given = ("list-images", "--owner", "Amazon", "--filters", "name=platform,values=Windows,macOS")
    assert set(aws(*given, "--query", "imageVersionList[].platform")) == {"Windows", "macOS"}


def test_a_pipeline_is_made_started_changed_and_removed(
    aws: Callable[..., Any], made: dict[str, str]
) -> None:
    given = (
        *("--image-recipe-arn", made["recipe"], "--infrastructure-configuration-arn", INFRASTRUCTURE),
        *("--schedule", "scheduleExpression=cron(0 6 ? * MON *),timezone=Europe/Berlin"),
    )
    arn = aws("create-image-pipeline", "--name", "own", *given)["imagePipelineArn"]
    pipeline = aws("get-image-pipeline", "--image-pipeline-arn", arn)["imagePipeline"]
    assert (pipeline["status"], pipeline["platform"]) == ("ENABLED", "Linux")
    assert pipeline["dateNextRun"]
    started = aws("start-image-pipeline-execution", "--image-pipeline-arn", arn)["imageBuildVersionArn"]
    images = aws("list-image-pipeline-images", "--image-pipeline-arn", arn)["imageSummaryList"]
    assert [image["arn"] for image in images] == [started]
    aws("update-image-pipeline", "--image-pipeline-arn", arn, *given, "--status", "DISABLED")
    assert aws("get-image-pipeline", "--image-pipeline-arn", arn)["imagePipeline"]["status"] == "DISABLED"
    aws("delete-image-pipeline", "--image-pipeline-arn", arn)
    assert "ResourceNotFoundException" in aws("get-image-pipeline", "--image-pipeline-arn", arn)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("get-image", "--image-build-version-arn", f"{AWS}:image/nothing/1.0.0"),
            "ResourceNotFoundException",
        ),
        (("get-image", "--image-build-version-arn", "nothing"), "must match pattern"),
        (
            (
                *("create-component", "--name", "own", "--semantic-version", "1.0.0", "--platform", "Linux"),
                *("--data", COMPONENT),
            ),
            "ResourceAlreadyExistsException",
        ),
        (
            (
                *("create-component", "--name", "dry", "--semantic-version", "1.0.0", "--platform", "Linux"),
                *("--data", COMPONENT, "--dry-run"),
            ),
            "DryRunOperationException",
        ),
    ],
    ids=["unknown", "pattern", "identical", "dry run"],
)
def test_a_refusal_has_its_code(
    aws: Callable[..., Any], made: dict[str, str], arguments: tuple[str, ...], words: str
) -> None:
    assert made
    answer = aws(*arguments)
    assert isinstance(answer, str)
    assert words in answer


@pytest.mark.parametrize(
    "operation",
    [
        *("list-distribution-configurations", "list-infrastructure-configurations", "list-image-recipes"),
        *("list-container-recipes", "list-image-pipelines", "list-lifecycle-policies", "list-workflows"),
        *("list-image-scan-findings", "list-image-scan-finding-aggregations", "list-waiting-workflow-steps"),
    ],
)
def test_a_list_without_arguments_is_answered(aws: Callable[..., Any], operation: str) -> None:
    assert isinstance(aws(operation), dict)
