"""Demo: one bake of a golden image with a real Airflow, shown from the start of the servers to their stop."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.text import Text

from airflow_imagebuilder.local.demo.display import (
    BakeView,
    Stages,
    ami_table,
    image_name,
    styled,
    workflow_table,
)
from airflow_imagebuilder.local.demo.failure import first_line, remedy
from airflow_imagebuilder.local.demo.progress import Progress, amis_in_ec2, read_progress
from airflow_imagebuilder.local.stack.airflow_client import TERMINAL, AirflowApi, AirflowApiError
from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.local.stack.environment import REGION
from airflow_imagebuilder.pages import images_page, run_page
from airflow_imagebuilder.xcom import ARN_KEY

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from airflow_imagebuilder.local.stack.airflow import AirflowStack
    from airflow_imagebuilder.local.stack.compose import ComposeStack
    from airflow_imagebuilder.local.stack.image_builder import LocalService

DAG = "golden_image"
PLUGIN = "imagebuilder"
"""The name of the package's plugin, as Airflow lists it."""
_BAKE_SECONDS = 600
_POLL_SECONDS = 0.5


class DemoError(RuntimeError):
    """The demo did not produce an image; the message says what happened."""


class ImageFailedError(DemoError):
    """The image failed, which a scenario may want; the servers and the Dag work.

    :param lines: why, where to see it, and what to do next.
    """

    def __init__(self, message: str, lines: tuple[str, ...]) -> None:
        super().__init__(message)
        self.lines = lines


class Platform(Protocol):
    """What a demo runs on: an Airflow and an Image Builder that start and stop together."""

    @property
    def airflow(self) -> AirflowStack | ComposeStack:
        """The Airflow that runs the Dag."""

    @property
    def service(self) -> LocalService:
        """The Image Builder that builds the image."""

    @property
    def logs(self) -> str:
        """Where the user finds the logs of the servers."""

    def start(self, stages: Stages) -> None:
        """Start everything and wait until it is ready; each stage is timed and printed.

        :raises StackError: a server did not start.
        """

    def dead(self) -> str | None:
        """Return which server stopped by itself, with the last lines of its log; None if all run."""

    def stop(self) -> None:
        """Stop everything that :meth:`start` started."""


