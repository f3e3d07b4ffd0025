"""
Versions in ARNs, compared by their numbers as AWS compares them, never as text.

Source: User Guide, "Semantic versioning in Image Builder": ``x`` means the newest version; wildcards are
rightmost; AWS numbers the builds of a version.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_VERSIONED = re.compile(
    r"arn:[^:]+:imagebuilder:[^:]+:(?P<owner>[^:]+):"
    r"(?P<path>[a-z-]+/(?:[^/]+/)*?[^/]+)/(?P<version>(?:[0-9]+|x)(?:\.(?:[0-9]+|x)){2})(?:/(?P<build>[0-9]+))?"
)


class Version(NamedTuple):
    """
    What the ARN of a versioned resource names.

    :param thing: owner and path without the version, e.g. ``aws/image/amazon-linux-2023-x86``. The region
        is left out: a resource that another region shares is the same one.
    :param text: version and build as the ARN has them, e.g. ``1.0.x`` or ``1.0.2/1``.
    :param numbers: the numbers of version and build; none of them if the ARN is open.
    """

    thing: str
    text: str
    numbers: tuple[int, ...]

    @property
    def is_open(self) -> bool:
        """Whether AWS decides at each build what the ARN means: it has an ``x``, or no build number."""
        return not self.numbers

    @property
    def name(self) -> str:
        """The resource's name."""
        return self.thing.rpartition("/")[2]


def version_of(arn: object) -> Version | None:
    """Return what a versioned ARN names; ``None`` for any other text."""
    found = _VERSIONED.fullmatch(str(arn))
    if found is None:
        return None
    version, build = found["version"], found["build"]
    concrete = "x" not in version and build is not None
    numbers = tuple(map(int, (*version.split("."), build))) if concrete else ()
    text = f"{version}/{build}" if build else version
    return Version(f"{found['owner']}/{found['path']}", text, numbers)


def compared(now: Version, recorded: Version) -> str | None:
    """
    Return how two closed versions of one resource differ; ``None`` if they do not.

    An older version than the recorded one means that the newer one was withdrawn: that is a change, too.
    """
    if now.numbers == recorded.numbers:
        return None
    if now.numbers > recorded.numbers:
        return f"{now.text} is newer than {recorded.text}, from which the last image was built"
    return (
        f"AWS now takes {now.text}; {recorded.text}, from which the last image was built, was withdrawn "
        "(deleted, deprecated or disabled)"
    )
