"""The operator that watches one workflow: what it shows of a failure, and when it waits again."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from airflow_imagebuilder.compat import AirflowFailException, AirflowSkipException
from airflow_imagebuilder.operators.waiting.operator import MAX_RESUMES
from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageBuilderError,
    ImageFailedError,
    MalformedAnswerError,
    NotFoundError,
    ThrottledError,
)
from airflow_imagebuilder.triggers.workflow import ImageBuilderWorkflowTrigger
from tests.support.airflow_names import TaskDeferred
from tests.support.arns import BOOT
from tests.support.fault_plan import ALWAYS
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import (
    create,
    event,
    execution,
    monitor,
)
from tests.support.task import FakeTask, context


def test_a_monitor_defers_without_a_call() -> None:
    aws = FakeImageBuilder("BUILDING")
    with pytest.raises(TaskDeferred) as deferred:
        monitor(aws, ordinal=1, poll_interval=9, stale_until="7.5").execute(context())
    assert type(deferred.value.trigger) is ImageBuilderWorkflowTrigger
    kwargs = deferred.value.trigger.serialize()[1]
    assert {
        name: kwargs[name] for name in ("workflow_type", "workflow_name", "parallel_group", "ordinal")
    } == {
        "workflow_type": "TEST",
        "workflow_name": "boot",
        "parallel_group": "f",
        "ordinal": 1,
    }
    assert (kwargs["poll_interval"], kwargs["stale_until"]) == (9, 7.5)
    assert aws.calls == []


def test_a_monitor_of_a_failed_test_names_the_step_and_is_not_retried() -> None:
    hook = FakeImageBuilder("TESTING")
    hook.executions = [execution(BOOT, "FAILED", parallelGroup="f")]
    hook.steps = [{"stepExecutionId": "s", "name": "RunTests", "status": "FAILED", "message": "no route"}]
    with pytest.raises(AirflowFailException) as error:
        monitor(hook).execute_complete(context(), {"outcome": "failed", "message": ""})
    for part in ("boot", "ended FAILED", "RunTests", "no route", "/aws/imagebuilder/golden"):
        assert part in str(error.value)


@pytest.mark.parametrize("of", ["monitor", "image"])
def test_a_failure_is_reported_though_its_steps_cannot_be_read(of: str) -> None:
    hook = FakeImageBuilder("FAILED", reason="Workflow failed")
    hook.image["workflows"] = [{"workflowArn": BOOT}]
    hook.executions = [execution(BOOT, "FAILED", parallelGroup="f", message="no route")]

    forbidden = ForbiddenError("ListWorkflowStepExecutions", "AccessDeniedException", 403, "no")
    hook.before("list_workflow_step_executions", forbidden)
    operator = monitor(hook) if of == "monitor" else create(hook)
    with pytest.raises((AirflowFailException, ImageFailedError), match="boot"):
        operator.execute_complete(context(), event())


def test_a_monitor_of_a_running_test_of_a_failed_image_reports_the_failure_of_the_image() -> None:
    hook = FakeImageBuilder("FAILED", reason="out of quota")
    hook.executions = [execution(BOOT, "RUNNING", parallelGroup="f")]
    with pytest.raises(AirflowFailException, match="boot: the image ended FAILED: out of quota"):
        monitor(hook).execute_complete(context(), {"outcome": "failed", "message": ""})


def test_a_monitor_keeps_watching_a_workflow_that_a_repair_runs_again() -> None:
    hook = FakeImageBuilder("TESTING")
    hook.executions = [execution(BOOT, "RUNNING", parallelGroup="f")]
    with pytest.raises(TaskDeferred):
        monitor(hook).execute_complete(context(), {"outcome": "failed", "message": "it failed"})


def test_a_monitor_of_a_test_that_completed_after_all_succeeds() -> None:
    hook = FakeImageBuilder("TESTING")
    hook.executions = [execution(BOOT, "COMPLETED", parallelGroup="f")]
    assert monitor(hook).execute_complete(context(), {"outcome": "failed", "message": ""}) is None


def test_a_monitor_of_a_test_that_never_began_is_skipped() -> None:
    with pytest.raises(AirflowSkipException, match="cancelled, because the image was cancelled"):
        monitor(FakeImageBuilder("CANCELLED")).execute_complete(
            context(), {"outcome": "failed", "message": ""}
        )


def guarded_by(state: str | None) -> Any:
    """Return a context in which the task that guards the image is in this state."""
    return FakeTask(others={"g.image": state}).context


def failed_test() -> FakeImageBuilder:
    hook = FakeImageBuilder("FAILED", reason="Workflow failed", failureContext={"imageStatus": "TESTING"})
    hook.executions = [execution(BOOT, "FAILED", parallelGroup="f")]
    return hook


@pytest.mark.parametrize("state", ["running", "deferred", "up_for_retry", "queued", "scheduled", None])
def test_a_monitor_that_resumes_while_the_image_may_be_repaired_waits_again(state: str | None) -> None:
    known = {"outcome": "failed", "message": "", "deadline": 7.0, "resumes": 3}
    with pytest.raises(TaskDeferred) as deferred:
        monitor(failed_test(), guard="g.image").execute_complete(guarded_by(state), known)
    kwargs = deferred.value.trigger.serialize()[1]
    assert (kwargs["guard"], kwargs["deadline"], kwargs["resumes"]) == ("g.image", 7.0, 3)


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "upstream_failed", "removed"])
def test_a_monitor_fails_once_no_task_may_repair_the_image(state: str) -> None:
    with pytest.raises(AirflowFailException, match="boot"):
        monitor(failed_test(), guard="g.image").execute_complete(guarded_by(state), {"outcome": "failed"})


def test_a_monitor_without_an_answer_from_airflow_waits_again() -> None:
    unanswered = FakeTask(others={"g.image": "failed"})
    unanswered.ti.trouble = OSError("no API server")
    with pytest.raises(TaskDeferred):
        monitor(failed_test(), guard="g.image").execute_complete(unanswered.context, {"outcome": "failed"})


@pytest.mark.parametrize("alone", [{"outcome": "failed", "supervised": False}, "skipped", None])
def test_a_monitor_without_a_supervisor_does_not_wait_for_the_guard(alone: Any) -> None:
    with pytest.raises(AirflowFailException, match="boot"):
        monitor(failed_test(), guard="g.image").execute_complete(guarded_by(None), alone)


def test_a_monitor_ignores_a_failure_that_may_be_older_than_a_repair() -> None:
    with pytest.raises(TaskDeferred):
        monitor(failed_test(), stale_until=4_000_000_000.0).execute_complete(context(), {"outcome": "error"})


TROUBLE = [
    ThrottledError("GetImage", "TooManyRequestsException", 429, "slow down"),
    ForbiddenError("GetImage", "AccessDeniedException", 403, "no"),
    NotFoundError("GetImage", "ResourceNotFoundException", 404, "gone"),
    MalformedAnswerError("GetImage", "MalformedAnswer", 200, "html"),
]


def troubled(error: Exception) -> FakeImageBuilder:
    aws = failed_test()
    aws.before("get_image", error, times=ALWAYS)
    return aws


@pytest.mark.parametrize("error", TROUBLE, ids=lambda error: type(error).__name__)
def test_a_failed_call_does_not_fail_a_monitor(error: Exception) -> None:
    known = {"outcome": "failed", "message": "", "deadline": 7.0, "resumes": 1}
    with pytest.raises(TaskDeferred) as deferred:
        monitor(troubled(error)).execute_complete(context(), known)
    kwargs = deferred.value.trigger.serialize()[1]
    assert (kwargs["deadline"], kwargs["resumes"]) == (7.0, 2)


def test_a_monitor_resumes_a_bounded_number_of_times() -> None:
    hook = troubled(TROUBLE[1])
    known = {"outcome": "error", "message": "no", "resumes": MAX_RESUMES}
    with pytest.raises(
        ImageBuilderError, match=r"(?s)Could not read from AWS.*AccessDenied.*then clear this task"
    ):
        monitor(hook).execute_complete(context(), known)


def test_a_watch_that_stopped_on_an_image_in_progress_starts_again() -> None:
    hook = FakeImageBuilder("TESTING")
    with pytest.raises(TaskDeferred) as deferred:
        monitor(hook).execute_complete(context(), {"outcome": "error", "message": "no", "resumes": 0})
    assert deferred.value.trigger.serialize()[1]["resumes"] == 1


def test_at_its_deadline_a_monitor_says_what_aws_shows_and_what_to_do() -> None:
    hook = FakeImageBuilder("TESTING")
    hook.executions = [execution(BOOT, "RUNNING", parallelGroup="f")]
    known = {"outcome": "deadline", "message": "", "deadline": 1_800_000_000.0}
    with pytest.raises(AirflowFailException) as error:
        monitor(hook, guard="g.image").execute_complete(guarded_by("success"), known)
    for part in (
        "boot",
        "2027-01-15T08:00:00",
        "the image TESTING",
        "the workflow RUNNING",
        "clear this task",
    ):
        assert part in str(error.value)
    with pytest.raises(TaskDeferred):
        monitor(hook, guard="g.image").execute_complete(guarded_by("deferred"), known)
    assert hook.cancelled == []


def test_a_workflow_that_completed_by_the_deadline_counts() -> None:
    hook = FakeImageBuilder("TESTING")
    hook.executions = [execution(BOOT, "COMPLETED", parallelGroup="f")]
    monitor(hook).execute_complete(context(), {"outcome": "deadline"})


def test_the_deadline_of_a_monitor_is_a_unix_time_counted_from_its_try() -> None:
    begin = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        monitor(FakeImageBuilder("BUILDING"), timeout=timedelta(hours=2)).execute(context())
    deadline = deferred.value.trigger.serialize()[1]["deadline"]
    assert begin + 7200 <= deadline <= time.time() + 7200
    with pytest.raises(TaskDeferred) as deferred:
        monitor(FakeImageBuilder("BUILDING")).execute(context())
    assert deferred.value.trigger.serialize()[1]["deadline"] >= begin + 24 * 3600


def test_a_killed_monitor_cancels_nothing() -> None:
    hook = FakeImageBuilder("BUILDING")
    monitor(hook).on_kill()
    assert hook.cancelled == []
