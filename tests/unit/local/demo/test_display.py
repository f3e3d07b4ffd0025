"""The display of a bake: one line per change in a file, a table in a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from airflow_imagebuilder.local.demo.display import BakeView, Stages, ami_table, minutes, workflow_table
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
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)
    with BakeView(console, Stages(console)) as view:
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


def test_a_stage_that_fails_is_timed_too() -> None:
    console = Console(file=io.StringIO())
    stages = Stages(console)
    with pytest.raises(ZeroDivisionError), stages("divide"):
        _ = 1 / 0
    assert list(stages.table().columns[0].cells) == ["divide", "in all"]


def test_tables_have_a_row_for_each_thing() -> None:
    assert workflow_table(progress(boot="RUNNING", users="FAILED")).row_count == 2
    assert ami_table([Ami(region="r", image="i", name="n", status="available")]).row_count == 1


@pytest.mark.parametrize(("seconds", "text"), [(None, ""), (0, "0:00"), (59.9, "0:59"), (600, "10:00")])
def test_durations_are_minutes_and_seconds(seconds: float | None, text: str) -> None:
    assert minutes(seconds) == text
