"""InfrastructureRules: what AWS refuses in an infrastructure configuration beside what the model says.

Sources: API reference, CreateInfrastructureConfiguration (``subnetId``, ``snsTopicArn``, ``resourceTags``,
``placement``); AWS's skill for Image Builder for the text about the instance profile. Key pair,
subnet and security groups are checked when an instance is launched (:mod:`...simulation.workflows.launches`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_combination, invalid_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.emulator.engine.state import Doc
    from airflow_imagebuilder.local.emulator.engine.world import World

_OWN_TAGS = frozenset({"CreatedBy", "Ec2ImageBuilderArn", "Name", "Tags"})


def check(configuration: Doc, region: str, world: World) -> None:
    """Check a configuration that is created or updated.

    :raises ApiError: AWS does not take it; the error names the first fault.
    """
    for refusal in _faults(configuration, region, world):
        raise refusal


def _faults(configuration: Doc, region: str, world: World) -> Iterator[ApiError]:
    if configuration.get("subnetId") and not configuration.get("securityGroupIds"):
        yield invalid_combination("securityGroupIds is required when subnetId is specified.")
    for key in configuration.get("resourceTags", {}):
        if key in _OWN_TAGS:
            yield invalid_value("resourceTags", f"The tag key '{key}' is reserved.")
    placement = configuration.get("placement", {})
    hosts = [name for name in ("hostId", "hostResourceGroupArn") if placement.get(name)]
    if len(hosts) > 1:
        yield invalid_combination("placement has hostId or hostResourceGroupArn, not both.")
    if hosts and placement.get("tenancy") != "host":
        yield invalid_combination(f"placement.{hosts[0]} needs the tenancy 'host'.")
    profile = configuration["instanceProfileName"]
    if not world.has(region, "instance profile", profile):
        yield invalid_value("instanceProfileName", "The provided instance profile does not exist.")
    topic = configuration.get("snsTopicArn")
    if topic and not world.has(region, "topic", topic):
        yield invalid_value("snsTopicArn", f"The topic '{topic}' does not exist.")
