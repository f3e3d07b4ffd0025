"""The ARNs of the tests: one account, one region."""

from __future__ import annotations

PREFIX = "arn:aws:imagebuilder:us-east-1:123456789012"
RECIPE = f"{PREFIX}:image-recipe/golden/1.0.0"
PIPELINE = f"{PREFIX}:image-pipeline/golden"
INFRASTRUCTURE = f"{PREFIX}:infrastructure-configuration/build"


def image_arn(number: int = 1, name: str = "golden") -> str:
    """Return the ARN of an image build version."""
    return f"{PREFIX}:image/{name}/1.0.0/{number}"


def workflow_arn(name: str, kind: str = "test") -> str:
    """
    Return the ARN of a workflow build version.

    :param kind: build, test or distribution.
    """
    return f"{PREFIX}:workflow/{kind}/{name}/1.0.0/1"


IMAGE = image_arn()
BUILD, BOOT, USERS, CIS = workflow_arn("golden-build", "build"), *map(workflow_arn, ("boot", "users", "cis"))
