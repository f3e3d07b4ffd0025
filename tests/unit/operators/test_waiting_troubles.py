"""A wait survives failed calls: the build is in progress, whatever AWS answers right now."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from airflow_imagebuilder.operators.retry_policy import ImageBuilderRetryPolicy
from airflow_imagebuilder.operators.waiting.operator import MAX_RESUMES
from airflow_imagebuilder.service.errors import (
    AwsError,
    DeadlineExceededError,
    ImageFailedError,
    ImageNotFoundError,
    NotFoundError,
    StateStoreError,
    WaitInterruptedError,
)
from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger
from tests.support.arns import IMAGE as ARN
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import TROUBLES, assert_defers, create
from tests.support.task import FakeTask, context


def event(outcome: str, deadline: float | None = None, resumes: int = 0) -> dict[str, Any]:
    return {
        "image_build_version_arn": ARN,
        "outcome": outcome,
        "message": "GetImage: 403 AccessDenied",
        "deadline": time.time() + 9999 if deadline is None else deadline,
        "resumes": resumes,
    }


# -- right after the submit ------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: type(error).__name__)
def test_a_failed_call_right_after_the_submit_does_not_keep_a_task_from_deferring(
    trouble: AwsError,
) -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    aws.fail_after_create(trouble)
    assert assert_defers(lambda: create(aws).execute(airflow.context)).image_build_version_arn == ARN
    assert airflow.xcoms["image_build_version_arn"] == ARN


# -- after a wait ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("outcome", ["ended", "error", "deadline"])
def test_after_a_failed_call_the_wait_starts_again_with_the_same_deadline(
    outcome: str, trouble: AwsError
) -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.fail_after_create(trouble)
    trigger = assert_defers(lambda: create(aws).execute_complete(context(), event(outcome, deadline=7.0)))
    assert (trigger.deadline, trigger.resumes) == (7.0, 1)


def test_after_an_error_of_the_watcher_a_build_in_progress_is_watched_again() -> None:
    aws = FakeImageBuilder("BUILDING")
    trigger = assert_defers(lambda: create(aws).execute_complete(context(), event("error", 7.0, resumes=4)))
    assert (trigger.deadline, trigger.resumes, "cancel_image" in {call.method for call in aws.calls}) == (
        7.0,
        5,
        False,
    )


def test_a_wait_starts_again_a_bounded_number_of_times() -> None:
    with pytest.raises(WaitInterruptedError, match="AccessDenied") as raised:
        create(FakeImageBuilder("BUILDING")).execute_complete(context(), event("error", resumes=MAX_RESUMES))
    assert ARN in str(raised.value)


def test_an_image_that_is_still_not_found_is_named() -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.fail_after_create(NotFoundError("GetImage", "ResourceNotFoundException", 404))
    trigger = assert_defers(lambda: create(aws).execute_complete(context(), event("error")))
    with pytest.raises(ImageNotFoundError, match="region of the ARN"):
        create(aws).execute_complete(context(), event("error", resumes=trigger.resumes))


@pytest.mark.parametrize(
    "met",
    [event("ended"), event("deadline"), {**event("error"), "missing": False}],
    ids=["ended", "deadline", "error"],
)
def test_one_not_found_after_another_error_does_not_stop_a_wait(met: dict[str, Any]) -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.fail_after_create(NotFoundError("GetImage", "ResourceNotFoundException", 404))
    trigger = assert_defers(lambda: create(aws).execute_complete(context(), {**met, "resumes": 1}))
    assert trigger.resumes == 2


def test_a_deadline_after_an_accepted_cancel_is_reported_though_aws_does_not_show_the_image() -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.before("get_image", TROUBLES[1])
    with pytest.raises(DeadlineExceededError, match="status after that: unknown"):
        create(aws).execute_complete(context(), event("deadline", deadline=7.0))
    assert aws.image["state"]["status"] == "CANCELLED"


def test_a_wait_on_the_worker_starts_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[ImageBuilderImageTrigger] = []

    async def wait(self: ImageBuilderImageTrigger) -> dict[str, Any]:
        waits.append(self)
        aws.image["state"] = {"status": "BUILDING" if len(waits) < 3 else "AVAILABLE"}
        return event("error", self.deadline, self.resumes)

    aws = FakeImageBuilder("BUILDING")
    monkeypatch.setattr(ImageBuilderImageTrigger, "wait", wait)
    assert create(aws, deferrable=False).execute(context())["status"] == "AVAILABLE"
    assert [trigger.resumes for trigger in waits] == [0, 1, 2]
    assert len({trigger.deadline for trigger in waits}) == 1


@pytest.mark.parametrize("error", [WaitInterruptedError(ARN, "403"), StateStoreError("503")])
def test_an_interrupted_wait_is_worth_another_try(error: Exception) -> None:
    decision = ImageBuilderRetryPolicy().evaluate(error, 1, 3)
    assert decision.action.value == "retry"


# -- deadlines -------------------------------------------------------------------------------------------


def test_at_its_deadline_an_image_is_cancelled_before_any_other_call() -> None:
    aws = FakeImageBuilder("BUILDING")
    with pytest.raises(DeadlineExceededError):
        create(aws).execute_complete(context(), event("deadline", 7.0))
    assert aws.calls[0].method == "cancel_image"


def test_an_image_that_failed_by_itself_before_the_cancel_is_reported_with_its_failure() -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.before(
        "cancel_image", lambda: aws.image.update(state={"status": "FAILED", "reason": "component X failed"})
    )
    with pytest.raises(ImageFailedError, match="component X failed"):
        create(aws).execute_complete(context(), event("deadline", 7.0))


def test_an_image_that_was_cancelled_before_the_deadline_is_not_reported_as_cancelled_by_the_task() -> None:
    with pytest.raises(Exception, match="CANCELLED") as raised:
        create(FakeImageBuilder("CANCELLED")).execute_complete(context(), event("deadline", 7.0))
    assert not isinstance(raised.value, DeadlineExceededError)


def test_timeout_counts_from_the_submit_through_all_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    operator = create(aws, timeout=timedelta(hours=1))
    first = assert_defers(lambda: operator.execute(airflow.context)).deadline
    now = time.time
    monkeypatch.setattr("airflow_imagebuilder.operators.waiting.operator.time.time", lambda: now() + 3000)
    airflow.next_try()
    again = assert_defers(lambda: operator.execute(airflow.context)).deadline
    assert (again, len(aws.called("create_image"))) == (first, 1)


# -- repairs ---------------------------------------------------------------------------------------------


def test_a_repair_is_published_before_it_is_made() -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask(id="u1")
    operator = create(aws, wait_for_completion=False)
    operator.execute(airflow.context)
    aws.image["state"] = {"status": "FAILED", "failureContext": {"imageStatus": "TESTING"}}
    airflow.next_try()
    airflow.xcoms.clear()
    seen: list[dict[str, Any]] = []
    aws.before("retry_image", lambda: seen.append(dict(airflow.xcoms)))
    operator.execute(airflow.context)
    assert seen[0]["image_build_version_arn"] == ARN
    assert seen[0]["image_submission"]["submitted_by"] == "u1+"


@pytest.mark.parametrize(("failed", "known"), [("wf-9", "wf-9"), (None, "")])
def test_the_trigger_of_a_repair_knows_the_old_failure(failed: str | None, known: str) -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    assert_defers(lambda: create(aws).execute(airflow.context))
    failure = {"imageStatus": "TESTING", **({"workflowExecutionId": failed} if failed else {})}
    aws.image["state"] = {"status": "FAILED", "failureContext": failure}
    airflow.next_try()
    assert assert_defers(lambda: create(aws).execute(airflow.context)).stale_failure == known


def test_a_failed_call_soon_after_a_repair_does_not_make_the_old_failure_count() -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.image["state"] = {
        "status": "FAILED",
        "failureContext": {"imageStatus": "TESTING", "workflowExecutionId": "wf-1"},
    }
    old = {"stale_until": time.time() + 60, "stale_failure": "wf-1"}
    trigger = assert_defers(lambda: create(aws).execute_complete(context(), {**event("error"), **old}))
    assert {"stale_until": trigger.stale_until, "stale_failure": trigger.stale_failure} == old
    aws.image["state"]["failureContext"]["workflowExecutionId"] = "wf-2"
    with pytest.raises(ImageFailedError):
        create(aws).execute_complete(context(), {**event("error"), **old})
