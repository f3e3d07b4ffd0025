"""What is wrong with a text that should be an ARN, and what to write instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.arns.grammar import misplaced_wildcard, too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_imagebuilder.service.arns.arns import Arn


_PARTS = 6

_HOMES = {
    "image-recipe": "an image recipe: give it as image_recipe_arn",
    "container-recipe": "a container recipe: give it as container_recipe_arn",
    "infrastructure-configuration": "an infrastructure configuration: "
    "give it as infrastructure_configuration_arn",
    "distribution-configuration": "a distribution configuration: give it as distribution_configuration_arn",
    "workflow": "a workflow: list it in workflows",
    "image-pipeline": "an image pipeline: it names a recipe and configurations of its own, give those",
    "component": "a component: list it in a recipe",
    "image": "an image, which is what a recipe makes",
    "lifecycle-policy": "a lifecycle policy: it applies to finished images by itself",
}


def way_out(kind: type[Arn], text: object) -> str:
    """Tell what to do about a text that is no ARN of this kind.

    :return: the first explanation that fits, with the corrected ARN where it can be known.
    """
    if not isinstance(text, str):
        return f"give the ARN as text, not as {type(text).__name__}"
    return next(found for look in _LOOKS if (found := look(kind, text)))


def _nearly(kind: type[Arn], text: str) -> str | None:
    for reason, candidate in _candidates(kind, text):
        if candidate != text and kind.accepts(candidate):
            return f"{reason}: write {candidate!r}"
    return None


def _candidates(kind: type[Arn], text: str) -> Iterator[tuple[str, str]]:
    yield "there is white space around it", text.strip()
    yield "ARNs have names in lower case", text.lower()
    yield "ARNs have names in lower case, without spaces", text.strip().lower().replace(" ", "-")
    if "version" not in kind.TAIL:
        yield f"{kind.NOUN} has no version", "/".join(text.split("/")[:2])
    else:
        built = "build" in kind.TAIL
        reason = "a version with x names no build" if built else f"{kind.NOUN} has no build number"
        yield reason, text.rsplit("/", 1)[0]
        yield "the version is missing, and x.x.x takes the newest", f"{text.rstrip('/')}/x.x.x"
        yield "the newest version is called x.x.x", re.sub(r"/(latest|\*|x|\$LATEST)$", "/x.x.x", text)


def _no_arn(kind: type[Arn], text: str) -> str | None:
    if text.startswith("arn:"):
        return None
    if text.startswith("ami-"):
        return "this is an AMI id: name it in a recipe, as its parent image"
    return f"give the whole ARN, not a name: {kind.example().rsplit('/', len(kind.TAIL))[0]}/..."


def _incomplete(_: type[Arn], text: str) -> str | None:
    return None if text.count(":") >= _PARTS - 1 else "an ARN has six parts with a colon between two of them"


def _other_service(_: type[Arn], text: str) -> str | None:
    service = text.split(":")[2]
    return (
        None
        if service == "imagebuilder"
        else f"this is an ARN of {service or 'no service'}, not imagebuilder"
    )


def _other_kind(kind: type[Arn], text: str) -> str | None:
    resource = text.split(":", 5)[5].split("/", 1)[0]
    if resource == kind.RESOURCE:
        return None
    home = _HOMES.get(resource)
    return f"this is {home}" if home else f"Image Builder has no {resource!r}, write {kind.RESOURCE}/..."


def _region(_: type[Arn], text: str) -> str | None:
    return None if text.split(":")[3] else "the region is missing: write it after 'imagebuilder:'"


def _owner(_: type[Arn], text: str) -> str | None:
    account = text.split(":")[4]
    if re.fullmatch(r"[0-9]{12}|aws(-[a-z-]+)?|third-party", account):
        return None
    return f"the account is {account!r}: write its twelve digits, or aws for what Amazon manages"


def _stage(kind: type[Arn], text: str) -> str | None:
    if "type" not in kind.TAIL or re.search(r":workflow/(build|test|distribution)/", text):
        return None
    return "the stage is missing: write workflow/build/..., workflow/test/... or workflow/distribution/..."


def _version(kind: type[Arn], text: str) -> str | None:
    parts = text.split(":", 5)[5].split("/")[1:]
    place = kind.TAIL.index("version") if "version" in kind.TAIL else len(parts)
    if place >= len(parts):
        return None
    version = parts[place]
    if not re.fullmatch(r"(?:[0-9]+|x)(?:\.(?:[0-9]+|x)){2}", version):
        return f"the version is {version!r}: write three numbers, such as 1.0.0"
    return misplaced_wildcard(version) or too_large(version) or _wild(kind, version)


def _wild(kind: type[Arn], version: str) -> str | None:
    if "x" not in version or kind.accepts(kind.example().replace("1.0.0", "x.x.x").removesuffix("/1")):
        return None
    return f"the version is {version!r}: {kind.NOUN} is named by its numbers alone"


def _build_is_missing(kind: type[Arn], text: str) -> str | None:
    if not kind.accepts(f"{text}/1"):
        return None
    return "the build number is missing: write it after the version, as in 1.0.0/1"


def _anything(kind: type[Arn], _: str) -> str:
    return f"compare it with {kind.example()}: names are made of a-z, 0-9, - and _"


_LOOKS: tuple[Callable[[type[Arn], str], str | None], ...] = (
    _nearly,
    _no_arn,
    _incomplete,
    _other_service,
    _other_kind,
    _region,
    _owner,
    _stage,
    _version,
    _build_is_missing,
    _anything,
)
