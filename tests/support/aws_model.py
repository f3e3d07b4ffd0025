"""
botocore's model of Image Builder: what the installed one has, and how an older one differs from today's.

The package's tables are those of AWS today. An older botocore has some older patterns, and lacks some members
and operations; a test that compares with it takes this into account here, and nowhere else.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
import pytest

_WILDCARDS = r"(?:[0-9]+|x)\.(?:[0-9]+|x)\.(?:[0-9]+|x)$"
_NUMBERS = r"[0-9]+\.[0-9]+\.[0-9]+$"
_RECIPE = "^arn:aws[^:]*:imagebuilder:[^:]+:(?:[0-9]{12}|aws):%s/[a-z0-9-_]+/"
_COMPONENT = (
    r"^arn:aws[^:]*:imagebuilder:[^:]+:(?:[0-9]{12}|aws(?:-[a-z-]+)?%s):component/[a-z0-9-_]+/"
    r"(?:(?:([0-9]+|x)\.([0-9]+|x)\.([0-9]+|x))|(?:[0-9]+\.[0-9]+\.[0-9]+/[0-9]+))$"
)
VERSION = "^" + _NUMBERS
NARROWER = (VERSION, r"/x\.x\.x$")
"""How older patterns of answers end: a version without the number of a build, an ARN with wildcards only."""

_TODAYS_PATTERNS = {
    ("ImageRecipeArn", _RECIPE % "image-recipe" + _NUMBERS): _RECIPE % "image-recipe" + _WILDCARDS,
    ("ContainerRecipeArn", _RECIPE % "container-recipe" + _NUMBERS): _RECIPE % "container-recipe"
    + _WILDCARDS,
    ("ComponentVersionArnOrBuildVersionArn", _COMPONENT % ""): _COMPONENT % "|third-party",
    ("TagKey", "^(?!aws:)[a-zA-Z+-=._:/]+$"): r"^(?!aws:)[a-zA-Z0-9\s_.:/=+\-@]*$",
    ("VersionNumber", VERSION): r"^[0-9]+\.[0-9]+\.[0-9]+(?:/[0-9]+)?$",
}
"""By shape and older pattern: the pattern that AWS has today."""

LATER = frozenset(
    {
        "amiTags",
        "attemptNumber",
        "consecutiveFailures",
        "dryRun",
        "failureContext",
        "lastRunStatus",
        "latestVersionReferences",
        "loggingConfiguration",
        "maxAttempts",
        "retried",
        "tags",
        "terminateInstanceOnCompletion",
    }
)
"""Members that a model may lack, wherever they are: AWS added them after botocore 1.39.11."""

OPTIONAL_TODAY = frozenset({"components", "componentVersionArn", "imageVersionArn", "workflowVersionArn"})
"""Members of requests that an older model demands."""

LATER_OPERATIONS = frozenset({"DistributeImage", "RetryImage"})
"""Operations that a model may lack."""


@cache
def model() -> Any:
    """Return botocore's model of Image Builder."""
    return botocore.session.get_session().get_service_model("imagebuilder")


def has_member(shape: str, member: str) -> bool:
    """Return whether a shape of the model has a member."""
    return member in model().shape_for(shape).members


def is_older() -> bool:
    """Return whether the model is older than the package's tables: it has no ``failureContext`` of images."""
    return not has_member("ImageState", "failureContext")


def pattern_of(shape: Any) -> str | None:
    """Return the pattern of a shape. Where an older model has an older one, return today's."""
    pattern: str | None = shape.metadata.get("pattern")
    return _TODAYS_PATTERNS.get((shape.name, str(pattern)), pattern) if is_older() else pattern


def known(shape: Any, value: Any) -> Any:
    """Return a value without the members of :data:`LATER` that an older model lacks."""
    if not is_older():
        return value
    if shape.type_name == "structure" and isinstance(value, dict):
        return {
            name: known(shape.members[name], item) if name in shape.members else item
            for name, item in value.items()
            if name in shape.members or name not in LATER
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [known(shape.member, item) for item in value]
    return value


def lists_the_account() -> bool:
    """Return whether the model allows ListImageBuildVersions without an image version."""
    return not model().operation_model("ListImageBuildVersions").input_shape.required_members


def has_wildcards_of_recipes() -> bool:
    """Return whether the model's pattern of recipe ARNs allows ``x.x.x``."""
    return str(model().shape_for("ImageRecipeArn").metadata["pattern"]).endswith(_WILDCARDS)


NO_WILDCARDS = "botocore's pattern of recipe ARNs has no wildcards"


def needs_operation(name: str) -> pytest.MarkDecorator:
    """Skip where the model lacks an operation."""
    return pytest.mark.skipif(
        name not in model().operation_names, reason=f"botocore's model of Image Builder has no {name}"
    )


def needs_member(shape: str, member: str) -> pytest.MarkDecorator:
    """Skip where a shape of the model lacks a member."""
    return pytest.mark.skipif(
        not has_member(shape, member), reason=f"botocore's model of {shape} has no {member}"
    )
