"""Bake a golden image with a real Airflow, on this machine.

Starts the local Image Builder and the four processes of Airflow, triggers the Dag ``golden_image`` through
Airflow's REST API, shows the progress of the bake, reads the AMIs back from EC2, and stops everything that it
started.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.demo.command_line import run
from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.environment import free_port
from airflow_imagebuilder.local.stack.image_builder import LocalService

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_imagebuilder.local.demo.display import Stages

_SETTINGS = {
    # The default of 30 s would be half an hour of the service's clock.
    "AIRFLOW__IMAGEBUILDER__POLL_INTERVAL": "1",
    # A run of a paused Dag would stay queued without any message.
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    # A Dag that waits for an asset runs, as on any Airflow; the schedules of the example Dags ask for no run
    # before their hour.
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
}


class ThisMachine:
    """The processes of Airflow and of the Image Builder, on this machine.

    :param state: folder for database, logs and secrets; the files of an earlier demo are removed.
    :param dags: folder with the Dags.
    :param speed: virtual seconds per second.
    :param scenario: what fails and how long it takes; nothing fails by default.
    """

    def __init__(self, state: Path, dags: Path, speed: float, scenario: Path | None = None) -> None:
        home = state / "airflow"
        shutil.rmtree(home, ignore_errors=True)
        self.service = LocalService(
            port=free_port(), speed=speed, scenario=scenario, home=state / "imagebuilder"
        )
        self.airflow = AirflowStack(home, dags, {**self.service.env, **_SETTINGS})
        self.logs = str(self.airflow.home / "logs")

    def start(self, stages: Stages) -> None:
        """Start both side by side, since each takes seconds."""
        with stages("database and local service", lambda: self.airflow.waits_for or self.service.waits_for):
            self.service.start(wait=False)
            self.airflow.start(wait=False)
            self.service.wait_ready()
        with stages("Airflow", lambda: self.airflow.waits_for):
            self.airflow.wait_ready()

    def dead(self) -> str | None:
        """Return which process stopped by itself, with the last lines of its log; None if all run."""
        return self.airflow.dead() or self.service.dead()

    def stop(self) -> None:
        """Stop every process that was started here."""
        try:
            self.airflow.stop()
        finally:
            self.service.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo on this machine and return its exit code."""
    module = "airflow_imagebuilder.local.demo"
    return run(ThisMachine, arguments, module=module, description=__doc__, state=Path(".demo"))
