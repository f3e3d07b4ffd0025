"""The URI of a golden image as an Airflow asset: ``imagebuilder://golden-al2023``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.arns.grammar import NAME, is_like_an_arn

if TYPE_CHECKING:
    from urllib.parse import SplitResult

SCHEME = "imagebuilder"
"""The scheme of the URIs, for which Airflow calls :func:`sanitize_uri`."""

_NAME = re.compile(NAME.removeprefix("/"), re.ASCII)
"""The name of an image as its ARN has it (API reference, ``ImageBuildVersionArn``)."""

_FORM = (
    f"Write {SCHEME}:// and the image's name as its ARN has it, for example {SCHEME}://golden-al2023: "
    f"the name of the recipe in lower case, each space as a hyphen"
)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Check the URI of a golden image, and return the one form that Airflow keeps of it.

    Airflow calls this for each asset with the scheme ``imagebuilder`` while it parses a Dag file. It has
    removed a fragment and the slashes at the end before. The URI has the image's name alone: an account, a
    region and a version belong to the images that the events of the asset report.

    :param uri: the URI.
    :return: ``imagebuilder://`` and the name in lower case, without a slash at its end.
    :raises ValueError: the URI names no image, or more than one; with what to write instead.
    """
    name = uri.netloc.lower()
    if fault := _fault(uri, name):
        raise ValueError(f"{_as_written(uri)} is not the URI of a golden image: {fault}. {_FORM}.")
    return uri._replace(scheme=SCHEME, netloc=name, path="", query="", fragment="")


def _fault(uri: SplitResult, name: str) -> str | None:
    if not name:
        return "it names no image"
    if is_like_an_arn(name):
        return "it has an ARN"
    if uri.path.strip("/"):
        return f"it has the path {uri.path!r} behind the name"
    if uri.query:
        return f"it has the query {uri.query!r}"
    strange = next((character for character in name if not _NAME.fullmatch(character)), None)
    return f"{name!r} has the character {strange!r}" if strange else None


def _as_written(uri: SplitResult) -> str:
    """Return the URI for a message. Airflow adds the slash that an empty path has here."""
    return uri.geturl().removesuffix("/") if uri.netloc else uri.geturl()
