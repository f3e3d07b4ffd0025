"""An upgrade with runs in flight: a trigger that an earlier release stored in the database is still read."""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_imagebuilder import triggers

# One file per release, written at the release; never changed afterwards.
RELEASES = sorted(Path(__file__).parent.glob("triggers-*.json"))
STORED = [
    pytest.param(
        stored["classpath"], stored["kwargs"], id=f"{file.stem}-{stored['classpath'].split('.')[-1]}"
    )
    for file in RELEASES
    for stored in json.loads(file.read_text())
]


@pytest.mark.parametrize(("classpath", "kwargs"), STORED)
def test_a_trigger_of_an_earlier_release_keeps_everything_it_was_given(
    classpath: str, kwargs: dict[str, Any]
) -> None:
    module, name = classpath.rsplit(".", 1)
    trigger = getattr(import_module(module), name)(**kwargs)
    path, arguments = trigger.serialize()
    assert path == classpath
    assert kwargs.items() <= arguments.items()


def test_every_trigger_of_the_package_is_among_those_of_the_releases() -> None:
    kinds = {
        f"{triggers.__name__}.{name}"
        for name, kind in inspect.getmembers(triggers, inspect.isclass)
        if issubclass(kind, triggers.ImageBuilderTrigger) and kind is not triggers.ImageBuilderTrigger
    }
    stored = {s["classpath"] for file in RELEASES for s in json.loads(file.read_text())}
    assert kinds <= stored
