"""The grammar of Image Builder ARNs: a kind of ARN, AWS's patterns, and the rules for version numbers.

:class:`ArnKind` judges whole ARNs. Two functions read texts that are not whole ARNs yet, because a template
is still to be rendered inside of them: :func:`region_in` and :func:`workflow_type_and_name`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD = r"^arn:aws[^:]*:imagebuilder:[^:]+:"
OWN = HEAD + r"(?:[0-9]{12}|aws):"
SHARED = HEAD + r"(?:[0-9]{12}|aws(?:-[a-z-]+)?):"
BOUGHT = HEAD + r"(?:[0-9]{12}|aws(?:-[a-z-]+)?|third-party):"
NAME = r"/[a-z0-9-_]+"
NUMBERS = r"/[0-9]+\.[0-9]+\.[0-9]+"
WILD = r"/(?:[0-9]+|x)\.(?:[0-9]+|x)\.(?:[0-9]+|x)"
WILD_OR_BUILD = r"/(?:(?:([0-9]+|x)\.([0-9]+|x)\.([0-9]+|x))|(?:[0-9]+\.[0-9]+\.[0-9]+/[0-9]+))$"
LARGEST_NODE = 2**30 - 1
"""The largest number that one part of a version can be (API reference, ``Image.version``)."""
_LONGEST = 2048
"""Characters of an ARN. Python refuses to read a number of 4,300 digits, which a forged message may hold."""

_PARTS = re.compile(
    r"arn:aws[^:]*:imagebuilder:(?P<region>[^:]+):[^:]*:(?P<resource>[^:/]+)/(?P<path>.+)", re.DOTALL
)
_EXAMPLES = {"type": "test", "name": "golden", "version": "1.0.0", "build": "1"}
_TEMPLATES = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


@dataclass(frozen=True)
class ArnKind:
    """One kind of Image Builder resource, and the grammar of its ARNs.

    :param noun: the resource with its article, for messages, e.g. ``an image recipe``.
    :param resource: the resource type as ARNs have it, e.g. ``image-recipe``.
    :param tail: the names of the parts that follow the resource type: ``type``, ``name``, ``version``,
        ``build``.
    :param pattern: AWS's pattern (API reference), letter by letter.
    """

    noun: str
    resource: str
    tail: tuple[str, ...]
    pattern: str

    def accepts(self, text: object) -> bool:
        """Return whether AWS takes this text for an ARN of this kind."""
        if not isinstance(text, str) or len(text) > _LONGEST:
            return False
        if not re.fullmatch(self.pattern, text, re.ASCII):
            return False
        version = self.parts(text).get("version")
        return version is None or not (misplaced_wildcard(version) or too_large(version))

    def parts(self, text: str) -> dict[str, str]:
        """Return the parts that follow the resource type in an ARN, by the names of ``tail``."""
        return dict(zip(self.tail, text.split(":", 5)[5].split("/")[1:], strict=False))

    def example(self) -> str:
        """Return an ARN of this kind to show in a message."""
        tail = "/".join([self.resource, *(_EXAMPLES[part] for part in self.tail)])
        return f"arn:aws:imagebuilder:us-east-1:123456789012:{tail}"


def misplaced_wildcard(version: str) -> str | None:
    """Return what is wrong with the position of a version's wildcards; ``None`` if nothing is.

    All that follows a wildcard is a wildcard: ``1.x.x``, never ``x.1.x`` (API reference, ``Image.version``).
    """
    _, _, behind = version.partition("x")
    if not re.search("[0-9]", behind):
        return None
    return f"the version is {version!r}: x may only be rightmost, as in 1.0.x, 1.x.x or x.x.x"


def too_large(version: str) -> str | None:
    """Return what is wrong with the size of a version's numbers; ``None`` if nothing is."""
    digits = [node.lstrip("0") or "0" for node in version.split(".") if node != "x"]
    if all(len(node) <= len(str(LARGEST_NODE)) and int(node) <= LARGEST_NODE for node in digits):
        return None
    return f"the version is {version!r}: each of its numbers is at most {LARGEST_NODE}"


def is_like_an_arn(text: object) -> bool:
    """Return whether a value begins as every ARN of AWS does, so that the user means an ARN by it."""
    return isinstance(text, str) and text.startswith("arn:")


def region_in(text: object) -> str | None:
    """Return the region in an Image Builder ARN; account and resource may still be templates.

    :return: e.g. ``us-east-1``; ``None`` where the text has no region that is known yet.
    """
    match = re.match(r"arn:[^:{]+:imagebuilder:([a-z0-9-]+):", text) if isinstance(text, str) else None
    return match[1] if match else None


def workflow_type_and_name(text: object) -> tuple[str, str] | tuple[None, None]:
    """Return type and name in a workflow ARN, e.g. ``("test", "boot")``; two ``None`` if they are not known.

    Partition, region, account and version may be templates. A text inside of a template does not count: it
    may be one of several choices. A request may name a workflow with ``x.x.x`` and its execution with a build
    version: both have the same type and name.
    """
    plain = _TEMPLATES.sub("{}", str(text))
    found = list(re.finditer(r":workflow/(build|test|distribution)/([^/{}]+)/", plain))
    return (found[0][1], found[0][2]) if len(found) == 1 else (None, None)


def image_version_in(arn: str) -> str:
    """Return the image version ARN of an image build version ARN: all but the build number.

    It does not check the ARN: the watcher calls it for thousands of ARNs that AWS has returned.
    """
    return arn.rpartition("/")[0]


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
