"""The Terraform of docs/how-to/events: it applies, leaves nothing to plan, and fans out beyond five."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import found
from tests.clients.test_terraform import Stack

if TYPE_CHECKING:
    from tests.support.process import Process

pytestmark = [pytest.mark.integration, pytest.mark.clients]
FILE = Path(__file__).parents[2] / "docs" / "how-to" / "events" / "main.tf"
PROVIDER = """
provider "aws" {
  region                      = "us-east-1"
  skip_metadata_api_check     = true
  skip_credentials_validation = true
}
"""
SEVEN = "triggerers=" + json.dumps([f"airflow-triggerer-{number}" for number in range(7)])


@pytest.fixture(scope="module")
def stack(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Make the queues of two triggerers."""
    found("terraform")
    plugins = os.environ.get("TERRAFORM_PLUGINS")
    if not plugins:
        pytest.skip("TERRAFORM_PLUGINS does not name the folder of the provider hashicorp/aws")
    folder = tmp_path_factory.mktemp("terraform")
    shutil.copy(FILE, folder)
    (folder / "provider.tf").write_text(PROVIDER)
    made = Stack(folder, environment)
    code, output = made.terraform("init", "-no-color", f"-plugin-dir={plugins}")
    assert code == 0, output
    made.apply()
    return made


def urls(stack: Stack) -> dict[str, str]:
    code, output = stack.terraform("output", "-json", "queue_urls")
    assert code == 0, output
    found: dict[str, str] = json.loads(output)
    return found


def ends_of(service: Process, url: str) -> list[str]:
    """Return the images whose ends a queue announces within ten seconds."""
    answer = service.client("sqs", read_timeout=40).receive_message(
        QueueUrl=url, WaitTimeSeconds=10, MaxNumberOfMessages=10
    )
    return [json.loads(one["Body"])["resources"][0] for one in answer.get("Messages", ())]


def bake(service: Process) -> str:
    head = "arn:aws:imagebuilder:us-east-1:123456789012:"
    answer = service.client().create_image(
        imageRecipeArn=f"{head}image-recipe/golden-al2023/1.0.0",
        infrastructureConfigurationArn=f"{head}infrastructure-configuration/golden-build",
    )
    arn: str = answer["imageBuildVersionArn"]
    service.wait(arn)
    return arn


def left_to_plan(stack: Stack, *arguments: str) -> list[str]:
    """Return the changes of a plan, but for the spaces that moto writes into a redrive policy."""
    _, output = stack.terraform("plan", "-no-color", *arguments)
    changes = re.findall(
        r"^ +[~+-] (?!resource)(.*)$", output.partition("perform the following")[2], re.MULTILINE
    )
    return [line for line in changes if not line.endswith("jsonencode( # whitespace changes")]


def test_it_is_formatted_and_nothing_is_left_to_plan(stack: Stack) -> None:
    assert stack.terraform("fmt", "-check", "-diff")[0] == 0
    assert left_to_plan(stack) == []
    assert "visibility_timeout_seconds" in " ".join(left_to_plan(stack, "-var", SEVEN))


def test_each_triggerer_has_a_queue_that_announces_an_end(stack: Stack, service: Process) -> None:
    arn = bake(service)
    assert sorted(urls(stack)) == ["airflow-triggerer-0", "airflow-triggerer-1"]
    assert [ends_of(service, url) for url in urls(stack).values()] == [[arn], [arn]]


def test_seven_triggerers_are_reached_through_a_topic(stack: Stack, service: Process) -> None:
    stack.apply("-var", SEVEN)
    assert left_to_plan(stack, "-var", SEVEN) == []
    assert len(urls(stack)) == 7
    # moto's rules have no topics as targets, so the test publishes what the rule would.
    [topic] = service.client("sns").list_topics()["Topics"]
    targets = service.client("events").list_targets_by_rule(Rule="imagebuilder-ends")["Targets"]
    assert [one["Arn"] for one in targets] == [topic["TopicArn"]]
    event = json.dumps({"resources": ["published"]})
    service.client("sns").publish(TopicArn=topic["TopicArn"], Message=event)
    assert all(ends_of(service, url)[-1] == "published" for url in urls(stack).values())
