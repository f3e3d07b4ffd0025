"""Bake a golden image on Airflow's distributed engine: docker-compose.yaml, from build to removal.

Builds the images, starts the containers, waits until all are healthy, triggers the Dag ``golden_image``
through the REST API, shows how far the bake is, reads the AMIs back from EC2, and removes everything.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.demo.display import Stages
from airflow_imagebuilder.local.demo.local import DAG, SPEED, Demo, run
from airflow_imagebuilder.local.stack.compose import ComposeStack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console


class ComposeDemo(Demo):
    """The demo, with containers in the place of processes.

    :param state: folder for the environment file.
    :param dags: folder with the Dags.
    :param dag_id: the Dag to run.
    :param speed: virtual seconds a second.
    """

    def __init__(  # the processes of the other demo are not wanted, so its own set-up is not called
        self, console: Console, *, state: Path, dags: Path, dag_id: str = DAG, speed: float = SPEED
    ) -> None:
        self._console = console
        self._stages = Stages(console)
        self._dag_id = dag_id
        self._dags = dags
        self._stack = ComposeStack(state, dags, speed)
        self.service = self._stack.service
        self.airflow = self._stack  # type: ignore[assignment] # the demo asks it for what both have

    def stop(self) -> None:
        """Remove every container, network and volume that was made here."""
        self._stack.stop()

    def _start(self) -> None:
        for variable, image in self._stack.stand_ins.items():
            self._stages.tell(f"STAND-IN, not the official image: {variable}={image}")
        with self._stages("build images"):
            self._stack.build()
        with self._stages("start containers"):
            self._stack.up()
        with self._stages("health of all containers"):
            self._stack.wait_ready()
        for container in self._stack.containers():
            self._stages.tell(f"{container.name}: {container.status}")
        self._stages.tell(f"Airflow on {self._stack.url}, Image Builder on {self.service.url}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo on Docker and return its exit code."""
    module = "airflow_imagebuilder.local.demo.compose"
    return run(ComposeDemo, arguments, module=module, description=__doc__, state=Path(".demo/compose"))


if __name__ == "__main__":
    sys.exit(main())
