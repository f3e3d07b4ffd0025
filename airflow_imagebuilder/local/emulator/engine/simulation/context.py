"""SimulationContext: what every part of the engine shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine.simulation import notifications
from airflow_imagebuilder.local.emulator.engine.state import Effect, Image, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine.clock import Clock, Timers
    from airflow_imagebuilder.local.emulator.engine.identifiers import Identifiers
    from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Behaviour
    from airflow_imagebuilder.local.emulator.engine.state import Doc
    from airflow_imagebuilder.local.emulator.engine.world import World


@dataclass
class SimulationContext:
    """State, time, ids, behaviour, and the sink for effects on the world.

    :param world: knows what is there outside of Image Builder.
    :param sink: carries out an effect in the world.
    """

    state: State
    clock: Clock
    timers: Timers
    ids: Identifiers
    behaviour: Behaviour
    world: World
    sink: Callable[[Effect], None]

    def __post_init__(self) -> None:
        #: Called with every new status of an image; replaced by what follows the pipelines.
        self.pipeline_status: Callable[[Image, str], None] = lambda _image, _status: None

    @property
    def account(self) -> str:
        """The account of the state."""
        return self.state.account

    def after(self, seconds: float, kind: str, *args: object) -> None:
        """Set a timer.

        :param seconds: virtual seconds from now.
        """
        self.timers.add(self.clock.now() + seconds, kind, *args, account=self.account)

    def emit(self, kind: str, region: str, data: Doc) -> None:
        """Send an effect to the world."""
        self.sink(Effect(kind, region, self.clock.now(), data, self.account))

    def set_status(
        self, image: Image, status: str, *, reason: str | None = None, failure: Doc | None = None
    ) -> None:
        """Set the status of an image: in its state, its history, its event and its pipeline's last run."""
        previous = image.doc.get("state", {}).get("status")
        image.doc["state"] = {"status": status}
        if reason:
            image.doc["state"]["reason"] = reason[:1024]
        if failure:
            image.doc["state"]["failureContext"] = failure
        now = self.clock.now()
        image.history.append({"status": status, "virtual": now, "real": self.clock.real_of(now)})
        if previous and status in guesses.EVENT_STATUSES:
            self._event(image, previous, status)
        self.pipeline_status(image, status)

    def _event(self, image: Image, previous: str, status: str) -> None:
        detail = {"previous-state": {"status": previous}, "state": {"status": status}}
        self.emit(
            "event",
            image.region,
            {"type": "EC2 Image Builder Image State Change", "resources": [image.arn], "detail": detail},
        )
        topic = image.infrastructure.get("snsTopicArn")
        if topic and status in ("AVAILABLE", "FAILED"):
            data = {"topic": topic, "message": notifications.message(image)}
            self.emit("notification", image.region, data)

    def log(self, image: Image, lines: list[str]) -> None:
        """Write lines into the log stream of a build."""
        given = image.doc.get("loggingConfiguration", {}).get("logGroupName")
        group = given or f"/aws/imagebuilder/{image.doc['name']}"
        data = {"group": group, "stream": image.doc["version"], "lines": lines}
        self.emit("log", image.region, data)
