"""The trigger that waits for a scan: what it fires."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ForbiddenError,
    ImageBuilderError,
    ThrottledError,
)
from airflow_imagebuilder.triggers import ImageBuilderScanTrigger
from tests.support.arns import IMAGE
from tests.support.triggers import FakeWatcher, events, image, install_watcher


class Watcher(FakeWatcher):
    """Shows an image that is tested, and one answer of GetImage."""

    def __init__(self, answer: dict[str, Any] | ImageBuilderError) -> None:
        super().__init__([image("TESTING")])
        self.answer = answer

    async def get_image(self, _: str) -> dict[str, Any]:
        if isinstance(self.answer, ImageBuilderError):
            raise self.answer
        return self.answer


def trigger(**options: Any) -> ImageBuilderScanTrigger:
    return ImageBuilderScanTrigger(image_build_version_arn=IMAGE, **options)


async def fired(monkeypatch: pytest.MonkeyPatch, watcher: FakeWatcher, **options: Any) -> dict[str, Any]:
    install_watcher(monkeypatch, watcher)
    (event,) = await events(trigger(**options))
    payload: dict[str, Any] = event.payload
    return payload


@pytest.mark.asyncio
@pytest.mark.parametrize("scan", ["COMPLETED", "ABANDONED"])
async def test_it_fires_when_the_scan_has_ended(monkeypatch: pytest.MonkeyPatch, scan: str) -> None:
    found = {"arn": IMAGE, "state": {"status": "TESTING"}, "scanState": {"status": scan}}
    watcher = Watcher(found)
    assert await fired(monkeypatch, watcher, deadline=4e9) == {
        "image_build_version_arn": IMAGE,
        "outcome": "ended",
        "message": f"the image is TESTING, its scan is {scan}",
        "deadline": 4e9,
        "resumes": 0,
        "try_number": None,
    }
    assert watcher.asked["first_look"] is None


@pytest.mark.asyncio
async def test_a_deadline_and_an_error_are_events_too(monkeypatch: pytest.MonkeyPatch) -> None:
    late = DeadlineExceededError(IMAGE, 1.0)
    late.__cause__ = ThrottledError("GetImage", "TooManyRequestsException", 429, "slow down")
    event = await fired(monkeypatch, FakeWatcher(error=late), deadline=1.0)
    assert event["outcome"] == "deadline"
    assert "slow down" in event["message"]

    event = await fired(monkeypatch, FakeWatcher(error=ForbiddenError("GetImage", "AccessDenied", 403)))
    assert event["outcome"] == "error"
    assert "AccessDenied" in event["message"]


@pytest.mark.asyncio
async def test_a_wait_that_was_begun_again_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Watcher({"arn": IMAGE, "state": {"status": "AVAILABLE"}, "scanState": {"status": "COMPLETED"}})
    await fired(monkeypatch, watcher, resumes=3)
    assert watcher.asked["first_look"] == 40.0
