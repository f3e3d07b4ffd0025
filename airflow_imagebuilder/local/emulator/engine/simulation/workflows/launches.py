"""Launches: what EC2 refuses when Image Builder launches an instance, or makes an image of one.

The guess LAUNCH_CHECKS: no document says that Image Builder checks these earlier. The texts are EC2's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Image, Step
    from airflow_imagebuilder.local.emulator.engine.world import World

_TEXTS = {
    "key pair": "InvalidKeyPair.NotFound: The key pair '{}' does not exist",
    "subnet": "InvalidSubnetID.NotFound: The subnet ID '{}' does not exist",
    "security group": "InvalidGroup.NotFound: The security group '{}' does not exist",
}


def refusal(image: Image, step: Step, world: World) -> str | None:
    """Return why EC2 refuses a step: its instance cannot be launched, or does not run; else None."""
    if step.planned.action == "CreateImage":
        return _not_running(image, step.inputs.get("instanceId"), world)
    if step.planned.action != "LaunchInstance":
        return None
    infrastructure = image.infrastructure
    wanted = [
        ("key pair", infrastructure.get("keyPair")),
        ("subnet", infrastructure.get("subnetId")),
        *(("security group", group) for group in infrastructure.get("securityGroupIds", ())),
    ]
    for kind, name in wanted:
        if name and not world.has(image.region, kind, name):
            return _TEXTS[kind].format(name)
    return None


def _not_running(image: Image, instance: object, world: World) -> str | None:
    """Return why no image can be made: guide, "CreateImage": the instance is in a running state."""
    launched = {
        step.outputs.get("instanceId")
        for execution in image.executions
        for step in execution.steps
        if step.planned.action == "LaunchInstance"
    }
    if instance in launched or world.has(image.region, "instance", str(instance)):
        return None
    return f"InvalidInstanceID.NotFound: The instance ID '{instance}' does not exist"
