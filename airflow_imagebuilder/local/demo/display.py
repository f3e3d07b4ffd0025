"""The display of a running bake: a live table in a terminal, one line per change anywhere else."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from airflow_imagebuilder.service.results.states import WORKFLOW_FAILED, WorkflowStatus, is_workflow_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Self

    from airflow_imagebuilder.local.demo.progress import Progress
    from airflow_imagebuilder.service.results.image import Ami, ImageResult
    from airflow_imagebuilder.service.results.workflow import WorkflowResult

_FAILED = WORKFLOW_FAILED - {WorkflowStatus.CANCELLED}
_STYLES = {
    "COMPLETED": "green",
    "AVAILABLE": "green",
    "success": "green",
    "FAILED": "red",
    "CANCELLED": "red",
    "failed": "red",
    "upstream_failed": "red",
    "RUNNING": "yellow",
    "running": "yellow",
    "deferred": "yellow",
}


def styled(state: str) -> Text:
    """Return a state in its colour."""
    return Text(state, style=_STYLES.get(state, ""))


def minutes(seconds: float | None) -> str:
    """Return seconds as ``m:ss``."""
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Stages:
    """The stages of the demo, and how long each took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._took: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time a stage, also if it fails."""
        self.report(f"{name} ...")
        started = time.monotonic()
        try:
            yield
        finally:
            self._took[name] = time.monotonic() - started

    def report(self, text: str) -> None:
        """Print a line with the seconds since the demo started."""
        line = f"[{self.elapsed:5.1f} s] {text}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the demo started."""
        return time.monotonic() - self._started

    def table(self) -> Table:
        """Return a table of the stages, their seconds and the total."""
        table = Table("Stage", box=None, pad_edge=False)
        table.add_column("Seconds", justify="right")
        for name, seconds in self._took.items():
            table.add_row(name, f"{seconds:.1f}")
        table.add_row("in all", f"{self.elapsed:.1f}", style="bold")
        return table


class BakeView:
    """Shows a bake: ``with BakeView(console, stages) as view: view.show(...)``, once per poll."""

    def __init__(self, console: Console, stages: Stages) -> None:
        self._console = console
        self._stages = stages
        self._shown: dict[str, str] = {}
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, run_state: str, tasks: Mapping[str, str | None], progress: Progress | None) -> None:
        """Show one moment.

        :param run_state: Airflow's state of the Dag run.
        :param tasks: Airflow's states of the task instances.
        :param progress: the image and its workflows; None until the image has been submitted.
        """
        if self._live:
            self._live.update(self._table(run_state, tasks, progress), refresh=True)
        else:
            self._print_changes(run_state, tasks, progress)

    def _table(self, run_state: str, tasks: Mapping[str, str | None], progress: Progress | None) -> Group:
        counted = ", ".join(f"{count} {state}" for state, count in _counted(tasks).items())
        run = Text.assemble(
            "Dag run ",
            styled(run_state),
            f"  {minutes(self._stages.elapsed)}  tasks: {counted or 'none yet'}",
        )
        if progress is None:
            return Group(run)
        name, status = image_name(progress.image), progress.image.status
        image = Text.assemble(f"Image {name} ", styled(status), f"  {tests_done(progress)}")
        return Group(run, image, workflow_table(progress))

    def _print_changes(
        self, run_state: str, tasks: Mapping[str, str | None], progress: Progress | None
    ) -> None:
        for task, state in tasks.items():
            self._print_change(f"task {task}", state or "")
        if progress is not None:
            for workflow in progress.workflows:
                took = f" ({minutes(workflow.duration)})" if workflow.duration is not None else ""
                self._print_change(f"{workflow.type.lower()} {workflow.name}", workflow.status, took)
            image = progress.image
            self._print_change(f"image {image_name(image)}", image.status, f"  {tests_done(progress)}")
        self._print_change("Dag run", run_state)

    def _print_change(self, thing: str, state: str, details: str = "") -> None:
        if state and self._shown.get(thing) != state:
            self._shown[thing] = state
            self._stages.report(f"{thing}: {state}{details}")


def _counted(tasks: Mapping[str, str | None]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for state in tasks.values():
        counts[state or "waiting"] = counts.get(state or "waiting", 0) + 1
    return counts


def image_name(image: ImageResult) -> str:
    """Return name, version and build, e.g. ``golden-al2023 1.0.0/1``."""
    return f"{image.name} {image.version}"


def tests_done(progress: Progress) -> str:
    """Return how many tests run and how many are done, e.g. ``tests: 5 running, 3 of 9 done``."""
    tests = progress.tests
    running = sum(test.status == WorkflowStatus.RUNNING for test in tests)
    done = sum(is_workflow_terminal(test.status) for test in tests)
    return f"tests: {running} running, {done} of {len(tests)} done" if tests else ""


def workflow_table(progress: Progress) -> Table:
    """Return a table of the workflows of an image; durations are on the service's clock."""
    table = Table("Workflow", "Type", "Group", "Status", box=None, pad_edge=False)
    table.add_column("Duration", justify="right")
    for workflow in progress.workflows:
        group, took = workflow.parallel_group or "", minutes(workflow.duration)
        table.add_row(workflow.name, workflow.type, group, styled(workflow.status), took)
    for workflow in filter(_failed, progress.workflows):
        table.caption = Text(f"{workflow.name}: {workflow.message}", style="red")
    return table


def _failed(workflow: WorkflowResult) -> bool:
    return workflow.status in _FAILED and bool(workflow.message)


def ami_table(amis: list[Ami]) -> Table:
    """Return a table of AMIs that were read back from EC2."""
    table = Table("Region", "AMI", "Name", "State in EC2", box=None, pad_edge=False)
    for ami in amis:
        table.add_row(ami.region, ami.image, ami.name, styled(ami.status or ""))
    return table
