"""The patterns of Image Builder ARNs, and the rules for version numbers."""

from __future__ import annotations

import re

HEAD = r"^arn:aws[^:]*:imagebuilder:[^:]+:"
OWN = HEAD + r"(?:[0-9]{12}|aws):"
SHARED = HEAD + r"(?:[0-9]{12}|aws(?:-[a-z-]+)?):"
BOUGHT = HEAD + r"(?:[0-9]{12}|aws(?:-[a-z-]+)?|third-party):"
NAME = r"/[a-z0-9-_]+"
WILD = r"/(?:[0-9]+|x)\.(?:[0-9]+|x)\.(?:[0-9]+|x)"
WILD_OR_BUILD = r"/(?:(?:([0-9]+|x)\.([0-9]+|x)\.([0-9]+|x))|(?:[0-9]+\.[0-9]+\.[0-9]+/[0-9]+))$"
LARGEST_NODE = 2**30 - 1
"""The largest number that one part of a version can be (API reference, ``Image.version``)."""


def version_is_allowed(version: str) -> bool:
    """Tell whether a version of three parts follows the rules that AWS tells in words.

    Wildcards stand rightmost only (``1.x.x``, never ``x.1.x``); a number is at most :data:`LARGEST_NODE`.
    """
    return not misplaced_wildcard(version) and not too_large(version)


def misplaced_wildcard(version: str) -> str | None:
    """Return what is wrong with the place of a version's wildcards; ``None`` if nothing is."""
    _, _, behind = version.partition("x")
    if not re.search("[0-9]", behind):
        return None
    return f"the version is {version!r}: x may only stand rightmost, as in 1.0.x, 1.x.x or x.x.x"


def too_large(version: str) -> str | None:
    """Return what is wrong with the size of a version's numbers; ``None`` if nothing is."""
    if all(node == "x" or int(node) <= LARGEST_NODE for node in version.split(".")):
        return None
    return f"the version is {version!r}: each of its numbers is at most {LARGEST_NODE}"


_PARTS = re.compile(
    r"arn:aws[^:]*:imagebuilder:(?P<region>[^:]+):[^:]*:(?P<resource>[^:/]+)/(?P<path>.+)", re.DOTALL
)
_STAGES = frozenset({"build", "test", "distribution"})


def region_of(arn: str) -> str | None:
    """Return the region of an Image Builder ARN; ``None`` for any other text."""
    parts = _PARTS.fullmatch(arn)
    return parts["region"] if parts else None


def path_of(arn: str, resource: str) -> tuple[str, ...]:
    """Return the parts of an ARN after its resource, e.g. ``("golden", "1.0.0", "3")``.

    :param resource: the resource that the ARN must have, e.g. ``image``.
    :return: the parts; none if the text is not an Image Builder ARN of this resource.
    """
    parts = _PARTS.fullmatch(arn)
    return tuple(parts["path"].split("/")) if parts and parts["resource"] == resource else ()


def name_and_version(arn: str, resource: str) -> str:
    """Return the short form of an ARN, e.g. ``golden 1.0.0/3``; any other text as it is.

    :param resource: the resource that the ARN must have, e.g. ``image``.
    """
    name, *version = path_of(arn, resource) or (arn,)
    return " ".join(filter(None, (name, "/".join(version))))


def workflow_type_and_name(arn: str) -> tuple[str, str] | tuple[None, None]:
    """Return type and name of a workflow ARN, e.g. ``("test", "boot")``; two ``None`` for any other text.

    A request may name a workflow with ``x.x.x`` and its execution with a build version: both have the same
    type and name.
    """
    type_, name, *version = path_of(arn, "workflow") or ("", "")
    return (type_, name) if type_ in _STAGES and version else (None, None)
