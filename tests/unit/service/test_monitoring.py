"""The verdict of a monitor on its workflow, for every status of the workflow and of its image."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.monitoring import Outcome, StepLog, WorkflowSelector, judge, may_be_undone
from airflow_imagebuilder.service.request.workflows import WorkflowType
from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
from airflow_imagebuilder.service.results.states import ImageStatus, WorkflowStatus, is_image_terminal
from airflow_imagebuilder.service.results.workflow import seconds_between
from tests.support.arns import PREFIX as HERE

ARN = f"{HERE}:image/golden/1.0.0/1"
BOOT = WorkflowSelector(WorkflowType.TEST, "boot", "functional")
BUILD = WorkflowSelector(WorkflowType.BUILD)
DISTRIBUTE = WorkflowSelector(WorkflowType.DISTRIBUTION)
CONFIGURED = (
    {"workflowArn": f"{HERE}:workflow/build/golden-build/x.x.x"},
    {"workflowArn": f"{HERE}:workflow/test/boot/x.x.x", "parallelGroup": "functional"},
)


def execution(kind: str, name: str, status: str, **more: Any) -> dict[str, Any]:
    return {
        "workflowBuildVersionArn": f"{HERE}:workflow/{kind}/{name}/1.0.0/1",
        "workflowExecutionId": f"wf-{name}-{more.get('startTime', '')}",
        "type": kind.upper(),
        "status": status,
        **more,
    }


def boot(status: str, **more: Any) -> dict[str, Any]:
    return execution("test", "boot", status, **{"parallelGroup": "functional", **more})


def build(status: str, **more: Any) -> dict[str, Any]:
    return execution("build", "golden-build", status, **more)


def seen(
    status: str,
    *executions: dict[str, Any],
    workflows: tuple[dict[str, Any], ...] = CONFIGURED,
    **state: Any,
) -> ImageSnapshot:
    image = {"arn": ARN, "state": {"status": status, **state}, "workflows": list(workflows)}
    return ImageSnapshot.of(ARN, image, executions)


def outcome(snapshot: ImageSnapshot, selector: WorkflowSelector, *, stale: bool = False) -> Outcome | None:
    verdict = judge(snapshot, selector, failed_is_stale=stale)
    return verdict.outcome if verdict else None


# -- the execution itself ----------------------------------------------------------------------------------

ENDS = {
    WorkflowStatus.COMPLETED: Outcome.SUCCESS,
    WorkflowStatus.FAILED: Outcome.FAILED,
    WorkflowStatus.ROLLBACK_COMPLETED: Outcome.FAILED,
    WorkflowStatus.SKIPPED: Outcome.SKIPPED,
}
DROPPED = ("CANCELLED", "SKIPPED")
"""The status of executions that AWS ended or never started."""


@pytest.mark.parametrize("image", [status.value for status in ImageStatus])
@pytest.mark.parametrize(("status", "expected"), ENDS.items(), ids=lambda value: getattr(value, "value", ""))
def test_the_final_status_of_a_test_counts_for_every_status_of_the_image(
    status: WorkflowStatus, expected: Outcome, image: str
) -> None:
    assert outcome(seen(image, boot(status.value)), BOOT) is expected


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "ROLLBACK_IN_PROGRESS", "CANCELLED"])
@pytest.mark.parametrize("image", ["PENDING", "BUILDING", "TESTING", "DISTRIBUTING"])
def test_a_test_that_has_not_ended_has_no_outcome(status: str, image: str) -> None:
    assert outcome(seen(image, boot(status)), BOOT) is None


def test_an_unknown_status_counts_as_in_progress() -> None:
    assert outcome(seen("TESTING", boot("REHEARSING")), BOOT) is None
    assert outcome(seen("POLISHING", boot("RUNNING")), BOOT) is None


@pytest.mark.parametrize(("status", "expected"), ENDS.items(), ids=lambda value: getattr(value, "value", ""))
def test_the_reason_contains_the_message_of_aws(status: WorkflowStatus, expected: Outcome) -> None:
    verdict = judge(seen("TESTING", boot(status.value, message="no route to host")), BOOT)
    assert verdict is not None
    assert ("no route to host" in verdict.reason) is (expected is not Outcome.SUCCESS)


# -- the image ended first ---------------------------------------------------------------------------------


CAUSES = {
    "FAILED": "the image ended FAILED",
    "CANCELLED": "the image was cancelled",
    "DELETED": "the image was deleted",
}


@pytest.mark.parametrize(("image", "cause"), CAUSES.items())
@pytest.mark.parametrize("executions", [(), (boot("PENDING"),)], ids=["no execution", "a pending one"])
def test_a_test_that_never_began_is_skipped_and_says_why(
    image: str, cause: str, executions: tuple[Any, ...]
) -> None:
    verdict = judge(seen(image, *executions), BOOT)
    assert verdict is not None
    assert verdict.outcome is Outcome.SKIPPED
    assert verdict.reason == f"cancelled, because {cause}; it never began"


def test_a_test_that_ran_while_the_image_failed_for_a_reason_of_its_own_has_failed() -> None:
    verdict = judge(seen("FAILED", boot("RUNNING"), reason="out of quota"), BOOT)
    assert verdict is not None
    assert verdict.outcome is Outcome.FAILED
    assert "out of quota" in verdict.reason


@pytest.mark.parametrize("status", ["RUNNING", *DROPPED])
@pytest.mark.parametrize("image", ["CANCELLED", "DELETED"])
def test_a_test_that_ran_when_the_image_was_cancelled_is_skipped(image: str, status: str) -> None:
    ran = boot(status, startTime="2026-01-01T00:00:00Z")
    verdict = judge(seen(image, ran), BOOT)
    assert verdict is not None
    assert verdict.outcome is Outcome.SKIPPED
    assert verdict.reason == f"cancelled, because {CAUSES[image]}"


@pytest.mark.parametrize("selector", [BUILD, BOOT, DISTRIBUTE], ids=lambda selector: selector.type.value)
@pytest.mark.parametrize("status", [None, "PENDING", "RUNNING", "CANCELLED", "SKIPPED"])
def test_a_cancelled_image_fails_none_of_its_workflows(
    selector: WorkflowSelector, status: str | None
) -> None:
    names = {"BUILD": "golden-build", "TEST": "boot", "DISTRIBUTION": "distribute"}
    group = {"parallelGroup": "functional"} if selector is BOOT else {}
    mine = execution(selector.type.value.lower(), names[selector.type.value], status or "", **group)
    verdict = judge(seen("CANCELLED", *([mine] if status else []), reason="by hand"), selector)
    assert verdict is not None
    assert verdict.outcome is Outcome.SKIPPED
    assert "cancelled, because the image was cancelled: by hand" in verdict.reason


@pytest.mark.parametrize("context", [{}, {"failureContext": {"workflowExecutionId": "wf-cis-"}}])
@pytest.mark.parametrize("status", [None, "PENDING", "RUNNING", *DROPPED])
def test_a_test_that_a_failed_neighbour_ended_is_skipped_and_names_the_neighbour(
    status: str | None, context: dict[str, Any]
) -> None:
    mine = [boot(status)] if status else []
    snapshot = seen("FAILED", execution("test", "cis", "FAILED"), *mine, **context)
    verdict = judge(snapshot, BOOT)
    assert verdict is not None
    assert verdict.outcome is Outcome.SKIPPED
    assert verdict.reason.startswith("cancelled, because the test workflow cis failed")


def test_the_cause_is_the_execution_that_the_reason_of_the_image_names() -> None:
    named = execution("test", "cis", "FAILED", workflowExecutionId="wf-c1", endTime="2026-01-01T00:01:00Z")
    later = execution("test", "audit", "FAILED", workflowExecutionId="wf-a1", endTime="2026-01-01T00:02:00Z")
    reason = "Workflow Execution ID: wf-c1 failed with reason: no route to host"
    verdict = judge(seen("FAILED", named, later, boot("CANCELLED"), reason=reason), BOOT)
    assert verdict is not None
    assert verdict.reason.startswith("cancelled, because the test workflow cis failed")


def test_a_test_that_the_image_names_as_its_failure_has_failed_itself() -> None:
    named: dict[str, Any] = {"failureContext": {"imageStatus": "TESTING", "workflowExecutionId": "wf-boot-"}}
    snapshot = seen("FAILED", execution("test", "cis", "FAILED"), boot("RUNNING"), **named)
    assert outcome(snapshot, BOOT) is Outcome.FAILED


def test_a_neighbour_that_the_image_continues_after_is_not_the_cause() -> None:
    lenient = {"workflowArn": f"{HERE}:workflow/test/cis/x.x.x", "onFailure": "CONTINUE"}
    snapshot = seen(
        "FAILED",
        execution("test", "cis", "FAILED"),
        boot("CANCELLED"),
        workflows=(*CONFIGURED, lenient),
        reason="out of quota",
    )
    verdict = judge(snapshot, BOOT)
    assert verdict is not None
    assert "cis" not in verdict.reason
    assert "cancelled, because the image ended FAILED: out of quota" in verdict.reason


def test_a_cancelled_test_of_an_available_image_has_failed() -> None:
    verdict = judge(seen("AVAILABLE", boot("CANCELLED", message="stopped")), BOOT)
    assert verdict is not None
    assert verdict.outcome is Outcome.FAILED
    assert "stopped, and AWS gives no cause" in verdict.reason


def test_a_build_without_an_execution_fails_with_its_image() -> None:
    failed = seen("FAILED", reason="no instance", failureContext={"imageStatus": "BUILDING"})
    assert outcome(failed, BUILD) is Outcome.FAILED
    assert outcome(failed, BOOT) is Outcome.SKIPPED
    assert outcome(failed, DISTRIBUTE) is Outcome.SKIPPED


def test_a_distribution_without_an_execution_finishes_with_its_image() -> None:
    failed = seen("FAILED", build("COMPLETED"), failureContext={"imageStatus": "INTEGRATING"})
    assert outcome(failed, DISTRIBUTE) is Outcome.FAILED
    assert outcome(seen("AVAILABLE", build("COMPLETED")), DISTRIBUTE) is Outcome.SUCCESS
    assert outcome(seen("DISTRIBUTING", build("COMPLETED")), DISTRIBUTE) is None


# -- distribution ------------------------------------------------------------------------------------------


def test_a_distribution_succeeds_only_when_the_image_is_available() -> None:
    done = execution("distribution", "distribute", "COMPLETED")
    assert outcome(seen("INTEGRATING", done), DISTRIBUTE) is None
    assert outcome(seen("AVAILABLE", done), DISTRIBUTE) is Outcome.SUCCESS
    assert outcome(seen("FAILED", done, failureContext={"imageStatus": "INTEGRATING"}), DISTRIBUTE) is (
        Outcome.FAILED
    )


def test_a_failed_distribution_does_not_wait_for_the_image() -> None:
    assert outcome(seen("DISTRIBUTING", execution("distribution", "d", "FAILED")), DISTRIBUTE) is (
        Outcome.FAILED
    )


# -- left out ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["BUILDING", "TESTING", "AVAILABLE", "FAILED"])
def test_a_test_that_was_left_out_of_the_image_is_skipped_at_once(image: str) -> None:
    verdict = judge(seen(image, workflows=CONFIGURED[:1]), BOOT)
    assert verdict is not None
    assert verdict.outcome is Outcome.SKIPPED
    assert verdict.reason == "boot was left out of this image"


def test_the_same_test_in_another_group_is_another_test() -> None:
    other = ({**CONFIGURED[1], "parallelGroup": "security"},)
    assert outcome(seen("TESTING", workflows=other), BOOT) is Outcome.SKIPPED
    assert outcome(seen("TESTING", boot("COMPLETED", parallelGroup="security")), BOOT) is None


def test_a_stage_that_the_image_has_passed_without_the_workflow_is_skipped() -> None:
    default = WorkflowSelector(WorkflowType.TEST, "test-image")
    no_configuration = {"workflows": ()}
    assert outcome(seen("TESTING", build("COMPLETED"), **no_configuration), default) is None
    assert outcome(seen("DISTRIBUTING", build("COMPLETED"), **no_configuration), default) is Outcome.SKIPPED
    # Without any execution AWS may only be late to show them.
    assert outcome(seen("DISTRIBUTING", **no_configuration), default) is None


# -- expired, retried, repaired ----------------------------------------------------------------------------


def test_a_test_whose_record_has_expired_is_skipped() -> None:
    verdict = judge(seen("AVAILABLE"), BOOT)
    assert verdict is not None
    assert verdict.outcome is Outcome.SKIPPED
    assert "keeps no record" in verdict.reason


def test_a_build_whose_record_has_expired_succeeds_because_the_image_is_available() -> None:
    assert outcome(seen("AVAILABLE"), BUILD) is Outcome.SUCCESS
    assert outcome(seen("DEPRECATED"), BUILD) is Outcome.SUCCESS


def test_a_failure_from_before_a_repair_does_not_count() -> None:
    failed = seen("TESTING", boot("FAILED"))
    assert outcome(failed, BOOT) is Outcome.FAILED
    assert outcome(failed, BOOT, stale=True) is None


@pytest.mark.parametrize("image", ["FAILED", "CANCELLED"])
@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "FAILED", *DROPPED])
def test_a_final_status_from_before_a_repair_does_not_count(status: str, image: str) -> None:
    assert outcome(seen(image, boot(status)), BOOT, stale=True) is None


@pytest.mark.parametrize("status", DROPPED)
def test_a_test_that_was_ended_before_a_repair_may_still_run(status: str) -> None:
    assert outcome(seen("TESTING", execution("test", "cis", "FAILED"), boot(status)), BOOT) is not None
    assert outcome(seen("TESTING", boot(status)), BOOT, stale=True) is None


def test_a_success_counts_after_a_repair() -> None:
    assert outcome(seen("TESTING", boot("COMPLETED")), BOOT, stale=True) is Outcome.SUCCESS
    assert outcome(seen("TESTING", build("COMPLETED")), BUILD, stale=True) is Outcome.SUCCESS


# -- what a repair can still change ----------------------------------------------------------------------

CONTINUES = ({**CONFIGURED[1], "onFailure": "CONTINUE"},)
CIS = execution("test", "cis", "FAILED")
BUILD_FAILED: dict[str, Any] = {"failureContext": {"imageStatus": "BUILDING"}}


@pytest.mark.parametrize(
    ("snapshot", "selector", "undone"),
    [
        (seen("TESTING", boot("FAILED")), BOOT, True),
        (seen("FAILED", boot("FAILED")), BOOT, True),
        (seen("TESTING", CIS, boot("CANCELLED")), BOOT, True),
        (seen("TESTING", CIS, boot("SKIPPED")), BOOT, True),
        (seen("CANCELLED", boot("CANCELLED")), BOOT, True),
        (seen("FAILED", CIS), BOOT, True),
        (seen("FAILED", CIS), DISTRIBUTE, True),
        (seen("DISTRIBUTING", execution("distribution", "d", "FAILED")), DISTRIBUTE, True),
        (seen("FAILED", boot("FAILED"), workflows=CONTINUES), BOOT, True),
        (seen("TESTING", boot("FAILED"), workflows=CONTINUES), BOOT, False),
        (seen("TESTING", boot("SKIPPED")), BOOT, False),
        (seen("TESTING", boot("COMPLETED")), BOOT, False),
        (seen("FAILED", CIS, boot("COMPLETED")), BOOT, False),
        (seen("AVAILABLE", boot("FAILED")), BOOT, False),
        (seen("AVAILABLE"), BOOT, False),
        (seen("DELETED", boot("FAILED")), BOOT, False),
        (seen("FAILED", CIS, workflows=CONFIGURED[:1]), BOOT, False),
        (seen("FAILED", build("FAILED"), **BUILD_FAILED), BUILD, False),
        (seen("BUILDING", build("FAILED")), BUILD, False),
        (seen("FAILED", build("FAILED"), **BUILD_FAILED), BOOT, False),
        (seen("CANCELLED", build("CANCELLED")), BUILD, False),
    ],
)
def test_a_repair_may_change_what_ran_in_the_phases_that_it_repeats(
    snapshot: ImageSnapshot, selector: WorkflowSelector, undone: bool
) -> None:
    verdict = judge(snapshot, selector)
    assert verdict is not None
    assert may_be_undone(snapshot, selector, verdict) is undone


@pytest.mark.parametrize("status", ["TESTING", "FAILED"])
def test_a_container_is_never_repaired(status: str) -> None:
    snapshot = seen(status, boot("FAILED"))
    container = ImageSnapshot.of(ARN, {**snapshot.image, "type": "DOCKER"}, snapshot.executions)
    verdict = judge(container, BOOT)
    assert verdict is not None
    assert may_be_undone(container, BOOT, verdict) is False


# -- which execution ---------------------------------------------------------------------------------------


def test_equal_tests_of_a_group_are_distinguished_by_their_place() -> None:
    first = boot("COMPLETED", startTime="2026-01-01T00:00:00Z")
    second = boot("FAILED", startTime="2026-01-01T00:05:00Z")
    snapshot = seen("TESTING", second, first, workflows=(CONFIGURED[1], CONFIGURED[1]))
    by_place = [WorkflowSelector(WorkflowType.TEST, "boot", "functional", n) for n in range(3)]
    assert [outcome(snapshot, selector) for selector in by_place] == [
        Outcome.SUCCESS,
        Outcome.FAILED,
        Outcome.SKIPPED,
    ]


def test_a_test_that_has_not_started_comes_after_those_that_have() -> None:
    pending, running = boot("PENDING"), boot("COMPLETED", startTime="2026-01-01T00:00:00Z")
    selector = WorkflowSelector(WorkflowType.TEST, "boot", "functional", 0)
    assert selector.execution([pending, running]) is running


def test_an_empty_group_is_the_same_as_none() -> None:
    alone = WorkflowSelector(WorkflowType.TEST, "boot")
    assert alone.execution([boot("RUNNING", parallelGroup="")]) is not None
    assert alone.execution([boot("RUNNING")]) is None


def test_a_workflow_of_the_same_name_and_another_type_is_another() -> None:
    assert BUILD.execution([execution("test", "golden-build", "RUNNING")]) is None
    assert BUILD.execution([{"workflowBuildVersionArn": None}]) is None


@pytest.mark.parametrize("status", [s.value for s in ImageStatus if is_image_terminal(s.value)])
@pytest.mark.parametrize("selector", [BUILD, BOOT, DISTRIBUTE], ids=lambda selector: selector.type.value)
def test_every_final_status_of_an_image_gives_every_monitor_an_outcome(
    status: str, selector: WorkflowSelector
) -> None:
    assert outcome(seen(status), selector) is not None
    assert outcome(seen(status, workflows=()), selector) is not None


# -- steps -------------------------------------------------------------------------------------------------


def step(name: str, status: str, **more: Any) -> dict[str, Any]:
    return {"stepExecutionId": f"step-{name}", "name": name, "action": "RunCommand", "status": status, **more}


def test_a_step_is_logged_with_action_state_duration_attempt_and_message() -> None:
    failed = step(
        "RunTests",
        "FAILED",
        startTime="2026-01-01T00:00:00.000Z",
        endTime="2026-01-01T00:01:30.000Z",
        attemptNumber=2,
        maxAttempts=3,
        message="exit status 1",
    )
    assert StepLog().news([failed]) == [
        "step RunTests (RunCommand): FAILED, 90 s, attempt 2 of 3, exit status 1"
    ]


def test_a_step_is_logged_once_per_state_and_not_before_it_begins() -> None:
    log = StepLog()
    assert log.news([step("a", "PENDING")]) == []
    assert log.news([step("a", "RUNNING")]) == ["step a (RunCommand): RUNNING"]
    assert log.news([step("a", "RUNNING")]) == []
    assert len(log.news([step("a", "RUNNING", attemptNumber=2)])) == 1
    assert log.news([step("a", "COMPLETED", attemptNumber=2)]) == [
        "step a (RunCommand): COMPLETED, attempt 2 of 2"
    ]


def test_steps_are_logged_in_the_order_in_which_they_began() -> None:
    later, earlier = step("b", "RUNNING", startTime="2026-01-02"), step("a", "FAILED", startTime="2026-01-01")
    assert [line.split()[1] for line in StepLog().news([later, earlier])] == ["a", "b"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:07Z", 7.0),
        ("2026-01-01T00:00:00.250Z", "2026-01-01T00:00:01.000Z", 0.75),
        ("2026-01-01T00:00:00.1Z", "2026-01-01T00:00:01Z", 0.9),
        (None, "2026-01-01T00:00:01Z", None),
        ("2026-01-01T00:00:00Z", None, None),
        ("soon", "2026-01-01T00:00:01Z", None),
    ],
)
def test_the_seconds_between_two_of_awss_times(
    start: str | None, end: str | None, expected: float | None
) -> None:
    assert seconds_between(start, end) == (pytest.approx(expected) if expected is not None else None)


def test_a_message_of_aws_is_one_clean_line_of_the_log() -> None:
    step = {"stepExecutionId": "s", "name": "Run", "action": "RunCommand", "status": "FAILED"}
    [line] = StepLog().news([{**step, "message": "a\x1b[31mred\r\nflag" + "x" * 10_000}])
    assert line.isprintable()
    assert len(line) < 2_000


def test_the_first_of_several_failures_is_named_as_the_cause() -> None:
    first = execution("test", "first", "FAILED", endTime="2026-01-01T19:01:00Z")
    second = execution("test", "second", "FAILED", endTime="2026-01-01T19:01:09Z")
    third = execution("test", "third", "CANCELLED", startTime="2026-01-01T19:00:00Z")
    verdict = judge(seen("TESTING", second, first, third), WorkflowSelector(WorkflowType.TEST, "third"))
    assert verdict is not None
    assert verdict.reason == "cancelled, because the test workflow first failed"
