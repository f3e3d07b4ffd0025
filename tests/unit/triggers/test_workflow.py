"""The trigger that watches one workflow: what ends the task, what resumes it, what it reads."""

from __future__ import annotations

import asyncio

import pytest
from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent

from airflow_imagebuilder.compat import trigger_has_on_kill
from airflow_imagebuilder.service.errors import DeadlineExceededError, ForbiddenError, ThrottledError
from airflow_imagebuilder.triggers import ImageBuilderWorkflowTrigger, workflow
from tests.support.arns import IMAGE as ARN
from tests.support.image_builder import FakeImageBuilder
from tests.support.supervisor import TI
from tests.support.triggers import (
    FakeWatcher,
    boot,
    events,
    image,
    image_trigger,
    install_hook,
    install_watcher,
    monitor,
)


@pytest.mark.asyncio
async def test_a_test_that_goes_well_ends_the_task_in_the_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [image("BUILDING"), image("TESTING", boot("RUNNING")), image("TESTING", boot("COMPLETED"))]
    watcher = install_watcher(monkeypatch, FakeWatcher(shown))
    (event,) = await events(monitor())
    assert isinstance(event, TaskSuccessEvent)
    assert watcher.asked["workflows"] is True


@pytest.mark.asyncio
async def test_a_test_that_was_skipped_skips_the_task_in_the_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("FAILED")]))
    (event,) = await events(monitor())
    assert isinstance(event, TaskSkippedEvent)


@pytest.mark.asyncio
async def test_a_test_that_failed_resumes_on_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("TESTING", {**boot("FAILED"), "message": "no route"})]))
    (event,) = await events(monitor())
    assert event.payload == {
        "outcome": "failed",
        "message": "ended FAILED: no route",
        "deadline": None,
        "resumes": 0,
        "try_number": None,
        "supervised": False,
    }


@pytest.mark.asyncio
async def test_a_failure_resumes_no_earlier_than_the_scheduler_tolerates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("TESTING", boot("FAILED"))]))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(workflow, "RESUME_NOT_BEFORE", 5.0)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    await events(monitor())
    assert slept == [pytest.approx(5.0, abs=1.0)]


@pytest.mark.asyncio
async def test_steps_are_read_only_when_their_workflow_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running = boot("RUNNING")
    shown = [image("TESTING"), image("TESTING", boot("PENDING")), image("TESTING", running)]
    shown += [image("TESTING", running, boot("PENDING"))]
    watcher = install_watcher(monkeypatch, FakeWatcher([*shown, image("TESTING", boot("COMPLETED"))]))
    await events(monitor())
    assert watcher.asked_steps == ["wf-1", "wf-1"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "error",
    [
        ForbiddenError("ListWorkflowStepExecutions", "AccessDeniedException", 403, "no"),
        ThrottledError("ListWorkflowStepExecutions", "TooManyRequestsException", 429, "slow down"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_steps_that_cannot_be_read_do_not_end_the_watch(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [image("TESTING", boot("RUNNING")), image("TESTING", boot("COMPLETED"))]
    watcher = install_watcher(monkeypatch, FakeWatcher(shown))
    watcher.steps_error = error
    (event,) = await events(monitor())
    assert isinstance(event, TaskSuccessEvent)


@pytest.mark.asyncio
async def test_a_failure_before_a_repair_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    install_watcher(
        monkeypatch, FakeWatcher([image("TESTING", boot("FAILED")), image("TESTING", boot("COMPLETED"))])
    )
    (event,) = await events(monitor(stale_until=4_000_000_000.0))
    assert isinstance(event, TaskSuccessEvent)


@pytest.mark.asyncio
async def test_a_watch_without_permission_resumes_on_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ForbiddenError("GetImage", "AccessDeniedException", 403, "no")
    install_watcher(monkeypatch, FakeWatcher([], error))
    (event,) = await events(monitor())
    assert (event.payload["outcome"], event.payload["message"]) == ("error", str(error))


@pytest.mark.asyncio
async def test_a_trigger_stored_before_guards_existed_reports_a_failure_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("TESTING", boot("FAILED"))]))
    known = {k: v for k, v in monitor().serialize()[1].items() if k not in ("guard", "resumes")}
    trigger = ImageBuilderWorkflowTrigger(**known)
    trigger.task_instance = TI  # type: ignore[assignment]
    (event,) = await events(trigger)
    assert event.payload["outcome"] == "failed"


@pytest.mark.asyncio
async def test_the_watch_has_the_deadline_which_stops_a_monitor_without_a_guard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watcher = install_watcher(monkeypatch, FakeWatcher([], DeadlineExceededError(ARN, 7.0, "TESTING")))
    (event,) = await events(monitor(deadline=7.0, resumes=2))
    assert watcher.asked["deadline"] == 7.0
    assert (event.payload["outcome"], event.payload["deadline"], event.payload["resumes"]) == (
        "deadline",
        7.0,
        2,
    )


@pytest.mark.asyncio
async def test_a_killed_monitor_calls_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    if trigger_has_on_kill():
        await monitor().on_kill()
    await monitor().cleanup()
    await image_trigger().cleanup()
    assert hook.cancelled == []
