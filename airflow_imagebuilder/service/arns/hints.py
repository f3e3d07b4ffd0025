"""What is wrong with a text that should be an ARN, and what to write instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.arns.grammar import (
    ArnKind,
    is_like_an_arn,
    misplaced_wildcard,
    too_large,
)
from airflow_imagebuilder.service.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COLONS = 5  # of an ARN

# What another kind of resource is, and which argument takes it.
_HOMES = {
    "image-recipe": "an image recipe: give it as image_recipe_arn",
    "container-recipe": "a container recipe: give it as container_recipe_arn",
    "infrastructure-configuration": "an infrastructure configuration: "
    "give it as infrastructure_configuration_arn",
    "distribution-configuration": "a distribution configuration: give it as distribution_configuration_arn",
    "workflow": "a workflow: list it in workflows",
    "image-pipeline": "an image pipeline: start it with ImageBuilderStartPipelineOperator; it names a recipe "
    "and configurations of its own",
    "component": "a component: list it in a recipe",
    "image": "an image, which is what a recipe makes",
    "lifecycle-policy": "a lifecycle policy: it applies to finished images by itself",
}


def fault_in_arn(kind: ArnKind, text: object, field: str) -> Fault | None:
    """Return what is wrong with a value that should be an ARN of this kind; ``None`` if AWS takes it.

    :param field: the field that the fault names.
    """
    if kind.accepts(text):
        return None
    return Fault(field, text, f"the ARN of {kind.noun}, such as {kind.example()}", _remedy(kind, text))


def _remedy(kind: ArnKind, text: object) -> str:
    """Return the first hint that fits, with the corrected ARN where it can be known."""
    if not isinstance(text, str):
        return f"give the ARN as text, not as {type(text).__name__}"
    return next(found for hint in _HINTS if (found := hint(kind, text)))


def _nearly(kind: ArnKind, text: str) -> str | None:
    """Correct a known mistake, if that gives an ARN of this kind."""
    for reason, candidate in _candidates(kind, text):
        if candidate != text and kind.accepts(candidate):
            return f"{reason}: write {candidate!r}"
    return None


def _candidates(kind: ArnKind, text: str) -> Iterator[tuple[str, str]]:
    yield "there is white space around it", text.strip()
    yield "ARNs have names in lower case", text.lower()
    yield "ARNs have names in lower case, without spaces", text.strip().lower().replace(" ", "-")
    if "version" not in kind.tail:
        yield f"{kind.noun} has no version", "/".join(text.split("/")[:2])
    else:
        built = "build" in kind.tail
        reason = "a version with x names no build" if built else f"{kind.noun} has no build number"
        yield reason, text.rsplit("/", 1)[0]
        yield "the version is missing, and x.x.x takes the newest", f"{text.rstrip('/')}/x.x.x"
        yield "the newest version is called x.x.x", re.sub(r"/(latest|\*|x|\$LATEST)$", "/x.x.x", text)


def _not_an_arn(kind: ArnKind, text: str) -> str | None:
    if is_like_an_arn(text):
        return None
    if text.startswith("ami-"):
        return "this is an AMI id: name it in a recipe, as its parent image"
    return f"give the whole ARN, not a name: {kind.example().rsplit('/', len(kind.tail))[0]}/..."


def _head(kind: ArnKind, text: str) -> str | None:
    """Check the parts before the name: service, resource type, region and account."""
    if text.count(":") < _COLONS:
        return "an ARN has six parts, separated by colons"
    _, _, service, region, account, tail = text.split(":", _COLONS)
    if service != "imagebuilder":
        return f"this is an ARN of {service or 'no service'}, not imagebuilder"
    if (resource := tail.split("/", 1)[0]) != kind.resource:
        return _other_resource(kind, resource)
    if not region:
        return "the region is missing: write it after 'imagebuilder:'"
    if not re.fullmatch(r"[0-9]{12}|aws(-[a-z-]+)?|third-party", account):
        return f"the account is {account!r}: write its twelve digits, or aws for what Amazon manages"
    return None


def _other_resource(kind: ArnKind, resource: str) -> str:
    home = _HOMES.get(resource)
    if home and kind.resource == "image-pipeline":
        noun = home.partition(":")[0]
        return f"this is {noun}: give a pipeline, or build without one, with ImageBuilderCreateImageOperator"
    return f"this is {home}" if home else f"Image Builder has no {resource!r}, write {kind.resource}/..."


def _stage(kind: ArnKind, text: str) -> str | None:
    if "type" not in kind.tail or re.search(r":workflow/(build|test|distribution)/", text):
        return None
    return "the stage is missing: write workflow/build/..., workflow/test/... or workflow/distribution/..."


def _version(kind: ArnKind, text: str) -> str | None:
    version = kind.parts(text).get("version")
    if version is None:
        return None
    if not re.fullmatch(r"(?:[0-9]+|x)(?:\.(?:[0-9]+|x)){2}", version):
        return f"the version is {version!r}: write three numbers, such as 1.0.0"
    return misplaced_wildcard(version) or too_large(version) or _wild(kind, version)


def _wild(kind: ArnKind, version: str) -> str | None:
    if "x" not in version or kind.accepts(kind.example().replace("1.0.0", "x.x.x").removesuffix("/1")):
        return None
    return f"the version is {version!r}: {kind.noun} is named by its numbers alone"


def _missing_build(kind: ArnKind, text: str) -> str | None:
    if not kind.accepts(f"{text}/1"):
        return None
    return "the build number is missing: write it after the version, as in 1.0.0/1"


def _compare(kind: ArnKind, _: str) -> str:
    return f"compare it with {kind.example()}: names are made of a-z, 0-9, - and _"


_HINTS: tuple[Callable[[ArnKind, str], str | None], ...] = (
    _nearly,
    _not_an_arn,
    _head,
    _stage,
    _version,
    _missing_build,
    _compare,
)
