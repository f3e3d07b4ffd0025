"""What the start of servers waits for, in words: the demo shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.stack import compose
from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.local.stack.compose import ComposeStack

if TYPE_CHECKING:
    from pathlib import Path

UP = {"metadatabase": True, "scheduler": True, "triggerer": True, "dag-processor": True}


def test_an_airflow_that_starts_names_what_is_up_and_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, said = AirflowStack(tmp_path / "home", tmp_path), []
    answers = iter([{}, {**UP, "triggerer": False}, UP])

    def health() -> dict[str, bool]:
        said.append(stack.waits_for)
        return next(answers)

    monkeypatch.setattr(stack.api, "health", health)
    stack.wait_ready()
    assert said == [
        "",
        "api-server starting",
        "api-server up, scheduler up, triggerer starting, dag-processor up",
    ]
    assert stack.waits_for == ""


def test_containers_that_are_built_show_the_last_line_of_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "compose_command", lambda: ["sh", "-c", "echo one; echo; echo two", "sh"])
    stack, said = ComposeStack(tmp_path / "home", tmp_path, 60), []
    real = compose._run

    def run(command: Any, **options: Any) -> Any:
        done = real(command, **options)
        said.append(stack.waits_for)
        return done

    monkeypatch.setattr(compose, "_run", run)
    stack.up()
    assert said == ["compose up: two"]
    assert stack.waits_for == ""


def test_output_that_was_shown_is_in_the_error_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        compose, "compose_command", lambda: ["sh", "-c", "echo no space left >&2; exit 3", "sh"]
    )
    stack = ComposeStack(tmp_path / "home", tmp_path, 60)
    with pytest.raises(StackError, match="exit code 3\nno space left"):
        stack.up()
    assert stack.waits_for == ""
