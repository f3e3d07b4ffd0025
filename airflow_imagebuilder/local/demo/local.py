"""Bake a golden image with a real Airflow, on this machine.

Starts the local Image Builder and the four processes of Airflow, triggers the Dag ``golden_image`` through
Airflow's REST API, shows how far the bake is, reads the AMIs back from EC2, and stops everything that it
started.
"""

from __future__ import annotations

import argparse
import fcntl
import shutil
import signal
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from airflow_imagebuilder.local.demo.bake import ARN_KEY, Bake, amis_in_ec2, look
from airflow_imagebuilder.local.demo.display import BakeView, Stages, ami_table, styled, workflow_table
from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.airflow_client import TERMINAL, AirflowApiError
from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.local.stack.environment import REGION, free_port
from airflow_imagebuilder.local.stack.image_builder import LocalService

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

SPEED = 60.0
"""Virtual seconds a second: a bake of half an hour is watched in half a minute."""

DAG = "golden_image"
_BAKE_SECONDS = 600
_DAGS = Path(__file__).parents[3] / "dags"


class DemoError(RuntimeError):
    """The demo did not end with an image; the message says what happened."""


class Demo:
    """One demo in one folder.

    :param state: folder for database, logs and secrets; what an earlier demo left in it is removed.
    :param dags: folder with the Dags.
    :param dag_id: the Dag to run.
    :param speed: virtual seconds a second.
    """

    def __init__(
        self, console: Console, *, state: Path, dags: Path, dag_id: str = DAG, speed: float = SPEED
    ) -> None:
        self._console = console
        self._stages = Stages(console)
        self._dag_id = dag_id
        self._dags = dags
        home = state / "airflow"
        shutil.rmtree(home, ignore_errors=True)
        self.service = LocalService(port=free_port(), speed=speed, home=state / "imagebuilder")
        # The default of 30 s would be half an hour of the service's clock.
        watch = {
            "AIRFLOW__IMAGEBUILDER__POLL_INTERVAL": "1",
            # Only what is triggered runs here, and a run of a paused Dag would stay queued without a word.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        }
        self.airflow = AirflowStack(home, dags, {**self.service.env, **watch})

    def run(self, *, stay: bool) -> None:
        """Bake, show, and stop everything; with ``stay`` only once the user says so (Ctrl-C).

        :raises DemoError: no image came out.
        :raises StackError: a server did not start.
        """
        try:
            self._start()
            if stay:
                self._tell_access()
            try:
                self._bake()
            except (DemoError, AirflowApiError) as error:
                if not stay:
                    raise
                self._console.print(f"{error}", style="red", markup=False)
            if stay:
                self._stay()
        finally:
            with self._stages("stop"):
                self.stop()
        self._console.print(self._stages.table())
        if stay:
            self._console.print(f"Everything is stopped. Logs: {self.airflow.home / 'logs'}", soft_wrap=True)

    def stop(self) -> None:
        """End every process that was started here."""
        try:
            self.airflow.stop()
        finally:
            self.service.stop()

    def _start(self) -> None:
        with self._stages("database and local service"):
            self.service.start(wait=False)
            self.airflow.start(wait=False)
            self.service.wait_ready()
        with self._stages("Airflow"):
            self.airflow.wait_ready()
        self._stages.tell(f"Airflow on {self.airflow.url}, Image Builder on {self.service.url}")

    def _bake(self) -> None:
        with self._stages(f"Dag {self._dag_id}"):
            self.airflow.api.wait_for_dag(self._dag_id)
            self.airflow.api.unpause(self._dag_id)
            run_id = self.airflow.api.trigger(self._dag_id)
        with self._stages("bake"), BakeView(self._console, self._stages) as view:
            state, bake = self._watch(run_id, view)
        if state != "success":
            raise DemoError(f"Dag run {run_id} ended {state}\n\n{self._failed_logs(run_id)}")
        self._show(bake)

    def _watch(self, run_id: str, view: BakeView) -> tuple[str, Bake | None]:
        """Show the run until it has ended."""
        api, client = self.airflow.api, self.service.client("imagebuilder")
        deadline = time.monotonic() + _BAKE_SECONDS
        while True:
            state = api.run(self._dag_id, run_id)["state"]
            arn = self._image_arn(run_id)
            bake = look(client, arn) if arn else None
            view.show(state, api.states(self._dag_id, run_id), bake)
            if state in TERMINAL:
                return state, bake
            if (dead := self.airflow.dead() or self.service.dead()) is not None:
                raise StackError(dead)
            if time.monotonic() > deadline:
                late = f"Dag run {run_id} is still {state} after {_BAKE_SECONDS} s"
                raise DemoError(f"{late}\n\n{self._failed_logs(run_id)}")
            time.sleep(0.5)

    def _image_arn(self, run_id: str) -> str | None:
        return next(iter(self.airflow.api.xcoms(self._dag_id, run_id, ARN_KEY)), None)

    def _failed_logs(self, run_id: str) -> str:
        """Return the log of every task that failed, for good or until its next try."""
        api, states = self.airflow.api, {"failed", "up_for_retry"}
        failed = [task for task in api.tasks(self._dag_id, run_id) if task["state"] in states]
        return "\n\n".join(
            f"Log of task {task['task_id']}, try {task['try_number']}:\n"
            + api.task_log(self._dag_id, run_id, task["task_id"], task["try_number"], task["map_index"])
            for task in failed
        )

    def _show(self, bake: Bake | None) -> None:
        """Print the image, its workflows and its AMIs.

        :raises DemoError: there is no image, or EC2 lacks one of its AMIs.
        """
        if bake is None:
            raise DemoError("the Dag run succeeded without an image")
        regions = {ami["region"] for ami in bake.amis}
        amis = amis_in_ec2({region: self.service.client("ec2", region) for region in regions}, bake.amis)
        self._console.print("\nImage", bake.name, styled(bake.status))
        self._console.print(bake.arn, highlight=False, soft_wrap=True)
        self._console.print(
            "\nWorkflows, with durations on the virtual clock", workflow_table(bake), sep="\n"
        )
        self._console.print("\nAMIs, read back from EC2", ami_table(amis), "", sep="\n")
        if not amis or any(ami["state"] != "available" for ami in amis):
            raise DemoError("EC2 does not have every AMI of the image")

    def _tell_access(self) -> None:
        """Say how to get at everything that runs."""
        stack, service = self.airflow, self.service
        lines = (
            f"\nAirflow:       {stack.url}  user {stack.username}, password {stack.password}",
            f"Image Builder: {service.url}  for the AWS CLI and boto3 in another terminal:",
            f"  export AWS_ENDPOINT_URL={service.url} AWS_DEFAULT_REGION={REGION}",
            "  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local",
            f"Dags:          {self._dags.resolve()}  read anew every few seconds",
            f"Logs:          {stack.home / 'logs'}",
            "Ctrl-C stops everything; the next start begins with an empty database.\n",
        )
        self._console.print(*lines, sep="\n", highlight=False, soft_wrap=True)

    def _stay(self) -> None:
        stack, service = self.airflow, self.service
        self._console.print(self._stages.table())
        self._tell_access()
        with suppress(KeyboardInterrupt):
            while (dead := stack.dead() or service.dead()) is None:
                time.sleep(1)
            raise StackError(dead)


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold a folder for this process alone.

    :raises DemoError: another demo runs in it.
    """
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f"another demo runs in {state}; stop it, or give --state another folder"
            ) from None
        yield


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _options(
    arguments: Sequence[str] | None, module: str, description: str | None, state: Path
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--stay", action="store_true", help="keep everything running until Ctrl-C")
    parser.add_argument("--speed", type=float, default=SPEED, help="virtual seconds a second (%(default)g)")
    parser.add_argument("--state", type=Path, default=state, help="folder for all files (%(default)s)")
    parser.add_argument("--dags", type=Path, default=_DAGS, help="folder with the Dags (%(default)s)")
    parser.add_argument("--dag-id", default=DAG, help="the Dag to run (%(default)s)")
    return parser.parse_args(arguments)


def run(
    demo: type[Demo],
    arguments: Sequence[str] | None = None,
    *,
    module: str,
    description: str | None,
    state: Path,
) -> int:
    """
    Run a demo from the command line.

    :param module: what ``python -m`` is given for it.
    :param state: the folder for its files where ``--state`` names no other.
    :return: the exit code: 0 with an image, 1 without, 130 when it was interrupted.
    """
    options = _options(arguments, module, description, state)
    # Nobody wraps a log file: without a terminal the tables get the room they need.
    console = Console(width=None if sys.stdout.isatty() else 120)
    # A closed terminal or a killed job ends like a Ctrl-C: nothing stays behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with only_one(options.state):
            demo(
                console, state=options.state, dags=options.dags, dag_id=options.dag_id, speed=options.speed
            ).run(stay=options.stay)
    except KeyboardInterrupt:
        console.print("interrupted; everything is stopped")
        return 130
    except (DemoError, StackError, AirflowApiError) as error:
        console.print(f"The demo failed: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo on this machine and return its exit code."""
    module = "airflow_imagebuilder.local.demo"
    return run(Demo, arguments, module=module, description=__doc__, state=Path(".demo"))
