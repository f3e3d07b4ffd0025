"""A watched workflow while another task may still repair the image: what is shown, and when."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent

from tests.support.arns import CIS as CIS_ARN
from tests.support.supervisor import TI, Supervisor, install
from tests.support.task import GONE
from tests.support.triggers import Lives, boot, events, image, install_watcher, monitor

if TYPE_CHECKING:
    from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
    from airflow_imagebuilder.triggers import ImageBuilderWorkflowTrigger

GUARD = "golden.image"
CIS = {**boot("FAILED"), "workflowBuildVersionArn": CIS_ARN}
FIRST_LIFE = [
    image("TESTING", boot("RUNNING")),
    image("TESTING", boot("FAILED")),
    image("FAILED", boot("FAILED")),
]


def guard_states(*answers: str | Exception | None) -> Supervisor:
    """Return an Airflow that gives these states of the guard, one per question; the last one stays."""
    return Supervisor(others={GUARD: list(answers)})


def guarded(
    monkeypatch: pytest.MonkeyPatch, airflow: Supervisor, **options: Any
) -> ImageBuilderWorkflowTrigger:
    install(monkeypatch, airflow)
    trigger = monitor(guard=GUARD, **options)
    trigger.task_instance = TI  # type: ignore[assignment]
    return trigger


@pytest.mark.asyncio
async def test_a_failure_that_a_repair_undoes_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    second = [image("TESTING", boot("RUNNING")), image("TESTING", boot("COMPLETED"))]
    watcher = Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))], second)
    install_watcher(monkeypatch, watcher)
    guard = guard_states("up_for_retry", "running")
    (event,) = await events(guarded(monkeypatch, guard))
    assert isinstance(event, TaskSuccessEvent)
    assert guard.tasks == [GUARD, GUARD]


@pytest.mark.asyncio
@pytest.mark.parametrize("ended", ["failed", "success", "skipped", "upstream_failed", "removed", GONE])
async def test_a_failure_counts_once_the_guard_has_ended(ended: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))])
    install_watcher(monkeypatch, watcher)
    guard = guard_states("running", "up_for_retry", "deferred", ended)
    (event,) = await events(guarded(monkeypatch, guard))
    assert event.payload["outcome"] == "failed"
    assert len(guard.tasks) == 4
    assert watcher.watches == 5, "the last read comes after the end of the guard"


@pytest.mark.asyncio
async def test_a_repair_between_the_last_read_and_the_end_of_the_guard_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_watcher(monkeypatch, Lives(FIRST_LIFE, [image("AVAILABLE", boot("COMPLETED"))]))
    (event,) = await events(guarded(monkeypatch, guard_states("success")))
    assert isinstance(event, TaskSuccessEvent)


@pytest.mark.asyncio
async def test_another_repair_after_the_end_of_the_guard_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    again = [image("TESTING", boot("RUNNING")), image("FAILED", boot("FAILED"))]
    watcher = Lives(FIRST_LIFE, again, [image("AVAILABLE", boot("COMPLETED"))])
    install_watcher(monkeypatch, watcher)
    guard = guard_states("failed", "running")
    (event,) = await events(guarded(monkeypatch, guard))
    assert isinstance(event, TaskSuccessEvent)
    assert len(guard.tasks) == 2


@pytest.mark.asyncio
async def test_without_an_answer_from_airflow_the_monitor_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))])
    install_watcher(monkeypatch, watcher)
    guard = guard_states(TimeoutError(), RuntimeError("no API server"), "failed")
    (event,) = await events(guarded(monkeypatch, guard))
    assert event.payload["outcome"] == "failed"
    assert len(guard.tasks) == 3


@pytest.mark.asyncio
async def test_without_a_supervisor_to_ask_a_monitor_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_watcher(monkeypatch, Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))]))
    guard = guard_states("running")
    trigger = guarded(monkeypatch, guard)
    trigger.task_instance = None
    (event,) = await events(trigger)
    assert (event.payload["outcome"], event.payload["supervised"]) == ("failed", False)
    assert guard.tasks == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("snapshot", "shown"),
    [
        (image("TESTING", boot("COMPLETED")), "success"),
        (image("AVAILABLE", boot("FAILED")), "failed"),
        (image("FAILED", failureContext={"imageStatus": "BUILDING"}), "skipped"),
    ],
)
async def test_what_no_repair_changes_is_shown_at_once(
    snapshot: ImageSnapshot, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_watcher(monkeypatch, Lives([snapshot]))
    guard = guard_states("running")
    (event,) = await events(guarded(monkeypatch, guard))
    kinds = {TaskSuccessEvent: "success", TaskSkippedEvent: "skipped"}
    assert kinds.get(type(event), "failed") == shown
    assert guard.tasks == []


@pytest.mark.asyncio
async def test_a_failure_that_the_image_tolerates_is_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = image("TESTING", boot("FAILED"))
    snapshot.image["workflows"][0]["onFailure"] = "CONTINUE"
    install_watcher(monkeypatch, Lives([snapshot]))
    (event,) = await events(guarded(monkeypatch, guard_states("running")))
    assert event.payload["outcome"] == "failed"


@pytest.mark.asyncio
async def test_a_waiting_monitor_logs_once_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    install_watcher(monkeypatch, Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))]))
    trigger = guarded(monkeypatch, guard_states("running", "running", "running", "failed"))
    monkeypatch.setattr(type(trigger), "log", logging.getLogger("task"), raising=False)
    await events(trigger)
    waiting = [line for line in caplog.messages if "Waiting" in line]
    assert waiting == [f"boot ended FAILED. Waiting: {GUARD} has not ended, and may still repair the image."]


@pytest.mark.asyncio
async def test_a_waiting_monitor_reads_the_steps_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Lives(FIRST_LIFE, [image("FAILED", boot("FAILED"))])
    install_watcher(monkeypatch, watcher)
    await events(guarded(monkeypatch, guard_states("running", "running", "running", "failed")))
    assert watcher.asked_steps == ["wf-1", "wf-1"]


@pytest.mark.asyncio
async def test_a_cancelled_test_is_skipped_with_its_cause_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    install_watcher(monkeypatch, Lives([image("FAILED", CIS, boot("CANCELLED"))]))
    trigger = guarded(monkeypatch, guard_states("failed"))
    monkeypatch.setattr(type(trigger), "log", logging.getLogger("task"), raising=False)
    (event,) = await events(trigger)
    assert isinstance(event, TaskSkippedEvent)
    assert "boot cancelled, because the test workflow cis failed" in caplog.text


@pytest.mark.asyncio
async def test_the_deadline_does_not_count_while_the_guard_has_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_watcher(monkeypatch, Lives([], [], [image("TESTING", boot("COMPLETED"))]))
    guard = guard_states("deferred")
    (event,) = await events(guarded(monkeypatch, guard, deadline=7.0))
    assert isinstance(event, TaskSuccessEvent)
    assert len(guard.tasks) == 2


@pytest.mark.asyncio
async def test_the_deadline_counts_once_the_guard_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    install_watcher(monkeypatch, Lives([]))
    (event,) = await events(guarded(monkeypatch, guard_states("deferred", "failed"), deadline=7.0))
    assert event.payload["outcome"] == "deadline"
