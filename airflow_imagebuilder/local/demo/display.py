"""The display of a demo, which always moves: a live table in a terminal, lines anywhere else."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from airflow_imagebuilder.service.results.states import WORKFLOW_FAILED, WorkflowStatus, is_workflow_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import RenderableType

    from airflow_imagebuilder.local.demo.progress import Progress
    from airflow_imagebuilder.service.results.image import Ami, ImageResult
    from airflow_imagebuilder.service.results.workflow import WorkflowResult

QUIET = 4.0
"""Seconds after which a stage that has printed nothing says what it waits for: never more than five pass."""
PULSE = "pulse"
"""The name of the thread that asks."""
TICK = 0.5
"""Seconds between two questions whether it is time."""

_FAILED = WORKFLOW_FAILED - {WorkflowStatus.CANCELLED}
_RUNNING = WorkflowStatus.RUNNING
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


def _nothing() -> str:
    return ""


def _line(name: str, waits_for: Callable[[], str]) -> str:
    text = ""
    with suppress(Exception):  # the stage changes while it is asked
        text = waits_for()
    return f"{name}: {text}" if text else name


class Stages:
    """The stages of the demo: how long each took, and what the present one waits for.

    :param console: where they are printed.
    :param clock: returns seconds; the monotonic clock by default.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._started = self._printed = clock()
        self._took: dict[str, float] = {}
        self._printing = threading.RLock()
        self.is_live = console.is_terminal and not console.is_dumb_terminal

    @contextmanager
    def __call__(
        self,
        name: str,
        waits_for: Callable[[], str] = _nothing,
        body: Callable[[], RenderableType] | None = None,
    ) -> Iterator[None]:
        """Time a stage, also if it fails, and show meanwhile that it moves.

        :param waits_for: returns what the stage waits for at this moment; another thread calls it.
        :param body: returns what a terminal shows below that line.
        """
        self.report(f"{name} ...")
        started = self._clock()
        try:
            # A body says all of it and more.
            line = _nothing if body and self.is_live else waits_for
            with self.moving(lambda: _line(name, line), body):
                yield
        finally:
            self._took[name] = self._clock() - started

    @contextmanager
    def moving(
        self, text: Callable[[], str], body: Callable[[], RenderableType] | None = None
    ) -> Iterator[None]:
        """Show a line that moves in a terminal; anywhere else, print it after each pause of :data:`QUIET`."""
        if self.is_live:
            with self._live(text, body):
                yield
            return
        ended = threading.Event()
        pulse = threading.Thread(target=self._pulse, args=(ended, text), name=PULSE, daemon=True)
        try:
            pulse.start()
            yield
        finally:
            ended.set()
            if pulse.is_alive():  # Ctrl-C may come before it has begun
                pulse.join()

    def _live(self, text: Callable[[], str], body: Callable[[], RenderableType] | None) -> Live:
        spinner, started = Spinner("dots"), self._clock()

        def moment() -> RenderableType:
            line = f"{minutes(self._clock() - started)}  {text()}"
            spinner.update(text=Text(line, no_wrap=True, overflow="ellipsis"))
            return Group(spinner, body()) if body else spinner

        return Live(get_renderable=moment, console=self._console, refresh_per_second=8, transient=True)

    def _pulse(self, ended: threading.Event, text: Callable[[], str]) -> None:
        while not ended.wait(TICK):
            self.tick(text)

    def tick(self, text: Callable[[], str]) -> None:
        """Print a line if nothing was printed for some seconds."""
        with self._printing:
            if self._clock() - self._printed >= QUIET:
                self.report(text())

    def report(self, text: str) -> None:
        """Print a line with the seconds since the demo started."""
        with self._printing:
            line = f"[{self.elapsed:5.1f} s] {text}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            self._printed = self._clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the demo started."""
        return self._clock() - self._started

    def table(self) -> Table:
        """Return a table of the stages, their seconds and the total."""
        table = Table("Stage", box=None, pad_edge=False)
        table.add_column("Seconds", justify="right")
        for name, seconds in self._took.items():
            table.add_row(name, f"{seconds:.1f}")
        table.add_row("in all", f"{self.elapsed:.1f}", style="bold")
        return table


class BakeView:
    """Shows a bake: ``show`` once per poll, in a stage with its ``waits_for`` and ``table``."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._shown: dict[str, str] = {}
        self._moment: tuple[str, Mapping[str, str | None], Progress | None] = ("queued", {}, None)

    def show(self, run_state: str, tasks: Mapping[str, str | None], progress: Progress | None) -> None:
        """Show one moment.

        :param run_state: Airflow's state of the Dag run.
        :param tasks: Airflow's states of the task instances.
        :param progress: the image and its workflows; None until the image has been submitted.
        """
        self._moment = (run_state, tasks, progress)
        if not self._stages.is_live:
            self._print_changes(run_state, tasks, progress)

    def waits_for(self) -> str:
        """Return what the bake waits for, in a line."""
        run_state, tasks, progress = self._moment
        if progress is None:
            return f"Dag run {run_state}, tasks: {_listed(tasks)}"
        running = [f"{w.type.lower()} {w.name}" for w in progress.workflows if w.status == _RUNNING]
        return ", ".join([f"image {progress.image.status}", *running])

    def table(self) -> Group:
        """Return the run, the image and a table of its workflows."""
        run_state, tasks, progress = self._moment
        run = Text.assemble("Dag run ", styled(run_state), f"  tasks: {_listed(tasks)}")
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


def _listed(tasks: Mapping[str, str | None]) -> str:
    return ", ".join(f"{count} {state}" for state, count in _counted(tasks).items()) or "none yet"


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
        table.add_row(Text(workflow.name), workflow.type, Text(group), styled(workflow.status), took)
    for workflow in filter(_failed, progress.workflows):
        table.caption = Text(f"{workflow.name}: {workflow.message}", style="red")
    return table


def _failed(workflow: WorkflowResult) -> bool:
    return workflow.status in _FAILED and bool(workflow.message)


def ami_table(amis: list[Ami]) -> Table:
    """Return a table of AMIs that were read back from EC2."""
    table = Table("Region", "AMI", "Name", "State in EC2", box=None, pad_edge=False)
    for ami in amis:
        table.add_row(ami.region, Text(ami.image or ""), Text(ami.name or ""), styled(ami.status or ""))
    return table
