"""What our Dags need in the account. On AWS, Terraform makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_imagebuilder.testing import ImageBuilder

AMAZON = "arn:aws:imagebuilder:us-east-1:aws"
TEST = """
name: NAME
schemaVersion: 1.0
steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - name: Test
    action: RunCommand
    inputs:
      instanceId.$: $.stepOutputs.Launch.instanceId
      documentName: AWS-RunShellScript
      parameters: {commands: [/opt/tests/NAME.sh]}
  - name: Terminate
    action: TerminateInstance
    onFailure: Continue
    inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}
"""


@pytest.fixture(autouse=True)
def resources(image_builder: ImageBuilder) -> None:
    """Create the recipe, the infrastructure configuration and the test workflows of the Dag web_base."""
    imagebuilder = image_builder.client("imagebuilder")
    imagebuilder.create_image_recipe(
        name="web-base",
        semanticVersion="1.0.0",
        parentImage=f"{AMAZON}:image/amazon-linux-2023-x86/x.x.x",
        components=[
            {"componentArn": f"{AMAZON}:component/amazon-cloudwatch-agent-linux/x.x.x"},
        ],
    )
    image_builder.client("iam").create_instance_profile(InstanceProfileName="web-base")
    imagebuilder.create_infrastructure_configuration(name="web-base", instanceProfileName="web-base")
    for name in ("web-starts", "web-answers"):
        imagebuilder.create_workflow(
            name=name, semanticVersion="1.0.0", type="TEST", data=TEST.replace("NAME", name)
        )
