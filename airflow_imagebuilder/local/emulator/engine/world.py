"""World: the AWS services around Image Builder, as far as the engine needs them."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Protocol

from airflow_imagebuilder.local.emulator.engine.identifiers import ACCOUNT

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Effect


class World(Protocol):
    """AMIs, parameters, events and logs, as one account sees them."""

    def in_account(self, account: str) -> World:
        """Return what another account sees."""

    def prepare(self) -> None:
        """Make what the golden resources name, unless it is there."""

    def apply(self, effect: Effect) -> None:
        """Carry out an effect."""

    def has_ami(self, region: str, ami: str) -> bool:
        """Whether EC2 has an AMI."""

    def parameter(self, region: str, name: str) -> str | None:
        """The value of a parameter of Systems Manager.

        :param name: ``ssm:<name>`` or the parameter's ARN.
        :return: the value; None if there is none.
        """

    def ami_name(self, region: str, ami: str) -> str | None:
        """The name of an AMI in EC2; None if there is no such AMI."""

    def ami_details(self, region: str, ami: str) -> Doc:
        """What EC2 knows of an AMI; nothing if it has none.

        :return: ``public``, ``accounts`` with a launch permission, ``tags``, ``architecture``, ``platform``.
        """

    def ami_named(self, region: str, name: str) -> str | None:
        """The id of the account's AMI of a name; None if there is none."""

    def has(self, region: str, kind: str, name: str) -> bool:
        """Whether there is a thing that a request names.

        :param kind: ``topic``, ``instance profile``, ``role``, ``repository``, ``key pair``, ``subnet``,
            ``security group`` or ``instance``, which runs.
        :param name: its ARN, name or id.
        """

    def is_region(self, region: str) -> bool:
        """Whether AWS has a region."""

    def has_launch_template(self, region: str, template: str) -> bool:
        """Whether EC2 has a launch template of this id."""

    def text(self, region: str, uri: str) -> str | None:
        """The text of an object in S3.

        :param uri: ``s3://<bucket>/<key>``.
        :return: the text; None if it cannot be read.
        """


class Recorder:
    """A world that begins empty and only keeps the effects, for tests of the engine."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.regions: frozenset[str] = frozenset()
        self.missing: set[tuple[str, str, str]] = set()
        self.account = ACCOUNT

    def in_account(self, account: str) -> World:
        """Return the same effects, as another account sees them."""
        other = copy.copy(self)
        other.account = account
        return other

    def prepare(self) -> None:
        """Nothing: there is all that a resource may name."""

    def apply(self, effect: Effect) -> None:
        """Keep an effect."""
        self.effects.append(effect)

    def of(self, kind: str) -> list[Effect]:
        """The effects of one kind, oldest first."""
        return [effect for effect in self.effects if effect.kind == kind]

    def has_ami(self, region: str, ami: str) -> bool:
        """Whether an effect has made the AMI."""
        return any(e.data["id"] == ami for e in self._amis(region))

    def _amis(self, region: str) -> list[Effect]:
        return [e for e in self.of("ami") if e.region == region and e.data["account"] == self.account]

    def parameter(self, region: str, name: str) -> str | None:
        """The value that the latest effect has put."""
        found = [
            e.data for e in self.of("parameter") if e.region == region and e.data["account"] == self.account
        ]
        values = {str(data["name"]): str(data["value"]) for data in found}
        return values.get(name.removeprefix("ssm:"))

    def ami_name(self, region: str, ami: str) -> str | None:
        """The name of an AMI that an effect has made."""
        found = [e.data["name"] for e in self._amis(region) if e.data["id"] == ami]
        return str(found[-1]) if found else None

    def ami_details(self, region: str, ami: str) -> Doc:
        """What the effects have made of an AMI."""
        made = [e.data["tags"] for e in self.of("ami") if e.region == region and e.data["id"] == ami]
        allowed = [p for e in self.of("launch_permission") if e.data["ami"] == ami for p in e.data["allowed"]]
        return {
            "tags": made[-1] if made else {},
            "public": {"Group": "all"} in allowed,
            "accounts": [p["UserId"] for p in allowed if "UserId" in p],
        }

    def ami_named(self, region: str, name: str) -> str | None:
        """The id of an AMI that an effect has made."""
        found = [e.data["id"] for e in self._amis(region) if e.data["name"] == name]
        return str(found[-1]) if found else None

    def has(self, region: str, kind: str, name: str) -> bool:
        """Whether there is a thing: always, except for what a test has put into ``missing``."""
        return (region, kind, name) not in self.missing

    def is_region(self, region: str) -> bool:
        """Whether a test has put a name into ``regions``; without any, whether it has the form of one."""
        if self.regions:
            return region in self.regions
        return re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", region) is not None

    def has_launch_template(self, region: str, template: str) -> bool:  # noqa: ARG002  (it has all of them)
        """Whether EC2 has a launch template: always."""
        return True

    def text(self, region: str, uri: str) -> str | None:  # noqa: ARG002  (it holds no objects)
        """Nothing: this world has no S3."""
        return None
