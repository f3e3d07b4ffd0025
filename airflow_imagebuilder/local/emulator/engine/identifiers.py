"""Names, versions and ARNs, as far as the local service must tell them apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
import random
import uuid

ACCOUNT = "123456789012"


def normalise(name: str) -> str:
    """The form of a name in an ARN: names that differ in case, space or underscore are one name."""
    return re.sub(r"[ _]", "-", name.lower())


def partition_of(region: str) -> str:
    """The partition that a region is in."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def arn_of(region: str, resource: str, owner: str = ACCOUNT) -> str:
    """Build an Image Builder ARN from its tail."""
    return f"arn:{partition_of(region)}:imagebuilder:{region}:{owner}:{resource}"


class Parts(NamedTuple):
    """An ARN taken apart; a missing version or build is an empty string."""

    region: str
    owner: str
    kind: str
    name: str
    version: str
    build: str

    @property
    def base(self) -> tuple[str, str, str, str]:
        """What all versions and builds have in common."""
        return self.region, self.owner, self.kind, self.name


def parse(arn: str) -> Parts:
    """Take an ARN apart that has passed the model's pattern.

    :param arn: an Image Builder ARN; a workflow's kind is ``workflow/test`` and so on.
    :return: its parts.
    """
    _, _, _, region, owner, resource = arn.split(":", 5)
    segments = resource.split("/")
    width = 2 if segments[0] == "workflow" else 1
    kind, rest = "/".join(segments[:width]), [*segments[width:], "", "", ""]
    return Parts(region, owner, kind, rest[0], rest[1], rest[2])


def version_key(version: str) -> tuple[int, ...]:
    """Sort versions as numbers: 1.10.0 is newer than 1.9.0."""
    return tuple(int(node) for node in version.split("."))


def matches(version: str, wanted: str) -> bool:
    """Whether a version is meant by one that may hold ``x``."""
    return all(w in ("x", v) for v, w in zip(version.split("."), wanted.split("."), strict=True))


def is_exact(version: str) -> bool:
    """Whether a version has no wildcard."""
    return "x" not in version


def newest(arns: Iterable[str], wanted: str) -> str | None:
    """The newest of some ARNs whose base is the same that an ARN with or without wildcards means.

    :param arns: candidates, with versions and perhaps builds.
    :param wanted: the ARN to resolve; without a build, every build counts.
    :return: the ARN, or None if nothing fits.
    """
    sought = parse(wanted)
    fitting = [
        (version_key(parts.version), int(parts.build or 0), arn)
        for arn in arns
        if (parts := parse(arn)).base == sought.base
        and matches(parts.version, sought.version)
        and sought.build in ("", parts.build)
    ]
    return max(fitting)[2] if fitting else None


def references(arn: str) -> dict[str, str]:
    """``latestVersionReferences`` of a versioned resource (CreateImageResponse of the service model)."""
    parts = parse(arn)
    stem = arn_of(parts.region, f"{parts.kind}/{parts.name}", parts.owner)
    major, minor, _ = parts.version.split(".")
    return {
        "latestVersionArn": f"{stem}/x.x.x",
        "latestMajorVersionArn": f"{stem}/{major}.x.x",
        "latestMinorVersionArn": f"{stem}/{major}.{minor}.x",
        "latestPatchVersionArn": f"{stem}/{parts.version}",
    }


class Identifiers:
    """A source of identifiers; the same seed gives the same ones in the same order.

    :param seed: any text or number; None takes one from the operating system.
    """

    def __init__(self, seed: int | str | None = None) -> None:
        self._seed = seed
        self._random = random.Random(seed)

    def uuid(self) -> str:
        """A version 4 UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def execution(self) -> str:
        """A workflow execution id."""
        return f"wf-{self.uuid()}"

    def step(self) -> str:
        """A step execution id."""
        return f"step-{self.uuid()}"

    def hexadecimal(self, prefix: str) -> str:
        """An id as EC2 makes them: a prefix and 17 hexadecimal digits."""
        return f"{prefix}-{self._random.getrandbits(68):017x}"

    def between(self, low: float, high: float, key: str) -> float:
        """A number that depends on the seed and a key alone, not on what was drawn before."""
        return random.Random(f"{self._seed}:{key}").uniform(low, high)
