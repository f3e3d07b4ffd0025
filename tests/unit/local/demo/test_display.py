"""The display of a bake: one line per change in a file, a table in a terminal."""

from __future__ import annotations

import io
import threading
from itertools import pairwise

import pytest
from rich.console import Console

from airflow_imagebuilder.local.demo import display
from airflow_imagebuilder.local.demo.display import (
    TICK,
    BakeView,
    Stages,
    ami_table,
    minutes,
    workflow_table,
)
from airflow_imagebuilder.local.demo.progress import Progress
from airflow_imagebuilder.service.results.image import Ami, ImageResult
from airflow_imagebuilder.service.results.workflow import TestResult

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/golden/1.0.0/1"


def progress(**statuses: str) -> Progress:
    image = ImageResult(arn=ARN, name="golden", version="1.0.0/1", status="TESTING")
    tests = tuple(
        TestResult(
            name=name,
            arn=f"{ARN.rsplit(':', 1)[0]}:workflow/test/{name}/1.0.0/1",
            type="TEST",
            status=status,
            duration=61 if status != "RUNNING" else None,
            message=status,
        )
        for name, status in statuses.items()
    )
    return Progress(image=image, workflows=tests)


def shown(*moments: tuple[str, dict[str, str | None], Progress | None], terminal: bool = False) -> str:
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=120, color_system=None, _environ={"TERM": "xterm"}
    )
    stages = Stages(console)
    view = BakeView(stages)
    with stages.moving(view.waits_for, view.table):
        for moment in moments:
            view.show(*moment)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return str(text)


def test_without_a_terminal_every_change_is_one_line_and_an_unchanged_state_is_not_repeated() -> None:
    lines = shown(
        ("running", {"image": None}, None),
        ("running", {"image": "deferred"}, progress(boot="RUNNING")),
        ("running", {"image": "deferred"}, progress(boot="RUNNING")),
        ("success", {"image": "success"}, progress(boot="COMPLETED")),
    ).splitlines()
    assert [line.split("] ")[1] for line in lines] == [
        "Dag run: running",
        "task image: deferred",
        "test boot: RUNNING",
        "image golden 1.0.0/1: TESTING  tests: 1 running, 0 of 1 done",
        "task image: success",
        "test boot: COMPLETED (1:01)",
        "Dag run: success",
    ]


def test_in_a_terminal_a_table_shows_the_present_states() -> None:
    screen = shown(
        ("running", {"image": "deferred", "build": None}, progress(boot="RUNNING", users="FAILED")),
        terminal=True,
    )
    assert "1 deferred, 1 waiting" in screen
    assert "tests: 1 running, 1 of 2 done" in screen
    assert "users: FAILED" in screen


def test_before_the_image_is_submitted_a_terminal_shows_the_run_alone() -> None:
    assert "Dag run queued" in shown(("queued", {}, None), terminal=True)


# -- it always moves ---------------------------------------------------------------------------------------


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def times_of(printed: str) -> list[float]:
    """Return the seconds at the beginning of each line."""
    return [float(line[1:].split(" s]")[0]) for line in printed.splitlines()]


def test_without_a_terminal_no_five_seconds_pass_without_a_line() -> None:
    console, clock = Console(file=io.StringIO(), width=120), Clock()
    stages = Stages(console, clock)
    changes = {3.0: "scheduler: up", 14.5: "triggerer: up"}
    stages.report("Airflow ...")
    while clock.now < 30:
        clock.now += TICK
        if clock.now in changes:
            stages.report(changes[clock.now])
        stages.tick(lambda: "Airflow: triggerer starting")
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    times = [*times_of(printed), clock.now]
    assert max(later - earlier for earlier, later in pairwise(times)) < 5
    # A line that something else printed is worth a pause, too.
    assert times[:4] == [0, 3, 7, 11]
    assert "[  7.0 s] Airflow: triggerer starting\n" in printed


class Heard(io.StringIO):
    """A file that says when a text has been printed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.event = threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if self._text in self.getvalue():
            self.event.set()
        return written


@pytest.mark.parametrize("terminal", [False, True], ids=["file", "terminal"])
def test_a_stage_that_blocks_shows_what_it_waits_for(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr(display, "QUIET", 0)
    monkeypatch.setattr(display, "TICK", 0.01)
    file, said = Heard("Airflow: triggerer starting"), ["scheduler"]
    console = Console(
        file=file, force_terminal=terminal, width=120, color_system=None, _environ={"TERM": "xterm"}
    )
    with Stages(console)("Airflow", lambda: f"{said[0]} starting"):
        said[0] = "triggerer"
        assert terminal or display.PULSE in {thread.name for thread in threading.enumerate()}
        assert file.event.wait(30), file.getvalue()
    assert display.PULSE not in {thread.name for thread in threading.enumerate()}


def test_what_a_stage_waits_for_may_be_unknown_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "QUIET", 0)
    monkeypatch.setattr(display, "TICK", 0.01)
    file = Heard("s] divide\n")
    with Stages(Console(file=file, width=120))("divide", lambda: str(1 / 0)):
        assert file.event.wait(30), file.getvalue()


def test_a_terminal_without_cursor_gets_lines() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert not Stages(console).is_live


def test_a_bake_says_what_runs() -> None:
    view = BakeView(Stages(Console(file=io.StringIO())))
    assert view.waits_for() == "Dag run queued, tasks: none yet"
    view.show("running", {"image": "deferred", "build": None}, None)
    assert view.waits_for() == "Dag run running, tasks: 1 deferred, 1 waiting"
    view.show("running", {"image": "deferred"}, progress(boot="RUNNING", users="COMPLETED", disk="RUNNING"))
    assert view.waits_for() == "image TESTING, test boot, test disk"


def test_a_stage_that_fails_is_timed_too() -> None:
    console = Console(file=io.StringIO())
    stages = Stages(console)
    with pytest.raises(ZeroDivisionError), stages("divide"):
        _ = 1 / 0
    assert list(stages.table().columns[0].cells) == ["divide", "in all"]


def test_tables_have_a_row_for_each_thing() -> None:
    assert workflow_table(progress(boot="RUNNING", users="FAILED")).row_count == 2
    assert ami_table([Ami(region="r", image="i", name="n", status="available")]).row_count == 1


def test_a_name_is_printed_as_it_is() -> None:
    written = io.StringIO()
    console = Console(width=120, file=written)
    console.print(ami_table([Ami(region="r", image="i", name="web [red] [/x]", status="available")]))
    assert "web [red] [/x]" in written.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(None, ""), (0, "0:00"), (59.9, "0:59"), (600, "10:00")])
def test_durations_are_minutes_and_seconds(seconds: float | None, text: str) -> None:
    assert minutes(seconds) == text
