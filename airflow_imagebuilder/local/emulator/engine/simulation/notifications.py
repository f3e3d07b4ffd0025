"""The message that Image Builder sends to the SNS topic of an infrastructure configuration.

Source: User Guide, "Amazon SNS integration in Image Builder", which shows one message at AVAILABLE and one at
FAILED. What the failed one lacks, this one lacks, too.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import identifiers
from airflow_imagebuilder.local.emulator.engine.operations.pagination import pick

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

#: Bits of each number in ``semver``, a number that sorts as the version does.
_SEMVER_BITS = 30
_RECIPE = (
    *("arn", "name", "version", "description", "components", "platform", "parentImage"),
    *("blockDeviceMappings", "dateCreated", "tags", "workingDirectory"),
)
_INFRASTRUCTURE = (
    *("arn", "name", "description", "instanceTypes", "instanceProfileName", "tags", "logging", "keyPair"),
    *("terminateInstanceOnFailure", "snsTopicArn", "dateCreated", "securityGroupIds", "subnetId"),
)
_DISTRIBUTION = ("arn", "name", "description", "dateCreated", "distributions", "tags")


def message(image: Image) -> Doc:
    """Return the message of an image that has finished."""
    doc = image.doc
    version, build = doc["version"].split("/")
    recipe = "imageRecipe" if image.is_ami else "containerRecipe"
    made = doc["state"]["status"] == "AVAILABLE"
    found: Doc = {
        "versionlessArn": "/".join(image.arn.split("/")[:2]),
        "semver": _semver(version),
        **pick(doc, ("arn", "name", "type", "platform", "sourcePipelineArn")),
        "version": version,
        "buildVersion": int(build),
        "state": pick(doc["state"], ("status", "reason")),
        recipe: _embedded(doc.get(recipe), _RECIPE),
        "infrastructureConfiguration": _embedded(doc.get("infrastructureConfiguration"), _INFRASTRUCTURE),
        "imageTestsConfigurationDocument": doc["imageTestsConfiguration"],
        "distributionConfiguration": _embedded(doc.get("distributionConfiguration"), _DISTRIBUTION),
        "dateCreated": _date(doc["dateCreated"]),
        "outputResources": doc.get("outputResources", {"amis": []}),
        **({name: _id(image, name) for name in _JOBS} if made else {}),
        "accountId": image.account,
        **(pick(doc, ("osVersion",)) if made else {}),
        **pick(doc, ("enhancedImageMetadataEnabled", "buildType")),
        "tags": _tags(image.arn, doc.get("tags", {})),
    }
    return {name: value for name, value in found.items() if value is not None}


_JOBS = ("buildExecutionId", "testExecutionId", "distributionJobId", "integrationJobId")


def _semver(version: str) -> int:
    """Return a version as one number."""
    major, minor, patch = (int(node) for node in version.split("."))
    return (major << 2 * _SEMVER_BITS) + (minor << _SEMVER_BITS) + patch


def _embedded(resource: Doc | None, members: tuple[str, ...]) -> Doc | None:
    if not resource or "arn" not in resource:
        return None
    found = pick(resource, members)
    found["tags"] = _tags(resource["arn"], resource.get("tags", {}))
    return {
        **found,
        "dateCreated": _date(resource["dateCreated"]),
        "accountId": identifiers.owner_of(resource["arn"]),
    }


def _tags(arn: str, given: Doc) -> Doc:
    return {"internalId": str(uuid.uuid5(uuid.NAMESPACE_URL, arn)), "resourceArn": arn, **given}


def _id(image: Image, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{image.arn}#{name}"))


def _date(text: str) -> str:
    """Write a date as these messages do: ``Jul 28, 2022 1:13:45 AM``."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
    hour = moment.strftime("%I").lstrip("0")
    return f"{moment:%b} {moment.day}, {moment.year} {hour}:{moment:%M:%S %p}"
