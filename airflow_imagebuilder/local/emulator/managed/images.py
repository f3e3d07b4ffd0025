"""The images that Amazon manages: base images by name.

Names and operating systems: ``aws-cdk-lib/aws-imagebuilder-alpha`` 2.275, and public templates. Versions are
dates, as in public outputs of the API (``amazon-linux-2-x86/2022.6.14/1``). Which dates there are changes
with
every release of an operating system and is listed nowhere: lists and wildcards show the dates that were seen
and one of this year, and a request that names any other day since 2019 gets the image of that day.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from typing import Final, NamedTuple

#: The date of the newest version of every image.
NEWEST: Final = "2026.10.14"
#: The day of re:Invent on which Image Builder appeared: no image is older.
_OLDEST: Final = date(2019, 12, 1)
#: The operating system of SUSE's images. The sources differ: the CDK writes ``SLES 15`` where a component
#: names the systems that it supports; no public output of GetImage was found.
SUSE: Final = "SUSE {}"
_SEEN: Final = {
    "amazon-linux-2-x86": ("2021.3.4", "2022.6.14"),
    "amazon-linux-2-arm64": ("2024.6.11",),
    "amazon-linux-2023-x86": ("2023.12.15",),
    "ubuntu-server-20-lts-x86": ("2023.5.2",),
    "ubuntu-server-22-lts-arm64": ("2025.5.8",),
    "ubuntu-server-22-lts-x86": ("2025.12.12",),
    "windows-server-2016-english-full-base-x86": ("2019.12.17",),
    "windows-server-2022-english-full-base-x86": ("2022.3.9",),
}
_MACS: Final = {"sonoma": "14", "sequoia": "15", "ventura": "13", "monterey": "12", "tahoe": "26"}
#: Families of names; the groups become the operating system.
_FAMILIES: Final = (
    (r"amazon-linux-(2|2023)-(?:x86|arm64)", "Amazon Linux {}", "Linux", "AMI"),
    (r"ubuntu-server-(16|18|20|22|24)-lts-(?:x86|arm64)", "Ubuntu {}", "Linux", "AMI"),
    (r"red-hat-enterprise-linux-(7|8|9|10)-(?:x86|arm64)", "Red Hat Enterprise Linux {}", "Linux", "AMI"),
    (r"suse-linux-enterprise-server-(12|15)-(?:x86|arm64)", SUSE, "Linux", "AMI"),
    (r"centos-(7|8)-x86", "CentOS {}", "Linux", "AMI"),
    (
        r"windows-server-(2012-r2|2016|2019|2022|2025)-english-(?:full|core)-(?:base|sql-[a-z0-9-]{4,40})-x86",
        "Microsoft Windows Server {}",
        "Windows",
        "AMI",
    ),
    (r"macos-(sonoma|sequoia|ventura|monterey|tahoe)-(?:x86|arm64)", "macOS {}", "macOS", "AMI"),
    (r"amazon-linux-x86-(?:2|latest)", "Amazon Linux 2", "Linux", "DOCKER"),
    (r"amazon-linux-(2023)-x86-(?:2023|latest)", "Amazon Linux {}", "Linux", "DOCKER"),
    (r"ubuntu-(18|20|22|24)-x86-[0-9]{2}-04", "Ubuntu {}", "Linux", "DOCKER"),
    (
        r"windows-server-(2016|2019|2022)-x86-core-ltsc[0-9]{4}-amd64",
        "Microsoft Windows Server {}",
        "Windows",
        "DOCKER",
    ),
)
#: The images that ListImages shows; GetImage and recipes know every name of the families.
LISTED: Final = (
    *("amazon-linux-2-x86", "amazon-linux-2-arm64", "amazon-linux-2023-x86", "amazon-linux-2023-arm64"),
    *("ubuntu-server-20-lts-x86", "ubuntu-server-22-lts-x86", "ubuntu-server-22-lts-arm64"),
    *("ubuntu-server-24-lts-x86", "ubuntu-server-24-lts-arm64"),
    *("red-hat-enterprise-linux-8-x86", "red-hat-enterprise-linux-9-x86"),
    *("red-hat-enterprise-linux-10-x86", "red-hat-enterprise-linux-10-arm64"),
    *("suse-linux-enterprise-server-15-x86", "suse-linux-enterprise-server-15-arm64"),
    *(
        f"windows-server-{year}-english-{edition}-base-x86"
        for year in ("2016", "2019", "2022", "2025")
        for edition in ("full", "core")
    ),
    *("macos-sonoma-x86", "macos-sonoma-arm64", "macos-sequoia-x86", "macos-sequoia-arm64"),
    *("amazon-linux-x86-2", "amazon-linux-2023-x86-2023", "ubuntu-22-x86-22-04", "ubuntu-24-x86-24-04"),
    *("windows-server-2016-x86-core-ltsc2016-amd64", "windows-server-2019-x86-core-ltsc2019-amd64"),
)


class ManagedImage(NamedTuple):
    """An image of Amazon's.

    :param type: AMI or DOCKER.
    :param versions: oldest first.
    """

    name: str
    platform: str
    os_version: str
    type: str
    versions: tuple[str, ...]

    @property
    def title(self) -> str:
        """The name that people read, e.g. ``Amazon Linux 2023 x86``."""
        words = {"lts": "LTS", "arm64": "arm64", "x86": "x86", "macos": "macOS", "sql": "SQL", "suse": "SUSE"}
        return " ".join(words.get(word, word.capitalize()) for word in self.name.split("-"))

    @property
    def architecture(self) -> str:
        """The architecture, in EC2's words."""
        if "arm64" in self.name:
            return "arm64_mac" if self.platform == "macOS" else "arm64"
        return "x86_64_mac" if self.platform == "macOS" else "x86_64"

    def resolve(self, wanted: str) -> str | None:
        """Return the newest version that fits a wanted one; None if none does.

        :param wanted: a version, perhaps with ``x``.
        """
        nodes = wanted.split(".")
        fitting = [v for v in self.versions if _fits(v, nodes)]
        if fitting:
            return max(fitting, key=lambda version: [int(node) for node in version.split(".")])
        return wanted if _is_day(nodes) else None

    def ami(self, region: str, version: str) -> str:
        """The id of its AMI in a region, always the same one."""
        digest = hashlib.sha256(f"{region}/{self.name}/{version}".encode()).hexdigest()
        return f"ami-{digest[:17]}"


def find(name: str) -> ManagedImage | None:
    """Return the image of a name; None if Amazon has none of that name."""
    for pattern, os_version, platform, type_ in _FAMILIES:
        if match := re.fullmatch(pattern, name):
            groups = [_MACS.get(group, group).replace("2012-r2", "2012 R2") for group in match.groups()]
            versions = (*_SEEN.get(name, ()), NEWEST)
            return ManagedImage(name, platform, os_version.format(*groups), type_, versions)
    return None


def _fits(version: str, wanted: list[str]) -> bool:
    return all(want in ("x", node) for node, want in zip(version.split("."), wanted, strict=True))


def _is_day(nodes: list[str]) -> bool:
    """Whether a version is a day between the first image and the newest, as Amazon writes it: 2024.6.11."""
    if not all(re.fullmatch(r"[1-9][0-9]{0,3}", node) for node in nodes):
        return False
    try:
        day, newest = (date(*map(int, version)) for version in (nodes, NEWEST.split(".")))
    except ValueError:
        return False
    return _OLDEST <= day <= newest
