"""The trigger that waits for an image: what it reports, logs and fires."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.service.errors import DeadlineExceededError, ForbiddenError, NotFoundError
from airflow_imagebuilder.triggers import recorder
from tests.support.arns import IMAGE as ARN
from tests.support.supervisor import eventually
from tests.support.triggers import (
    FakeWatcher,
    deferred_trigger,
    events,
    image,
    image_trigger,
    install_watcher,
)

if TYPE_CHECKING:
    from tests.support.supervisor import Supervisor


@pytest.mark.asyncio
@pytest.mark.parametrize("status", ["AVAILABLE", "FAILED", "CANCELLED"])
async def test_an_image_that_finishes_fires_once(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("BUILDING"), image("TESTING"), image(status)]))
    (event,) = await events(image_trigger())
    assert event.payload == {
        "image_build_version_arn": ARN,
        "deadline": None,
        "stale_until": None,
        "stale_failure": None,
        "resumes": 0,
        "try_number": None,
        "outcome": "ended",
        "status": status,
        "message": "",
    }


@pytest.mark.asyncio
async def test_each_state_is_logged_once_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shown = [image("BUILDING"), image("BUILDING"), image("FAILED", reason="disk full")]
    install_watcher(monkeypatch, FakeWatcher(shown))
    trigger = image_trigger()
    monkeypatch.setattr(type(trigger), "log", logging.getLogger("task"), raising=False)
    await events(trigger)
    assert caplog.messages == [
        "Image golden 1.0.0/1 is BUILDING",
        "Image golden 1.0.0/1 is FAILED: disk full",
    ]


@pytest.mark.asyncio
async def test_the_watch_has_the_deadline_and_the_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = install_watcher(monkeypatch, FakeWatcher([image("AVAILABLE")]))
    await events(image_trigger(deadline=7.0, stale_until=5.0))
    assert watcher.asked == {
        "arn": ARN,
        "deadline": 7.0,
        "stale_until": 5.0,
        "stale_failure": None,
        "first_look": None,
    }


@pytest.mark.asyncio
@pytest.mark.parametrize(("resumes", "pause"), [(1, 10.0), (2, 20.0), (5, 160.0), (6, 300.0), (10, 300.0)])
async def test_a_wait_that_starts_again_after_an_error_pauses_longer_each_time(
    resumes: int, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = install_watcher(monkeypatch, FakeWatcher([image("AVAILABLE")]))
    await events(image_trigger(resumes=resumes))
    assert watcher.asked["first_look"] == pause


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (DeadlineExceededError(ARN, 0.0, "BUILDING"), "deadline"),
        (ForbiddenError("GetImage", "AccessDeniedException", 403, "no"), "error"),
        (NotFoundError("GetImage", "ResourceNotFoundException", 404, "gone"), "error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_an_error_of_a_watch_fires_an_event(
    error: Exception, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("BUILDING")], error))
    (event,) = await events(image_trigger())
    assert event.payload["outcome"] == outcome
    assert event.payload["message"] == str(error)
    assert event.payload.get("missing", False) is isinstance(error, NotFoundError)


@pytest.mark.asyncio
async def test_the_first_wait_of_a_process_asks_the_first_question_and_does_not_wait_for_it(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.open.clear()
    monkeypatch.setattr(recorder, "LAST_PATIENCE", 0.0)
    install_watcher(monkeypatch, FakeWatcher([image("AVAILABLE")]))
    for _ in range(3):
        (event,) = await events(deferred_trigger())
        assert event.payload["status"] == "AVAILABLE"
    await eventually(lambda: "GetTaskStates" in airflow.asked)
    assert airflow.asked.count("GetTaskStates") == 1


@pytest.mark.asyncio
async def test_a_wait_on_a_worker_asks_nothing(airflow: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("AVAILABLE")]))
    await image_trigger().wait()
    await asyncio.sleep(0)
    assert airflow.asked == []
