"""The trigger that waits for an image to appear: what it fires, and what it never does."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.errors import ForbiddenError, NotFoundError, SearchDeadlineError
from airflow_imagebuilder.service.gates.newest_image import moment
from airflow_imagebuilder.triggers import ImageBuilderFindImageTrigger, find_image
from tests.support.image_builder import FakeImageBuilder
from tests.support.listed import PIPELINE, at, listed
from tests.support.supervisor import TI
from tests.support.triggers import FakeWatcher, events, install_hook, install_watcher

SINCE = "2026-01-01T06:00:00+00:00"


def trigger(**more: Any) -> ImageBuilderFindImageTrigger:
    made = ImageBuilderFindImageTrigger(since=SINCE, pipeline_arn=PIPELINE, deadline=9e9, **more)
    made.task_instance = TI  # type: ignore[assignment]
    return made


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__IMAGEBUILDER__FIRST_LOOK", "0")
    install_watcher(monkeypatch, FakeWatcher())


def finding(monkeypatch: pytest.MonkeyPatch, outcome: str | Exception) -> list[Any]:
    asked: list[Any] = []

    async def find(_: Any, wanted: Any, *, deadline: float) -> str:
        asked.append((wanted, deadline))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(find_image, "find", find)
    return asked


@pytest.mark.asyncio
async def test_it_fires_the_image_that_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = finding(monkeypatch, listed(1)["arn"])
    (event,) = await events(trigger(resumes=2))
    assert event.payload == {
        "outcome": "found",
        "image_build_version_arn": listed(1)["arn"],
        "message": "",
        "missing": False,
        "deadline": 9e9,
        "resumes": 2,
        "try_number": TI.try_number,
    }
    ((wanted, deadline),) = asked
    assert wanted.newest([listed(1, hour=5), listed(2, hour=6)]) == listed(2)["arn"]
    assert deadline == 9e9


@pytest.mark.parametrize(
    ("error", "outcome", "missing"),
    [
        (SearchDeadlineError("image", 1.0), "deadline", False),
        (NotFoundError("GetImagePipeline"), "error", True),
        (ForbiddenError("ListImagePipelineImages"), "error", False),
    ],
)
@pytest.mark.asyncio
async def test_it_fires_what_ended_the_search(
    monkeypatch: pytest.MonkeyPatch, error: Exception, outcome: str, missing: bool
) -> None:
    finding(monkeypatch, error)
    (event,) = await events(trigger())
    assert event.payload["outcome"] == outcome
    assert event.payload["missing"] is missing
    assert event.payload["image_build_version_arn"] is None
    assert event.payload["message"] == str(error)


def test_what_is_stored_makes_the_same_trigger() -> None:
    path, arguments = trigger(in_progress=True, poll_interval=3.0).serialize()
    assert path == "airflow_imagebuilder.triggers.ImageBuilderFindImageTrigger"
    again = ImageBuilderFindImageTrigger(**arguments)
    assert again.serialize() == (path, arguments)
    assert again.wanted == trigger(in_progress=True).wanted
    assert str(again.wanted.since) == str(moment(at(6)))


@pytest.mark.asyncio
async def test_a_kill_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    on_kill = getattr(trigger(), "on_kill", None)
    if on_kill is not None:  # since Airflow 3.3
        await on_kill()
    await trigger().cleanup()
    assert aws.calls == []
