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
