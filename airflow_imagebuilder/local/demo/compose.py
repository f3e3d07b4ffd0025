"""Bake a golden image on Airflow's distributed engine: docker-compose.yaml, from build to removal.

Builds the images, starts the containers, waits until all are healthy, triggers the Dag ``golden_image``
through the REST API, shows the progress of the bake, reads the AMIs back from EC2, and removes everything.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.demo.command_line import run
from airflow_imagebuilder.local.emulator.scenario import load
from airflow_imagebuilder.local.stack.compose import ComposeStack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_imagebuilder.local.demo.display import Stages


class Docker:
    """The containers of docker-compose.yaml.

    :param state: folder for the environment file.
    :param dags: folder with the Dags.
    :param speed: virtual seconds per second.
    :param scenario: what fails and how long it takes, without its seed; nothing fails by default.
    """

    logs = "docker logs CONTAINER, until the containers are removed"

    def __init__(self, state: Path, dags: Path, speed: float, scenario: Path | None = None) -> None:
        self.airflow = ComposeStack(state, dags, speed)
        self.service = self.airflow.service
        self._scenario = load(scenario) if scenario else {}
        self._scenario.pop("seed", None)  # counts at the start of a service alone

    def start(self, stages: Stages) -> None:
        """Build the images, start the containers, and report what became of each."""
        for variable, image in self.airflow.stand_ins.items():
            stages.report(f"STAND-IN, not the official image: {variable}={image}")
        with stages("build images", lambda: self.airflow.waits_for):
            self.airflow.build()
        with stages("start containers", lambda: self.airflow.waits_for):
            self.airflow.up()
        with stages("health of all containers", lambda: self.airflow.waits_for):
            self.airflow.wait_ready()
        for container in self.airflow.containers():
            stages.report(f"{container.name}: {container.status}")
        if self._scenario:
            self.service.control(**self._scenario)

    def dead(self) -> str | None:
        """Return which container stopped by itself, with the last lines of its log; None if all run."""
        return self.airflow.dead()

    def stop(self) -> None:
        """Remove every container, network and volume that was made here."""
        self.airflow.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo on Docker and return its exit code."""
    module = "airflow_imagebuilder.local.demo.compose"
    return run(Docker, arguments, module=module, description=__doc__, state=Path(".demo/compose"))


if __name__ == "__main__":
    sys.exit(main())
