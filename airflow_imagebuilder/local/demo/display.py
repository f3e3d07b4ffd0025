"""How a bake is shown while it goes on: a live table in a terminal, a line a change anywhere else."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Self

    from airflow_imagebuilder.local.demo.bake import Bake, WorkflowRow

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


def styled(word: str) -> Text:
    """Return a state in its colour."""
    return Text(word, style=_STYLES.get(word, ""))


def minutes(seconds: float | None) -> str:
    """Return seconds as ``m:ss``."""
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Stages:
    """What the demo does one after another, and how long each took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._took: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time a stage; where it fails, it is timed too."""
        self.tell(f"{name} ...")
        begun = time.monotonic()
        try:
            yield
        finally:
            self._took[name] = time.monotonic() - begun

    def tell(self, what: str) -> None:
        """Print a line with the time since the beginning."""
        line = f"[{self.elapsed:5.1f} s] {what}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the first stage was set up."""
        return time.monotonic() - self._begun

    def table(self) -> Table:
        """Return the stages with their seconds and the sum."""
        table = Table("Stage", box=None, pad_edge=False)
        table.add_column("Seconds", justify="right")
        for name, seconds in self._took.items():
            table.add_row(name, f"{seconds:.1f}")
        table.add_row("in all", f"{self.elapsed:.1f}", style="bold")
        return table


class BakeView:
    """Shows a bake: ``with BakeView(console, stages) as view: view.show(...)`` as often as one likes."""

    def __init__(self, console: Console, stages: Stages) -> None:
        self._console = console
        self._stages = stages
        self._told: dict[str, str] = {}
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

    def show(self, run_state: str, tasks: Mapping[str, str | None], bake: Bake | None) -> None:
        """Show one moment.

        :param run_state: Airflow's state of the Dag run.
        :param tasks: Airflow's states of the task instances.
        :param bake: the image; None while it has not been submitted.
        """
        if self._live:
            self._live.update(self._picture(run_state, tasks, bake), refresh=True)
        else:
            self._lines(run_state, tasks, bake)

    def _picture(self, run_state: str, tasks: Mapping[str, str | None], bake: Bake | None) -> Group:
        counted = ", ".join(f"{count} {state}" for state, count in _counted(tasks).items())
        run = Text.assemble(
            "Dag run ",
            styled(run_state),
            f"  {minutes(self._stages.elapsed)}  tasks: {counted or 'none yet'}",
        )
        if bake is None:
            return Group(run)
        image = Text.assemble(f"Image {bake.name} ", styled(bake.status), f"  {tests_told(bake)}")
        return Group(run, image, workflow_table(bake))

    def _lines(self, run_state: str, tasks: Mapping[str, str | None], bake: Bake | None) -> None:
        for task, state in tasks.items():
            self._tell(f"task {task}", state or "")
        if bake is not None:
            for row in bake.rows:
                took = f" ({minutes(row.seconds)})" if row.seconds is not None else ""
                self._tell(f"{row.kind.lower()} {row.name}", row.status, took)
            self._tell(f"image {bake.name}", bake.status, f"  {tests_told(bake)}")
        self._tell("Dag run", run_state)

    def _tell(self, what: str, state: str, more: str = "") -> None:
        if state and self._told.get(what) != state:
            self._told[what] = state
            self._stages.tell(f"{what}: {state}{more}")


def _counted(tasks: Mapping[str, str | None]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for state in tasks.values():
        counts[state or "waiting"] = counts.get(state or "waiting", 0) + 1
    return counts


def tests_told(bake: Bake) -> str:
    """Return how far the tests are, e.g. ``tests: 5 running, 3 of 9 done``."""
    done, running = sum(t.done for t in bake.tests), sum(t.status == "RUNNING" for t in bake.tests)
    return f"tests: {running} running, {done} of {len(bake.tests)} done" if bake.tests else ""


def workflow_table(bake: Bake) -> Table:
    """Return the workflows of an image as a table; durations are on the service's clock."""
    table = Table("Workflow", "Type", "Group", "Status", box=None, pad_edge=False)
    table.add_column("Duration", justify="right")
    for row in bake.rows:
        table.add_row(row.name, row.kind, row.group, styled(row.status), minutes(row.seconds))
    for row in filter(_failed, bake.rows):
        table.caption = Text(f"{row.name}: {row.message}", style="red")
    return table


def _failed(row: WorkflowRow) -> bool:
    return row.status in {"FAILED", "ROLLBACK_COMPLETED"} and bool(row.message)


def ami_table(amis: list[dict[str, str]]) -> Table:
    """Return the AMIs as a table."""
    table = Table("Region", "AMI", "Name", "State in EC2", box=None, pad_edge=False)
    for ami in amis:
        table.add_row(ami["region"], ami["image"], ami["name"], styled(ami["state"]))
    return table
