"""The wait for a scan: one call an interval however many gates, through outages, to the deadline."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ForbiddenError,
    ImageBuilderError,
    ThrottledError,
)
from airflow_imagebuilder.service.gates.scans.scan import ScanOutcome
from airflow_imagebuilder.service.gates.scans.wait import follow_scan
from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
from airflow_imagebuilder.service.watcher.settings import WatchSettings
from tests.support.arns import IMAGE
from tests.support.clockwork import EPOCH, now, run, wall
from tests.support.triggers import FakeWatcher

LOG = logging.getLogger("task")
SETTINGS = WatchSettings(poll_interval=10, grace=30)
ON = {"imageScanningEnabled": True}


def image(scan: str | None, status: str = "TESTING") -> dict[str, Any]:
    state = {"scanState": {"status": scan}} if scan else {}
    return {"arn": IMAGE, "state": {"status": status}, "imageScanningConfiguration": ON, **state}


class Watcher(FakeWatcher):
    """Shows an image that is tested, and answers GetImage as a test wants; the last answer stays."""

    def __init__(self, *answers: dict[str, Any] | ImageBuilderError) -> None:
        states = [{"arn": IMAGE, "state": {"status": status}} for status in ("BUILDING", "TESTING")]
        super().__init__([ImageSnapshot.of(IMAGE, state) for state in states])
        self.answers = list(answers)
        self.calls: list[float] = []
        self.takes = 0.1

    async def get_image(self, arn: str) -> dict[str, Any]:
        self.calls.append(now())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(self.takes)
        if isinstance(answer, ImageBuilderError):
            raise answer
        return {**answer, "arn": arn}


async def follow(watcher: Watcher, **options: Any) -> Any:
    return await follow_scan(watcher, IMAGE, LOG, settings=SETTINGS, wall=wall, **options)  # type: ignore[arg-type]


def test_a_wait_ends_with_the_scan_and_logs_each_state_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watcher = Watcher(image("PENDING"), image("SCANNING"), image("SCANNING"), image("COMPLETED"))
    scan = run(follow(watcher, first_look=7.0, deadline=EPOCH + 999))
    assert scan.outcome is ScanOutcome.COMPLETED
    assert [round(call) for call in watcher.calls] == [0, 10, 20, 30]
    assert watcher.asked == {"arn": IMAGE, "deadline": EPOCH + 999, "first_look": 7.0}
    assert caplog.text.count("SCANNING") == 1
    assert "its scan begins with its tests" in caplog.text


def test_waits_for_one_image_share_its_polls() -> None:
    watcher = Watcher(*[image("SCANNING")] * 3, image("COMPLETED"))

    async def main() -> list[Any]:
        return await asyncio.gather(*(follow(watcher) for _ in range(10)))

    assert {scan.outcome for scan in run(main())} == {ScanOutcome.COMPLETED}
    assert len(watcher.calls) == 4


def test_a_wait_that_leaves_in_the_middle_of_a_call_takes_nothing_from_the_others() -> None:
    watcher = Watcher(image("SCANNING"), image("COMPLETED"))
    watcher.takes = 2.0

    async def main() -> Any:
        leaver = asyncio.create_task(follow(watcher))
        await asyncio.sleep(1)
        stays = asyncio.create_task(follow(watcher))
        await asyncio.sleep(0.5)
        leaver.cancel()
        return await stays

    assert run(main()).outcome is ScanOutcome.COMPLETED


def test_throttling_and_outages_end_no_wait() -> None:
    trouble = ThrottledError("GetImage", "CallRateLimitExceededException", 429)
    watcher = Watcher(*[trouble] * 100, image("COMPLETED"))
    assert run(follow(watcher)).outcome is ScanOutcome.COMPLETED
    assert len(watcher.calls) == 101


def test_what_is_forbidden_for_long_ends_the_wait_and_what_is_forbidden_for_a_moment_does_not() -> None:
    forbidden = ForbiddenError("GetImage", "AccessDeniedException", 403)
    assert run(follow(Watcher(forbidden, forbidden, image("COMPLETED")))).outcome is ScanOutcome.COMPLETED
    watcher = Watcher(forbidden)
    with pytest.raises(ForbiddenError):
        run(follow(watcher))
    assert watcher.calls[-1] >= SETTINGS.grace


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (image("SCANNING"), type(None)),
        (ThrottledError("GetImage", "CallRateLimitExceededException", 429), ThrottledError),
    ],
)
def test_a_scan_that_never_ends_is_left_at_the_deadline(answer: Any, cause: type) -> None:
    async def main() -> float:
        with pytest.raises(DeadlineExceededError) as error:
            await follow(Watcher(answer), deadline=EPOCH + 25)
        assert isinstance(error.value.__cause__, cause)
        return now()

    assert run(main()) == pytest.approx(25, abs=0.2)


def test_a_call_that_hangs_does_not_outlast_the_deadline() -> None:
    watcher = Watcher(image("SCANNING"))
    watcher.takes = 1e6

    async def main() -> float:
        with pytest.raises(DeadlineExceededError):
            await follow(watcher, deadline=EPOCH + 25)
        return now()

    assert run(main()) == pytest.approx(25, abs=0.2)
