"""Parents: the image that a recipe begins with: its AMI, platform, operating system and architecture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from airflow_imagebuilder.local.emulator.engine import identifiers
from airflow_imagebuilder.local.emulator.engine.errors import unknown_arn
from airflow_imagebuilder.local.emulator.managed import images as managed_images

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.operations.resources.sharing import Sharing
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image, State
    from airflow_imagebuilder.local.emulator.engine.world import World

#: Operating systems that the names of AMIs, parameters and container images show. The distance between two
#: words has a bound, because a long text of a client must not be searched for each pair of them.
_NAMES = (
    (r"windows\D{0,40}server\D{0,40}(2012|2016|2019|2022|2025)", "Microsoft Windows Server {}", "Windows"),
    (r"windows\D{0,40}(2012|2016|2019|2022|2025)", "Microsoft Windows Server {}", "Windows"),
    (r"ltsc(2016|2019|2022|2025)", "Microsoft Windows Server {}", "Windows"),
    (r"macos|mac-os", "macOS", "macOS"),
    (r"ubuntu\D{0,40}(\d{2})", "Ubuntu {}", "Linux"),
    (r"(?:red-?hat|rhel)\D{0,40}(\d{1,2})", "Red Hat Enterprise Linux {}", "Linux"),
    (r"(?:suse|sles)\D{0,40}(\d{2})", managed_images.SUSE, "Linux"),
    (r"debian\D{0,40}(\d{1,2})", "Debian {}", "Linux"),
    (r"(?:amzn2-|amazon-?linux[-/]?2(?!023)|amazonlinux:2(?!023))", "Amazon Linux 2", "Linux"),
)
_DEFAULTS = {
    "Linux": "Amazon Linux 2023",
    "Windows": "Microsoft Windows Server 2022",
    "macOS": "macOS 15",
}


class Parent(NamedTuple):
    """What an image inherits.

    :param ami: the AMI; None for a container image, and for an AMI that is not known here.
    :param resolved: the ``parentImage`` that an image shows: an ARN of a build, an AMI, a container image.
    """

    platform: str
    os_version: str
    architecture: str
    ami: str | None
    resolved: str


class Parents:
    """Finds the parents of recipes.

    :param state: holds own images and components.
    :param world: knows parameters, and AMIs that Image Builder did not make.
    :param sharing: knows what other accounts share.
    """

    def __init__(self, state: State, world: World, sharing: Sharing) -> None:
        self._sharing = sharing
        self._state = state
        self._world = world

    def find(self, recipe: Doc, region: str) -> Parent:
        """Find the parent of a recipe.

        :raises ApiError: the parent is an Image Builder image that does not exist, or is not shared.
        """
        given = str(recipe["parentImage"])
        if ":imagebuilder:" in given:
            return self._image_builder(given, region)
        ami = self._world.parameter(region, given) if given.startswith("ssm:") else given
        name = self._world.ami_name(region, ami) if ami and ami.startswith("ami-") else None
        known = self._world.ami_details(region, ami) if name and ami else {}
        platform = (
            recipe.get("platformOverride") or known.get("platform") or self._platform_of_components(recipe)
        )
        found, os_version = _read(f"{name or ''} {given} {recipe.get('name', '')}", platform)
        named = "arm64" if re.search(r"arm64|aarch64|graviton", f"{name} {given}".lower()) else "x86_64"
        architecture = str(known.get("architecture") or named)
        is_ami = bool(ami) and str(ami).startswith("ami-")
        resolved = str(ami) if is_ami else given
        return Parent(
            found,
            recipe.get("imageOsVersionOverride") or os_version,
            architecture,
            ami if is_ami else None,
            resolved,
        )

    def _image_builder(self, arn: str, region: str) -> Parent:
        parts = identifiers.parse(arn)
        if parts.owner == "aws":
            return self._managed(arn, parts, region)
        image = self._own(arn)
        if image is None:
            raise self._sharing.refusal(arn) if self._sharing.is_foreign(arn) else unknown_arn(arn)
        copies = image.copies
        return Parent(
            image.doc["platform"],
            image.doc.get("osVersion") or _DEFAULTS[image.doc["platform"]],
            image.architecture,
            copies.get(f"{region}/{self._state.account}") or copies.get(f"{region}/{image.account}"),
            image.arn,
        )

    def _managed(self, arn: str, parts: identifiers.Parts, region: str) -> Parent:
        image = managed_images.find(parts.name)
        version = image.resolve(parts.version or "x.x.x") if image else None
        if image is None or version is None or parts.build not in ("", "1"):
            raise unknown_arn(arn)
        resolved = identifiers.arn_of(parts.region, f"image/{image.name}/{version}/1", "aws")
        ami = image.ami(region, version) if image.type == "AMI" else None
        return Parent(image.platform, image.os_version, image.architecture, ami, resolved)

    def _own(self, arn: str) -> Image | None:
        state, allows = self._sharing.holder(arn), self._sharing.allows
        if arn in state.images:
            return state.images[arn] if allows(arn, "Get") else None
        return state.newest_image(arn, lambda image: allows(image.arn, "Get"))

    def _platform_of_components(self, recipe: Doc) -> str | None:
        for item in recipe.get("components", ()):
            arn = item["componentArn"]
            found = self._state.resources.get(arn)
            if found is None:
                newest = identifiers.newest((a for a in self._state.resources if ":component/" in a), arn)
                found = self._state.resources[newest] if newest else None
            if found and found.get("platform"):
                return str(found["platform"])
        return None


def _read(text: str, platform: str | None) -> tuple[str, str]:
    """Return platform and operating system that some names show."""
    text = text.lower()
    for pattern, os_version, found in _NAMES:
        match = re.search(pattern, text)
        if match and platform in (None, found):
            return found, os_version.format(*match.groups())
    if platform is None and "windows" in text:
        platform = "Windows"
    return platform or "Linux", _DEFAULTS[platform or "Linux"]