class Demo:
    """One demo on one platform.

    :param console: where everything is printed.
    :param dags: folder with the Dags, shown to the user.
    :param dag_id: the Dag to run; ``golden_image`` by default.
    """

    def __init__(self, console: Console, platform: Platform, *, dags: Path, dag_id: str = DAG) -> None:
        self._console = console
        self._platform = platform
        self._dags = dags
        self._dag_id = dag_id
        self._stages = Stages(console)
        self._pages: tuple[str, ...] = ()

    def run(self, *, stay: bool) -> None:
        """Bake an image, show it, and stop everything.

        :param stay: keep everything running until the user interrupts (Ctrl-C), even if the bake fails.
        :raises DemoError: the bake produced no image.
        :raises AirflowApiError: Airflow refused a request.
        :raises StackError: a server did not start, or stopped by itself.
        """
        try:
            self._platform.start(self._stages)
            address = (
                f"Airflow on {self._platform.airflow.url}, Image Builder on {self._platform.service.url}"
            )
            self._stages.report(address)
            if stay:
                self._bake_and_stay()
            else:
                self._bake()
        finally:
            with self._stages("stop", lambda: "the servers end what they do"):
                self._platform.stop()
        self._console.print(self._stages.table())
        if stay:
            line = f"Everything is stopped. Logs: {self._platform.logs}"
            self._console.print(line, markup=False, soft_wrap=True)

    def _bake_and_stay(self) -> None:
        self._print_access()
        try:
            self._bake()
        except ImageFailedError as failed:
            lines = ("", *failed.lines, "Everything keeps running.", "")
            self._console.print(*lines, sep="\n", markup=False, highlight=False, soft_wrap=True)
        except (DemoError, AirflowApiError) as error:
            self._console.print(f"{error}", style="red", markup=False)
        self._console.print(self._stages.table())
        self._print_access()
        with suppress(KeyboardInterrupt), self._staying():
            while (dead := self._platform.dead()) is None:
                time.sleep(1)
            raise StackError(dead)

    def _staying(self) -> AbstractContextManager[None]:
        """Show in a terminal that the servers run; a log gets no lines while a person uses them."""
        if not self._stages.is_live:
            return nullcontext()
        return self._stages.moving(lambda: "everything runs; Ctrl-C stops it")

    def _bake(self) -> None:
        api = self._platform.airflow.api
        with self._stages(f"Dag {self._dag_id}", lambda: "Airflow reads the folder of the Dags"):
            api.wait_for_dag(self._dag_id)
            api.unpause(self._dag_id)
            run_id = api.trigger(self._dag_id)
        self._report_pages(api, run_id)
        view = BakeView(self._stages)
        with self._stages("bake", view.waits_for, view.table):
            state, progress = self._watch(api, run_id, view)
        if state != "success":
            message = f"Dag run {run_id} ended {state}\n\n{self._failed_logs(api, run_id)}"
            why = progress and first_line(progress)
            if progress and why:
                raise ImageFailedError(message, self._failure(progress, why, api, run_id))
            raise DemoError(message)
        if progress is None:
            raise DemoError("the Dag run succeeded without an image")
        self._print_image(progress)

    def _failure(self, progress: Progress, why: str, api: AirflowApi, run_id: str) -> tuple[str, ...]:
        failed = [task["task_id"] for task in api.tasks(self._dag_id, run_id) if task["state"] == "failed"]
        return (
            why,
            *(f"To see why:    {line.split()[-1]}" for line in self._pages[:1]),
            f"To repair it:  {remedy(progress, failed)}",
        )

    def _report_pages(self, api: AirflowApi, run_id: str) -> None:
        """Print where the run and all images are seen: in Airflow's UI, before 3.1 without its frame."""
        plugin = api.plugin(PLUGIN)
        if plugin is None:
            return
        framed, base = bool(plugin.get("react_apps")), self._platform.airflow.url
        self._pages = (
            f"Image build:   {run_page(self._dag_id, run_id, framed=framed, base=base)}",
            f"Golden images: {images_page(framed=framed, base=base)}",
        )
        for line in self._pages:
            self._stages.report(line)

    def _watch(self, api: AirflowApi, run_id: str, view: BakeView) -> tuple[str, Progress | None]:
        """Show the run until it has finished."""
        client = self._platform.service.client("imagebuilder")
        deadline = time.monotonic() + _BAKE_SECONDS
        progress: Progress | None = None
        while True:
            state = api.run(self._dag_id, run_id)["state"]
            arn = next(iter(api.xcoms(self._dag_id, run_id, ARN_KEY)), None)
            progress = _read(client, arn, progress) if arn else None
            view.show(state, api.states(self._dag_id, run_id), progress)
            if state in TERMINAL:
                return state, progress
            if (dead := self._platform.dead()) is not None:
                raise StackError(dead)
            if time.monotonic() > deadline:
                late = f"Dag run {run_id} is still {state} after {_BAKE_SECONDS} s"
                raise DemoError(f"{late}\n\n{self._failed_logs(api, run_id)}")
            time.sleep(_POLL_SECONDS)

    def _failed_logs(self, api: AirflowApi, run_id: str) -> str:
        """Return the log of every task that failed, also of those that wait for their next try."""
        failed = [t for t in api.tasks(self._dag_id, run_id) if t["state"] in {"failed", "up_for_retry"}]
        return "\n\n".join(
            f"Log of task {task['task_id']}, try {task['try_number']}:\n"
            + api.task_log(self._dag_id, run_id, task["task_id"], task["try_number"], task["map_index"])
            for task in failed
        )

    def _print_image(self, progress: Progress) -> None:
        """Print the image, its workflows and its AMIs.

        :raises DemoError: EC2 does not have all AMIs of the image.
        """
        image = progress.image
        regions = {ami.region for ami in image.amis}
        amis = amis_in_ec2({name: self._platform.service.client("ec2", name) for name in regions}, image.amis)
        self._console.print("\nImage", Text(image_name(image)), styled(image.status))
        self._console.print(image.arn, markup=False, highlight=False, soft_wrap=True)
        heading = "\nWorkflows, with durations on the virtual clock"
        self._console.print(heading, workflow_table(progress), sep="\n")
        self._console.print("\nAMIs, read back from EC2", ami_table(amis), "", sep="\n")
        if not amis or any(ami.status != "available" for ami in amis):
            raise DemoError("EC2 does not have every AMI of the image")

    def _print_access(self) -> None:
        """Print how the user reaches everything that runs."""
        airflow, service = self._platform.airflow, self._platform.service
        lines = (
            f"\nAirflow:       {airflow.url}  user {airflow.username}, password {airflow.password}",
            *self._pages,
            f"Image Builder: {service.url}  for the AWS CLI and boto3 in another terminal:",
            f"  export AWS_ENDPOINT_URL={service.url} AWS_DEFAULT_REGION={REGION}",
            "  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local",
            f"Control:       {_python()} -m airflow_imagebuilder.local control --url {service.url} --help",
            f"Dags:          {self._dags.resolve()}  read again every few seconds",
            f"Logs:          {self._platform.logs}",
            "Ctrl-C stops everything; the next start begins with an empty database.\n",
        )
        self._console.print(*lines, sep="\n", highlight=False, soft_wrap=True)


def _read(client: Any, arn: str, last: Progress | None) -> Progress | None:
    """Read the progress; while a scenario lets calls fail, return the last one."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return read_progress(client, arn)
    except (ClientError, BotoCoreError):
        return last


def _python() -> str:
    """Return this Python as a user types it: a path from the present folder, where it is below that."""
    here, python = Path.cwd(), Path(sys.executable)
    return str(python.relative_to(here) if python.is_relative_to(here) else python)
