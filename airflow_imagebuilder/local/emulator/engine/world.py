"""What the engine needs of the world around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Effect


class World(Protocol):
    """AMIs, parameters, events and logs."""

    def apply(self, effect: Effect) -> None:
        """Let an effect happen."""

    def has_ami(self, region: str, ami: str) -> bool:
        """Whether there is such an AMI."""

    def parameter(self, region: str, name: str) -> str | None:
        """The value of a parameter, named as ``ssm:<name>`` or by its ARN."""


class Recorder:
    """A world in which nothing is; it keeps the effects, for tests of the engine."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []

    def apply(self, effect: Effect) -> None:
        """Keep an effect."""
        self.effects.append(effect)

    def of(self, kind: str) -> list[Effect]:
        """The effects of one kind, in order."""
        return [effect for effect in self.effects if effect.kind == kind]

    def has_ami(self, region: str, ami: str) -> bool:
        """Whether an effect has made it."""
        return any(e.data["id"] == ami for e in self.of("ami") if e.region == region)

    def parameter(self, region: str, name: str) -> str | None:
        """The value that an effect has put last."""
        found = [e.data for e in self.of("parameter") if e.region == region]
        values = {str(data["name"]): str(data["value"]) for data in found}
        return values.get(name.removeprefix("ssm:"))
