"""Waiting for an image: how the wait starts, and what comes of the image's end."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import Asset

from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ImageBuilderError,
    ImageCancelledError,
    ImageFailedError,
    TestsFailedError,
)
from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger
from tests.support.airflow_names import TaskDeferred
from tests.support.arns import BOOT, USERS
from tests.support.arns import IMAGE as ARN
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import (
    create,
    event,
    execution,
)
from tests.support.task import START, context

# -- the start of the wait -------------------------------------------------------------------------------


def test_the_wait_is_deferred_with_everything_that_the_trigger_needs() -> None:
    operator = create(
        FakeImageBuilder("BUILDING"),
        aws_conn_id="fleet",
        region_name="us-east-1",
        verify=False,
        botocore_config={"read_timeout": 7},
        poll_interval=timedelta(seconds=9),
        cancel_on_kill=False,
        delete_outputs_on_kill=True,
        timeout=timedelta(hours=1),
    )
    before = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context())
    trigger = deferred.value.trigger
    assert type(trigger) is ImageBuilderImageTrigger
    kwargs = trigger.serialize()[1]
    assert before + 3600 <= kwargs.pop("deadline") <= time.time() + 3600
    assert kwargs == {
        "image_build_version_arn": ARN,
        "stale_until": None,
        "poll_interval": 9.0,
        "aws_conn_id": "fleet",
        "region_name": "us-east-1",
        "verify": False,
        "botocore_config": {"read_timeout": 7},
        "cancel_on_kill": False,
        "delete_outputs_on_kill": True,
        "stale_failure": None,
        "submitter": None,
        "submitted_by": None,
        "resumes": 0,
    }
    assert deferred.value.method_name == "execute_complete"


def test_the_arn_and_the_links_are_pushed_before_the_wait() -> None:
    pushed = context()
    with pytest.raises(TaskDeferred):
        create(FakeImageBuilder("BUILDING")).execute(pushed)
    xcoms = pushed["ti"].xcoms
    assert xcoms["image_build_version_arn"] == ARN
    assert {"imagebuilder_images_link", "imagebuilder_log_link"} <= set(xcoms)


def test_the_execution_timeout_counts_where_it_is_sooner() -> None:
    operator = create(FakeImageBuilder("BUILDING"), execution_timeout=timedelta(minutes=5))
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context())
    expected = (START + timedelta(minutes=5)).timestamp()
    assert deferred.value.trigger.serialize()[1]["deadline"] == expected


def test_an_image_that_is_available_already_is_not_waited_for() -> None:
    assert create(FakeImageBuilder("AVAILABLE")).execute(context())["status"] == "AVAILABLE"


def test_without_waiting_the_arn_is_returned_and_what_was_submitted_is_pushed() -> None:
    pushed, before = context(), time.time()
    assert create(FakeImageBuilder("BUILDING"), wait_for_completion=False).execute(pushed) == ARN
    assert before <= pushed["ti"].xcoms["image_submission"].pop("submitted_at") <= time.time()
    assert pushed["ti"].xcoms["image_submission"] == {
        "arn": ARN,
        "origin": "created",
        "stale_until": None,
        "stale_failure": None,
        "submitted_by": "uuid",
    }


def test_on_the_worker_the_trigger_is_run_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = FakeImageBuilder("BUILDING")

    async def wait(_: Any) -> dict[str, Any]:
        hook.finish(ARN, "AVAILABLE")
        return event()

    monkeypatch.setattr(ImageBuilderImageTrigger, "wait", wait)
    assert create(hook, deferrable=False).execute(context())["status"] == "AVAILABLE"


# -- the end of the image --------------------------------------------------------------------------------


def test_the_result_is_what_aws_says_now() -> None:
    assert (
        create(FakeImageBuilder("AVAILABLE")).execute_complete(context(), event("error", "lost"))["arn"]
        == ARN
    )


def test_an_image_in_progress_again_is_waited_for_until_the_same_deadline() -> None:
    with pytest.raises(TaskDeferred) as deferred:
        create(FakeImageBuilder("BUILDING")).execute_complete(
            context(), {**event(), "deadline": 4_000_000_000.0}
        )
    assert deferred.value.trigger.deadline == 4_000_000_000.0


def test_the_result_goes_to_the_assets() -> None:
    hook, golden, around = FakeImageBuilder("AVAILABLE"), Asset("golden"), context()
    create(hook, outlets=[golden]).execute_complete(around, event())
    assert around["outlet_events"][golden].extra["image_arn"] == ARN


def test_the_error_of_a_failed_image_names_the_workflow_and_the_step_that_failed_it() -> None:
    hook = FakeImageBuilder("FAILED", reason="Workflow failed")
    hook.image["workflows"] = [
        {"workflowArn": BOOT},
        {"workflowArn": USERS, "onFailure": "CONTINUE"},
    ]
    hook.executions = [execution(BOOT, "FAILED", "wf-boot"), execution(USERS, "FAILED", "wf-users")]
    hook.steps = [{"stepExecutionId": "s", "name": "RunTests", "status": "FAILED", "message": "no route"}]
    with pytest.raises(ImageFailedError) as error:
        create(hook).execute_complete(context(), event())
    assert hook.targets("list_workflow_step_executions") == ["wf-boot"]
    assert (error.value.failure.workflow.name, error.value.failure.step.name) == ("boot", "RunTests")
    assert "no route" in str(error.value)


def test_a_cancelled_image_is_an_error_of_its_own() -> None:
    with pytest.raises(ImageCancelledError, match="by hand"):
        create(FakeImageBuilder("CANCELLED", reason="by hand")).execute_complete(context(), event())


@pytest.mark.parametrize("status", ["FAILED", "ROLLBACK_COMPLETED", "CANCELLED"])
def test_failed_tests_fail_the_task_only_with_fail_on_test_failure(status: str) -> None:
    hook = FakeImageBuilder("AVAILABLE")
    hook.executions = [execution(BOOT, status), execution(USERS, "COMPLETED", "wf-2")]
    assert create(hook).execute_complete(context(), event())["status"] == "AVAILABLE"
    with pytest.raises(TestsFailedError) as error:
        create(hook, fail_on_test_failure=True).execute_complete(context(), event())
    assert error.value.tests == ("boot",)


def test_skipped_tests_do_not_fail_the_task() -> None:
    hook = FakeImageBuilder("AVAILABLE")
    hook.executions = [execution(BOOT, "SKIPPED")]
    assert create(hook, fail_on_test_failure=True).execute_complete(context(), event())["arn"] == ARN


def test_at_the_deadline_the_image_is_cancelled() -> None:
    hook = FakeImageBuilder("BUILDING")
    with pytest.raises(DeadlineExceededError, match="status after that: CANCELLED"):
        create(hook).execute_complete(context(), event("deadline"))
    assert hook.cancelled == [ARN]


def test_with_cancel_on_kill_off_the_image_keeps_building_after_the_deadline() -> None:
    hook = FakeImageBuilder("BUILDING")
    with pytest.raises(DeadlineExceededError, match="still BUILDING, and keeps building"):
        create(hook, cancel_on_kill=False).execute_complete(context(), event("deadline"))
    assert hook.cancelled == []


def test_an_image_that_is_available_at_the_deadline_is_the_result() -> None:
    hook = FakeImageBuilder("BUILDING")
    hook.cancelled_state = {"status": "AVAILABLE"}
    assert create(hook).execute_complete(context(), event("deadline"))["status"] == "AVAILABLE"


def test_a_resumption_without_an_event_says_what_to_do() -> None:
    with pytest.raises(ImageBuilderError, match="clear this task"):
        create(FakeImageBuilder("BUILDING")).execute_complete(context(), None)
