"""Names, versions and ARNs of Image Builder, and the ids of executions, steps and AMIs."""

from __future__ import annotations

import random
import re
import uuid
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The account of a service that was started without one, as moto has it.
ACCOUNT = "123456789012"


def normalise(name: str) -> str:
    """Return the form of a name in an ARN: lower case, with ``-`` for spaces and underscores."""
    return re.sub(r"[ _]", "-", name.lower())


def partition_of(region: str) -> str:
    """Return the partition of a region, e.g. ``aws-cn``."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def arn_of(region: str, resource: str, owner: str) -> str:
    """Build an Image Builder ARN.

    :param resource: its last part, e.g. ``image/golden/1.0.0/1``.
    :param owner: an account, or ``aws`` for Amazon's own resources.
    """
    return f"arn:{partition_of(region)}:imagebuilder:{region}:{owner}:{resource}"


class Parts(NamedTuple):
    """The parts of an ARN; a missing version or build is an empty string.

    :param resource_type: e.g. ``image``; of a workflow with its type, e.g. ``workflow/test``.
    """

    region: str
    owner: str
    resource_type: str
    name: str
    version: str
    build: str

    @property
    def base(self) -> tuple[str, str, str, str]:
        """The parts that all versions and builds of a resource share."""
        return self.region, self.owner, self.resource_type, self.name


def parse(arn: str) -> Parts:
    """Split an Image Builder ARN that has passed the model's pattern."""
    _, _, _, region, owner, resource = arn.split(":", 5)
    segments = resource.split("/")
    width = 2 if segments[0] == "workflow" else 1
    resource_type, rest = "/".join(segments[:width]), [*segments[width:], "", "", ""]
    return Parts(region, owner, resource_type, rest[0], rest[1], rest[2])


def owner_of(arn: str) -> str:
    """Return the account in an ARN; ``aws`` for Amazon's own resources."""
    return arn.split(":", 5)[4]


def version_key(version: str) -> tuple[int, ...]:
    """Return a key that sorts versions as numbers: 1.10.0 is newer than 1.9.0."""
    return tuple(int(node) for node in version.split("."))


def matches(version: str, wanted: str) -> bool:
    """Whether a version fits a wanted one, in which ``x`` fits any number."""
    return all(w in ("x", v) for v, w in zip(version.split("."), wanted.split("."), strict=True))


def newest(arns: Iterable[str], wanted: str) -> str | None:
    """Resolve an ARN, with or without wildcards, to the newest candidate that fits it.

    :param arns: candidates, with versions and perhaps builds.
    :param wanted: the ARN to resolve; without a build, every build fits.
    :return: the candidate; None if none fits.
    """
    target = parse(wanted)
    fitting = [
        (version_key(parts.version), int(parts.build or 0), arn)
        for arn in arns
        if (parts := parse(arn)).base == target.base
        and matches(parts.version, target.version)
        and target.build in ("", parts.build)
    ]
    return max(fitting)[2] if fitting else None


def references(arn: str) -> dict[str, str]:
    """Return ``latestVersionReferences`` of a versioned resource (service model, CreateImageResponse)."""
    parts = parse(arn)
    stem = arn_of(parts.region, f"{parts.resource_type}/{parts.name}", parts.owner)
    if parts.owner == "aws" and parts.resource_type.startswith("workflow/"):
        # Guide, "Semantic versioning": of Amazon's workflows only the latest version can be named.
        return {"latestVersionArn": f"{stem}/x.x.x"}
    major, minor, _ = parts.version.split(".")
    return {
        "latestVersionArn": f"{stem}/x.x.x",
        "latestMajorVersionArn": f"{stem}/{major}.x.x",
        "latestMinorVersionArn": f"{stem}/{major}.{minor}.x",
        "latestPatchVersionArn": f"{stem}/{parts.version}",
    }


class Identifiers:
    """A source of ids; the same seed gives the same ids in the same order.

    :param seed: any text or number; a random one by default.
    """

    def __init__(self, seed: int | str | None = None) -> None:
        self._seed = seed
        self._random = random.Random(seed)

    def uuid(self) -> str:
        """Make a version 4 UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def execution(self) -> str:
        """Make the id of a workflow execution."""
        return f"wf-{self.uuid()}"

    def step(self) -> str:
        """Make the id of a step execution."""
        return f"step-{self.uuid()}"

    def hexadecimal(self, prefix: str) -> str:
        """Make an id in the form of EC2: a prefix and 17 hexadecimal digits."""
        return f"{prefix}-{self._random.getrandbits(68):017x}"

    def between(self, low: float, high: float, key: str) -> float:
        """Return a random number that depends on the seed and the key alone, not on earlier calls."""
        return random.Random(f"{self._seed}:{key}").uniform(low, high)
