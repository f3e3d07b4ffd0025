"""Names and tags of AMIs, with their placeholders filled.

Sources: API reference, ``AmiDistributionConfiguration.name``; examples of the AWS CLI and public images for
the form of the date (``golden 2023-05-17T21-17-23.099935Z``) and of the build number.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

_PLACEHOLDER = re.compile(r"\{\{\s*imagebuilder:(buildDate|buildVersion)(?::([A-Za-z._ -]{1,40}))?\s*\}\}")
#: Parts of a date format, in the letters of Java.
_PARTS = (
    ("yyyy", "%Y"),
    ("YYYY", "%Y"),
    ("yy", "%y"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("SSS", "%f"),
)
_PART = re.compile("|".join(letters for letters, _ in sorted(_PARTS, key=lambda part: -len(part[0]))))


def name_of(image: Image, configuration: Doc) -> str:
    """Return the name of an AMI: from the template of a distribution, or the image's name and the date."""
    template = configuration.get("name") or f"{image.doc['name']} {{{{imagebuilder:buildDate}}}}"
    return fill(template, image)


def tags_of(image: Image, configuration: Doc, *, built: bool) -> dict[str, str]:
    """Return the tags of an AMI: of the distribution, and those of Image Builder.

    :param built: whether it is the AMI of the build, which also has the tags of the recipe (API reference,
        ``CreateImageRecipe.amiTags``).
    """
    own = image.recipe.get("amiTags", {}) if built else {}
    given = {**own, **configuration.get("amiTags", {})}
    filled = {key: fill(value, image) for key, value in given.items()}
    return {**filled, "CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": image.arn}


def description_of(image: Image, configuration: Doc, *, built: bool) -> str | None:
    """Return the description of an AMI; that of the recipe is only for the AMI of the build.

    Source: API reference, ``AmiDistributionConfiguration.description``.
    """
    given = configuration.get("description") or (image.recipe.get("description") if built else None)
    return fill(given, image) if given else None


def fill(template: str, image: Image) -> str:
    """Replace ``{{ imagebuilder:buildDate }}`` and ``{{ imagebuilder:buildVersion }}``."""
    build = str(image.doc["version"]).split("/")[-1]
    moment = datetime.fromtimestamp(image.stamp, tz=timezone.utc)

    def value(match: re.Match[str]) -> str:
        return build if match[1] == "buildVersion" else _date(moment, match[2])

    return _PLACEHOLDER.sub(value, template)


def _date(moment: datetime, form: str | None) -> str:
    if not form:
        return moment.strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    codes = dict(_PARTS)
    return _PART.sub(lambda match: moment.strftime(codes[match[0]])[: max(2, len(match[0]))], form.strip())
