"""Triggers without a triggerer: how they are made and run, and a watcher that shows what a test wants."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder import triggers
from airflow_imagebuilder.service.errors import DeadlineExceededError
from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
from airflow_imagebuilder.triggers import ImageBuilderImageTrigger, ImageBuilderWorkflowTrigger, workflow
from tests.support.arns import BOOT, IMAGE, PREFIX
from tests.support.supervisor import TI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    import pytest
    from airflow.triggers.base import BaseTrigger

    from tests.support.image_builder import FakeImageBuilder


class FakeWatcher:
    """
    Yields the snapshots that a test gives, and then raises the error that it gives.

    ``asked`` holds the arguments of the last watch, ``asked_steps`` the executions whose steps were read.
    """

    def __init__(self, snapshots: Iterable[ImageSnapshot] = (), error: Exception | None = None) -> None:
        self.snapshots, self.error = list(snapshots), error
        self.steps_error: Exception | None = None
        self.asked: dict[str, Any] = {}
        self.asked_steps: list[str] = []
        self.endless = False
        self.answered_at: float | None = None
        self.images = 1
        self.lists: list[str] = []
        self.lists_error: Exception | None = None
        self.all_executions: list[dict[str, Any]] = []
        self.images_read: list[str] = []
        self.read_image: dict[str, Any] | None = None

    async def watch(self, arn: str, **options: Any) -> AsyncIterator[ImageSnapshot]:
        self.asked = {"arn": arn, **options}
        for snapshot in self.snapshots:
            yield snapshot
        if self.error:
            raise self.error
        if self.endless:
            await asyncio.sleep(3600)

    def asked_at(self, _arn: str) -> float | None:
        return self.answered_at

    def stats(self) -> Any:
        return SimpleNamespace(images=self.images)

    async def listed(self, operation: str, _member: str, **_: Any) -> list[Any]:
        self.lists.append(operation)
        if self.lists_error:
            raise self.lists_error
        return self.all_executions

    async def image(self, arn: str) -> dict[str, Any]:
        self.images_read.append(arn)
        return dict(self.read_image or self.snapshots[-1].image)

    async def steps(self, execution_id: str) -> list[dict[str, Any]]:
        self.asked_steps.append(execution_id)
        if self.steps_error:
            raise self.steps_error
        return [{"stepExecutionId": "s", "name": "RunTests", "action": "RunCommand", "status": "RUNNING"}]


class Lives(FakeWatcher):
    """An image with several lives: each watch shows the next life, and the last one stays."""

    def __init__(self, *lives: list[ImageSnapshot]) -> None:
        super().__init__()
        self.lives = list(lives)
        self.watches = 0

    async def watch(self, arn: str, **options: Any) -> AsyncIterator[ImageSnapshot]:
        self.watches += 1
        life = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]
        for snapshot in life:
            yield snapshot
        if not life:
            raise DeadlineExceededError(arn, 0.0, "TESTING")


def image(status: str, *executions: dict[str, Any], **state: Any) -> ImageSnapshot:
    workflows = [{"workflowArn": f"{PREFIX}:workflow/test/boot/x.x.x", "parallelGroup": "functional"}]
    found = {"arn": IMAGE, "state": {"status": status, **state}, "workflows": workflows}
    return ImageSnapshot.of(IMAGE, found, executions)


def boot(status: str) -> dict[str, Any]:
    return {
        "workflowBuildVersionArn": BOOT,
        "workflowExecutionId": "wf-1",
        "parallelGroup": "functional",
        "status": status,
    }


def install_watcher(monkeypatch: pytest.MonkeyPatch, watcher: FakeWatcher) -> FakeWatcher:
    @asynccontextmanager
    async def watching(_: Any) -> AsyncIterator[FakeWatcher]:
        yield watcher

    monkeypatch.setattr(triggers.ImageBuilderTrigger, "watcher", watching)
    monkeypatch.setattr(workflow, "RESUME_NOT_BEFORE", 0.0)
    return watcher


def image_trigger(**options: Any) -> ImageBuilderImageTrigger:
    return ImageBuilderImageTrigger(image_build_version_arn=IMAGE, **options)


def deferred_trigger(**options: Any) -> ImageBuilderImageTrigger:
    """Return a trigger of a deferred task, as a triggerer has it."""
    trigger = image_trigger(**options)
    trigger.task_instance = TI  # type: ignore[assignment]
    return trigger


def monitor(**options: Any) -> ImageBuilderWorkflowTrigger:
    return ImageBuilderWorkflowTrigger(
        image_build_version_arn=IMAGE,
        workflow_type="TEST",
        workflow_name="boot",
        parallel_group="functional",
        **options,
    )


async def events(trigger: BaseTrigger) -> list[Any]:
    return [event async for event in trigger.run()]


def install_hook(monkeypatch: pytest.MonkeyPatch, hook: FakeImageBuilder) -> FakeImageBuilder:
    """Let every trigger call this Image Builder."""
    monkeypatch.setattr(triggers.ImageBuilderTrigger, "hook", hook)
    return hook


def install_endless_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every watch last until it is cancelled."""
    install_watcher(monkeypatch, FakeWatcher()).endless = True
