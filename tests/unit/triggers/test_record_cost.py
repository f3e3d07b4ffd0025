"""What records cost: no call to AWS where many images are polled, and at most one a stage where few are."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder import triggers
from airflow_imagebuilder.triggers import ImageBuilderImageTrigger, recorder
from tests.support.clockwork import Service, build, run, watcher_of
from tests.support.supervisor import TI, Supervisor, install

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_imagebuilder.service.watcher.watcher import ImageWatcher

STAGES = ((0.0, "BUILDING"), (100.0, "TESTING"), (200.0, "DISTRIBUTING"), (300.0, "AVAILABLE"))


def calls_of(images: int, monkeypatch: pytest.MonkeyPatch, *, recorded: bool) -> tuple[Counter[str], int]:
    """Return the calls that so many waits make, by operation, and how many records they write."""
    service = Service()
    arns = [service.image(build(number + 1), *STAGES) for number in range(images)]

    async def wait_for_all() -> int:
        airflow = Supervisor()
        install(monkeypatch, airflow)
        watcher = watcher_of(service)

        @asynccontextmanager
        async def watching(_: Any) -> AsyncIterator[ImageWatcher]:
            yield watcher

        monkeypatch.setattr(triggers.ImageBuilderTrigger, "watcher", watching)
        waits = [ImageBuilderImageTrigger(image_build_version_arn=arn) for arn in arns]
        for number, wait in enumerate(waits if recorded else ()):
            ti: Any = type(TI)(**{**vars(TI), "task_id": f"bake-{number}"})
            wait.task_instance = ti
        async with watcher:
            await asyncio.gather(*(wait.wait() for wait in waits))
        return len(airflow.written)

    written = run(wait_for_all())
    return Counter(operation for _, operation, _ in service.calls), written


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock of these tests jumps while answers are on their way.
    monkeypatch.setattr(recorder, "LAST_PATIENCE", 1000.0)


def test_many_waits_make_the_same_calls_with_records_as_without(monkeypatch: pytest.MonkeyPatch) -> None:
    images = recorder.FEW + 30
    without, none = calls_of(images, monkeypatch, recorded=False)
    calls, written = calls_of(images, monkeypatch, recorded=True)
    assert calls == without
    assert none == 0
    assert written == images * len(STAGES)


def test_a_single_wait_lists_executions_once_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    without, _ = calls_of(1, monkeypatch, recorded=False)
    calls, written = calls_of(1, monkeypatch, recorded=True)
    assert calls - without == Counter(list_workflow_executions=2)
    assert written == len(STAGES)
