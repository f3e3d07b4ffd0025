"""World: the AWS services around Image Builder, as far as the engine needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Effect


class World(Protocol):
    """AMIs, parameters, events and logs."""

    def apply(self, effect: Effect) -> None:
        """Carry out an effect."""

    def has_ami(self, region: str, ami: str) -> bool:
        """Whether EC2 has an AMI."""

    def parameter(self, region: str, name: str) -> str | None:
        """The value of a parameter of Systems Manager.

        :param name: ``ssm:<name>`` or the parameter's ARN.
        :return: the value; None if there is none.
        """


class Recorder:
    """A world that begins empty and only keeps the effects, for tests of the engine."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []

    def apply(self, effect: Effect) -> None:
        """Keep an effect."""
        self.effects.append(effect)

    def of(self, kind: str) -> list[Effect]:
        """The effects of one kind, oldest first."""
        return [effect for effect in self.effects if effect.kind == kind]

    def has_ami(self, region: str, ami: str) -> bool:
        """Whether an effect has made the AMI."""
        return any(e.data["id"] == ami for e in self.of("ami") if e.region == region)

    def parameter(self, region: str, name: str) -> str | None:
        """The value that the latest effect has put."""
        found = [e.data for e in self.of("parameter") if e.region == region]
        values = {str(data["name"]): str(data["value"]) for data in found}
        return values.get(name.removeprefix("ssm:"))
