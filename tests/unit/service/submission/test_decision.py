"""The table of what a try does about an earlier one's image, row by row."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.service.results.states import IMAGE_FAILED, IMAGE_IN_PROGRESS, IMAGE_SUCCEEDED
from airflow_imagebuilder.service.submission.decision import Action, OnRetry, decide

REPAIR, REBUILD, FAIL = OnRetry.REPAIR, OnRetry.REBUILD, OnRetry.FAIL
A = Action


@pytest.mark.parametrize("on_retry", list(OnRetry))
@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("status", [*sorted(IMAGE_IN_PROGRESS), "A_STATE_OF_TOMORROW"])
def test_an_image_in_progress_is_waited_for_unless_a_person_cleared(
    status: str, changed: bool, on_retry: OnRetry
) -> None:
    assert decide(status, cleared=False, changed=changed, on_retry=on_retry) is A.ATTACH
    assert decide(status, cleared=True, changed=changed, on_retry=on_retry) is A.SETTLE


@pytest.mark.parametrize("on_retry", list(OnRetry))
@pytest.mark.parametrize("status", sorted(IMAGE_SUCCEEDED))
def test_an_available_image_is_returned_once(status: str, on_retry: OnRetry) -> None:
    assert decide(status, cleared=False, changed=False, on_retry=on_retry) is A.ATTACH
    assert decide(status, cleared=True, changed=False, on_retry=on_retry) is A.BUILD
    assert decide(status, cleared=False, changed=True, on_retry=on_retry) is A.BUILD


@pytest.mark.parametrize(
    ("on_retry", "cleared", "changed", "action"),
    [
        (REPAIR, False, False, A.REPAIR),
        (REPAIR, True, False, A.REPAIR),
        (REPAIR, False, True, A.BUILD),
        (REPAIR, True, True, A.BUILD),
        (REBUILD, False, False, A.BUILD),
        (REBUILD, True, False, A.BUILD),
        (FAIL, False, False, A.FAIL),
        (FAIL, False, True, A.FAIL),
        (FAIL, True, False, A.BUILD),
        (FAIL, True, True, A.BUILD),
    ],
)
@pytest.mark.parametrize("status", sorted(IMAGE_FAILED))
def test_on_retry_decides_about_an_image_that_failed(
    status: str, on_retry: OnRetry, cleared: bool, changed: bool, action: Action
) -> None:
    assert decide(status, cleared=cleared, changed=changed, on_retry=on_retry) is action
