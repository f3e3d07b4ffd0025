"""Terraform's AWS provider: apply, empty plan, change, replacement, import, destroy, and every data source.

The provider is read from the folder in ``TERRAFORM_PLUGINS``, as ``terraform init -plugin-dir`` takes it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.conftest import found, run

if TYPE_CHECKING:
    from tests.support.process import Process

pytestmark = [pytest.mark.integration, pytest.mark.clients]
CHANGED = 2
RESOURCES = (
    *("component.own", "component.test", "component.spare", "workflow.build", "workflow.test", "image.own"),
    *("image_recipe.own", "container_recipe.own", "infrastructure_configuration.own", "lifecycle_policy.own"),
    *("distribution_configuration.own", "image_pipeline.own", "image_pipeline.container"),
)


@dataclass
class Stack:
    """A folder with the configuration and its state."""

    folder: Path
    environment: dict[str, str]

    def terraform(self, *arguments: str) -> tuple[int, str]:
        return run("terraform", *arguments, environment=self.environment, folder=self.folder)

    def apply(self, *arguments: str) -> str:
        code, output = self.terraform("apply", "-no-color", "-auto-approve", *arguments)
        assert code == 0, output
        return output

    def plan(self, *arguments: str) -> tuple[int, list[str]]:
        """Return the exit code of a plan, and its lines about resources, without data sources."""
        code, output = self.terraform("plan", "-no-color", "-detailed-exitcode", *arguments)
        lines = re.findall(r"^  # (aws_\S+ (?:will|must) be .*)$", output, re.MULTILINE)
        return code, lines if code in (0, CHANGED) else [output]

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the attributes of every managed resource, by its address."""
        code, output = self.terraform("show", "-json")
        assert code == 0, output
        resources = json.loads(output)["values"]["root_module"]["resources"]
        return {item["address"]: item["values"] for item in resources if item["mode"] == "managed"}


@pytest.fixture(scope="module")
def stack(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Make everything once."""
    found("terraform")
    plugins = os.environ.get("TERRAFORM_PLUGINS")
    if not plugins:
        pytest.skip("TERRAFORM_PLUGINS does not name the folder of the provider hashicorp/aws")
    folder = tmp_path_factory.mktemp("terraform")
    shutil.copy(Path(__file__).parent / "terraform" / "main.tf", folder)
    made = Stack(folder, environment)
    code, output = made.terraform("init", "-no-color", f"-plugin-dir={plugins}")
    assert code == 0, output
    made.apply()
    return made


def test_everything_is_made_and_nothing_is_left_to_plan(stack: Stack) -> None:
    assert {f"aws_imagebuilder_{name}" for name in RESOURCES} <= set(stack.state())
    assert stack.plan() == (0, [])


def test_the_data_sources_find_what_there_is(stack: Stack) -> None:
    code, output = stack.terraform("output", "-json", "found")
    assert code == 0, output
    assert json.loads(output) == {
        "component_type": "BUILD",
        "windows": True,
        "test_type": "TEST",
        "managed_image": "Amazon Linux 2",
        "own_system": "Amazon Linux 2023",
        "amis": ["eu-west-1", "us-east-1"],
        "recipe": "Linux",
        "recipes": ["own"],
        "container": "DOCKER",
        "infrastructure": ["own"],
        "distribution": ["own"],
        "pipelines": ["own"],
        "pipeline": "ENABLED",
        "platform": "Linux",
    }


def test_a_change_is_made_in_place_and_nothing_is_left_to_plan(stack: Stack) -> None:
    code, lines = stack.plan("-var", "note=second")
    assert code == CHANGED
    assert len(lines) == 8
    assert all(line.endswith("will be updated in-place") for line in lines)
    assert "0 added, 8 changed, 0 destroyed" in stack.apply("-var", "note=second")
    assert stack.plan("-var", "note=second") == (0, [])
    stack.apply()


def test_a_component_with_another_document_is_replaced(stack: Stack) -> None:
    before = stack.state()["aws_imagebuilder_component.spare"]["arn"]
    code, lines = stack.plan("-var", "command=exit 0")
    assert (code, lines) == (CHANGED, ["aws_imagebuilder_component.spare must be replaced"])
    assert "1 added, 0 changed, 1 destroyed" in stack.apply("-var", "command=exit 0")
    after = stack.state()["aws_imagebuilder_component.spare"]["arn"]
    assert (before[:-2], before != after) == (after[:-2], True)
    stack.apply()


def test_every_resource_is_imported_as_it_was_made(stack: Stack) -> None:
    made = {address: values["id"] for address, values in stack.state().items()}
    addresses = [f"aws_imagebuilder_{name}" for name in RESOURCES]
    code, output = stack.terraform("state", "rm", *addresses)
    assert code == 0, output
    blocks = [f'import {{\n  to = {address}\n  id = "{made[address]}"\n}}\n' for address in addresses]
    (stack.folder / "imports.tf").write_text("".join(blocks))
    output = stack.apply()
    assert f"{len(addresses)} imported, 0 added" in output
    assert "0 destroyed" in output
    (stack.folder / "imports.tf").unlink()
    assert {address: values["id"] for address, values in stack.state().items()} == made
    assert stack.plan() == (0, [])


def test_everything_is_removed(stack: Stack, service: Process) -> None:
    image = stack.state()["aws_imagebuilder_image.own"]["id"]
    code, output = stack.terraform("destroy", "-no-color", "-auto-approve")
    assert code == 0, output
    client = service.client("imagebuilder")
    # The schedules of the pipelines have made others, which Terraform does not know.
    assert image not in [found["arn"] for found in client.list_image_build_versions()["imageSummaryList"]]
    assert client.list_image_pipelines()["imagePipelineList"] == []
    assert client.list_lifecycle_policies()["lifecyclePolicySummaryList"] == []
    for listed in (client.list_components, client.list_workflows):
        items = next(value for value in listed().values() if isinstance(value, list))
        assert not [item["name"] for item in items if item["name"].lower().startswith("own")]
