"""ImageFailure: what failed, from the parts that AWS reports, and the text of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_imagebuilder.service.errors import ImageFailedError
from airflow_imagebuilder.service.results.failure_record import (
    FailedComponent,
    FailedStep,
    FailedWorkflow,
    LogLocation,
)
from airflow_imagebuilder.service.results.image import ImageFailure, failed_execution
from tests.support import answers


def test_a_failed_component_is_read_from_the_failure_context() -> None:
    failure = ImageFailure.from_api(answers.failed_in_component())
    assert failure.stage == "BUILDING"
    assert (failure.workflow.name, failure.workflow.execution_id) == ("golden-build", answers.BUILD_ID)
    assert (failure.step.name, failure.step.execution_id) == ("ApplyBuildComponents", answers.STEP_ID)
    assert failure.component.arn == answers.COMPONENT
    assert (failure.component.phase, failure.component.step, failure.action) == (
        "build",
        "HardenSshd",
        "ExecuteBash",
    )
    assert failure.message == "exit status 1"
    assert (failure.log.group, failure.log.stream) == ("/aws/imagebuilder/Golden-AL2023", "1.0.0/3")


def test_failed_regions_are_read_from_the_failure_context() -> None:
    failure = ImageFailure.from_api(answers.failed_in_integration(), answers.executions())
    assert failure.stage == "INTEGRATING"
    assert [region["region"] for region in failure.regions] == ["eu-west-1", "eu-central-1"]
    assert str(failure.message).startswith("In region 'eu-west-1'")


def test_a_failed_test_that_the_image_continued_after_is_not_blamed_for_the_distribution() -> None:
    failure = ImageFailure.from_api(answers.failed_in_integration(), answers.executions())
    assert failure.workflow.name is None


def test_without_a_context_the_failed_execution_and_its_failed_step_are_read() -> None:
    failing = answers.cis(status="FAILED", message="")
    failure = ImageFailure.from_api(
        answers.failed_without_context(), [answers.boot(), failing], answers.steps()
    )
    assert failure.stage == "TESTING"
    assert (failure.workflow.name, failure.workflow.execution_id) == ("cis-level-1", answers.CIS_ID)
    assert (failure.step.name, failure.action) == ("ApplyTestComponents", "ExecuteComponents")
    assert failure.message == "sshd permits root login"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"message": "timed out"}, "timed out"),
        ({"outputs": '{"errorMessage": "no"}'}, "no"),
        ({"outputs": "plain text"}, "plain text"),
        ({"outputs": "[1]"}, "[1]"),
        ({}, "from the execution"),
    ],
)
def test_the_message_of_a_step_is_found_wherever_aws_put_it(step: dict[str, Any], message: str) -> None:
    failing = answers.cis(status="FAILED", message="from the execution")
    steps = [{"name": "Run", "status": "FAILED", **step}]
    assert ImageFailure.from_api(answers.failed_without_context(), [failing], steps).message == message


def test_a_step_that_the_guide_calls_timed_out_has_failed() -> None:
    steps = [{"name": "Fine", "status": "COMPLETED"}, {"name": "Late", "status": "TIMED_OUT"}]
    failing = answers.cis(status="FAILED")
    assert ImageFailure.from_api(answers.failed_without_context(), [failing], steps).step.name == "Late"


def test_with_nothing_but_a_reason_the_reason_is_the_message() -> None:
    failure = ImageFailure.from_api(answers.failed_without_context())
    assert failure.workflow.name is None
    assert failure.message == answers.failed_without_context()["state"]["reason"]


def test_what_the_context_lacks_is_taken_from_the_execution_that_it_names() -> None:
    failed = answers.failed_in_component()
    del failed["state"]["failureContext"]["workflowArn"]
    failure = ImageFailure.from_api(failed, answers.executions())
    assert failure.workflow.name == "golden-build"


def test_steps_of_another_execution_do_not_replace_the_step_that_is_named() -> None:
    failed = answers.failed_in_component()
    failed["state"]["failureContext"]["stepExecutionId"] = "step-22222222-0000-4000-8000-00000000000f"
    failure = ImageFailure.from_api(failed, answers.executions(), answers.steps())
    assert failure.step.name == "ApplyBuildComponents"
    assert failure.message == "exit status 1"


# -- which execution -----------------------------------------------------------------------------------------


def found(image: dict[str, Any], *executions: dict[str, Any]) -> str | None:
    execution = failed_execution(image, executions)
    return execution["workflowExecutionId"] if execution else None


def test_the_execution_that_the_context_names() -> None:
    assert found(answers.failed_in_component(), *answers.executions()) == answers.BUILD_ID


def test_an_execution_that_aborts_goes_before_one_that_the_image_continued_after() -> None:
    continued = answers.boot(status="FAILED", endTime="2026-09-09T19:59:00.000Z")
    aborts = answers.cis(status="FAILED", endTime="2026-09-09T19:16:00.000Z")
    assert found(answers.failed_without_context(), aborts, continued) == answers.CIS_ID


def test_a_failed_execution_goes_before_its_cancelled_neighbours() -> None:
    cause = answers.cis(status="FAILED", endTime="2026-09-09T19:16:00.000Z")
    swept = answers.execution("TEST", "audit", "wf-2", status="CANCELLED", endTime="2026-09-09T19:17:00.000Z")
    assert found(answers.failed_without_context(), swept, cause) == answers.CIS_ID


def test_one_that_the_image_continued_after_is_not_the_cause_while_there_is_another() -> None:
    continued = answers.boot(status="FAILED", endTime="2026-09-09T19:59:00.000Z")
    assert (
        found(answers.failed_without_context(), continued, answers.cis(status="CANCELLED")) == answers.CIS_ID
    )


def test_the_last_execution_to_fail_goes_before_earlier_ones() -> None:
    first = answers.execution(
        "BUILD", "a", "wf-1", status="ROLLBACK_COMPLETED", endTime="2026-09-09T19:01:00.000Z"
    )
    last = answers.execution(
        "BUILD", "b", "wf-2", status="ROLLBACK_COMPLETED", endTime="2026-09-09T19:02:00.000Z"
    )
    assert found(answers.failed_without_context(), last, first) == "wf-2"


def test_an_execution_that_a_retry_superseded_does_not_count() -> None:
    assert found(answers.failed_without_context(), answers.cis(status="FAILED", retried=True)) is None


# -- one execution, whatever the image's status is -----------------------------------------------------------


def test_a_failed_test_of_an_image_that_is_available() -> None:
    failing = answers.boot(status="FAILED", message="Step RunBoot failed")
    failure = ImageFailure.from_execution(answers.image(), failing, answers.steps())
    assert (failure.stage, failure.workflow.name, failure.step.name) == (
        "TESTING",
        "boot",
        "ApplyTestComponents",
    )
    assert "RetryImage" not in failure.describe()
    assert "build a new image" not in failure.describe()


def test_a_failed_test_takes_nothing_from_the_failure_of_the_distribution() -> None:
    failing = answers.boot(status="FAILED", message="Step RunBoot failed")
    failure = ImageFailure.from_execution(answers.failed_in_integration(), failing)
    assert (failure.stage, failure.regions, failure.message) == ("TESTING", (), "Step RunBoot failed")
    assert failure.reason is None


@pytest.mark.parametrize("read", [ImageFailure.from_execution, lambda i, e: ImageFailure.from_api(i, [e])])
def test_the_context_of_another_execution_is_ignored(read: Any) -> None:
    failing = answers.boot(status="FAILED", message="Step RunBoot failed")
    failure = read(answers.failed_in_component(), failing)
    assert (failure.workflow.name, failure.component.arn, failure.message) == (
        "boot",
        None,
        "Step RunBoot failed",
    )


def test_the_context_of_this_execution_is_used() -> None:
    build = answers.execution("BUILD", "golden-build", answers.BUILD_ID, status="FAILED")
    assert (
        ImageFailure.from_execution(answers.failed_in_component(), build).component.arn == answers.COMPONENT
    )


# -- the text ------------------------------------------------------------------------------------------------


COMPONENT_TEXT = """\
  image       {arn}
  stage       BUILDING
  workflow    golden-build ({workflow}, {execution})
  step        ApplyBuildComponents ({step})
  component   {component}
              phase build, step HardenSshd, action ExecuteBash
  message     exit status 1
  reason      Workflow Execution ID: '{execution}' failed with reason: Document {component} failed!
  log         CloudWatch group /aws/imagebuilder/Golden-AL2023, stream 1.0.0/3
              {command}
  what to do  The component's own output is in the log: search it for Stderr and ExitCode.
              To inspect the instance, set terminateInstanceOnFailure to false in the infrastructure \
configuration.
              {then}"""


def test_the_text_of_a_failed_component() -> None:
    assert ImageFailure.from_api(answers.failed_in_component()).describe() == COMPONENT_TEXT.format(
        arn=answers.ARN,
        workflow=f"{answers.HERE}:workflow/build/golden-build/1.0.0/1",
        execution=answers.BUILD_ID,
        step=answers.STEP_ID,
        component=answers.COMPONENT,
        command=(
            "aws logs get-log-events --region us-east-1 --log-group-name /aws/imagebuilder/Golden-AL2023 "
            "--log-stream-name 1.0.0/3 --query 'events[].message' --output text"
        ),
        then=(
            "Then clear the task group (without one: the task that submitted the image) with its downstream "
            "tasks: "
            "that builds a new image.\n              "
            "(RetryImage cannot continue this one: it repeats the test and distribution phases of AMIs only.)"
        ),
    )


def test_failed_regions_have_one_line_each() -> None:
    text = ImageFailure.from_api(answers.failed_in_integration()).describe()
    assert "  region      eu-west-1: FAILED in UPDATE_LAUNCH_TEMPLATES: EC2 Client Error" in text
    assert "  region      eu-central-1 account 210987654321: TIMED_OUT in PUT_SSM_PARAMETERS\n" in text
    assert "its AMI may exist already" in text


def test_the_text_of_a_failed_test_has_its_step_and_action() -> None:
    failing = answers.cis(status="FAILED")
    text = ImageFailure.from_api(answers.failed_without_context(), [failing], answers.steps()).describe()
    assert f"  step        ApplyTestComponents (ExecuteComponents, {answers.STEP_ID})\n" in text
    assert "clear the task group" in text
    assert "The new try calls RetryImage, which continues this image in TESTING without a new build." in text


ADVICE = [
    (answers.image(state={"status": "FAILED"}), "names no workflow"),
    (
        answers.image(state={"status": "FAILED", "reason": "(InvalidInstanceId) when calling SendCommand"}),
        "did not reach Systems Manager",
    ),
    (
        answers.image(state={"status": "FAILED", "reason": "is not authorized to perform: ssm:PutParameter"}),
        "below /imagebuilder/ only",
    ),
    (
        answers.image(state={"status": "FAILED", "reason": "InsufficientInstanceCapacity"}),
        "instance did not start",
    ),
    (
        answers.image(state={"status": "FAILED", "reason": f"Document {answers.COMPONENT} failed!"}),
        "search it for Stderr",
    ),
    (
        answers.image(state={"status": "FAILED", "failureContext": {"imageStatus": "DISTRIBUTING"}}),
        "continues this image in DISTRIBUTING",
    ),
    (
        {
            **answers.container_image(),
            "state": {"status": "FAILED", "failureContext": {"imageStatus": "TESTING"}},
        },
        "that builds a new image",
    ),
    (
        answers.image(state={"status": "FAILED", "failureContext": {"failedStep": "RunSysPrepScript"}}),
        "from the first error on",
    ),
]


@pytest.mark.parametrize(("image", "text"), ADVICE, ids=[text for _, text in ADVICE])
def test_what_to_do(image: dict[str, Any], text: str) -> None:
    assert text in ImageFailure.from_api(image).describe()


def test_a_reason_that_the_message_repeats_is_shown_once() -> None:
    assert ImageFailure.from_api(answers.failed_without_context()).describe().count("failed with reason") == 1


def test_a_message_of_a_component_cannot_move_the_terminal() -> None:
    text = ImageFailure(message="\x1b[2Jall is well\r\nno\ttab").describe()
    assert "  message     all is well\n              no\ttab" in text
    assert "\x1b" not in text


def test_a_very_long_message_is_cut() -> None:
    text = ImageFailure(message="x" * 384_000).describe()
    assert len(text) < 6000
    assert "(384000 characters, the log has them all)" in text


def test_a_log_group_is_quoted_in_the_command() -> None:
    text = ImageFailure(arn=answers.ARN, log=LogLocation(group="/a b", stream="1.0.0/1")).describe()
    assert "--log-group-name '/a b' --log-stream-name 1.0.0/1" in text


# -- the first line, the only one that a mail or a chat shows ------------------------------------------------


def first_line(failure: ImageFailure) -> str:
    return str(ImageFailedError(answers.ARN, failure)).splitlines()[0]


def test_the_first_line_names_stage_workflow_step_and_message() -> None:
    failing = answers.cis(status="FAILED", message="")
    failure = ImageFailure.from_api(answers.failed_without_context(), [failing], answers.steps())
    assert first_line(failure) == (
        "Image golden-al2023 1.0.0/3 failed in TESTING: workflow cis-level-1, step ApplyTestComponents: "
        "sshd permits root login"
    )


def test_the_first_line_names_the_component_that_failed() -> None:
    assert first_line(ImageFailure.from_api(answers.failed_in_component())) == (
        "Image golden-al2023 1.0.0/3 failed in BUILDING: workflow golden-build, step ApplyBuildComponents, "
        "component cis-hardening 1.2.0/4 (build step HardenSshd): exit status 1"
    )


def test_a_component_that_only_the_reason_names_is_known_too() -> None:
    reason = (
        f"Workflow Execution ID: '{answers.BUILD_ID}' failed with reason: Document {answers.COMPONENT} "
        "failed!"
    )
    failure = ImageFailure.from_api(answers.image(state={"status": "FAILED", "reason": reason}))
    assert failure.component.arn == answers.COMPONENT
    assert first_line(failure) == (
        "Image golden-al2023 1.0.0/3 failed: component cis-hardening 1.2.0/4: its log says why"
    )


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ({}, "failed"),
        ({"stage": "TESTING"}, "failed in TESTING"),
        ({"message": "no"}, "failed: no"),
        ({"stage": "TESTING", "step": FailedStep(name="Run")}, "failed in TESTING: step Run"),
        ({"workflow": FailedWorkflow(name="cis"), "message": "no"}, "failed: workflow cis: no"),
        ({"regions": ({"region": "eu-west-1", "errorMessage": "no"},)}, "failed: eu-west-1: FAILED: no"),
        ({"reason": "Workflow Execution ID: wf-1 failed with reason: no"}, "failed: no"),
        ({"message": "a\n\x1b[31m b\r\n"}, "failed: a b"),
    ],
)
def test_the_first_line_has_no_gap_where_aws_leaves_a_member_out(known: dict[str, Any], line: str) -> None:
    assert first_line(ImageFailure(**known)) == f"Image golden-al2023 1.0.0/3 {line}"


def test_the_first_line_has_the_inner_message_of_aws_and_a_limited_length() -> None:
    reason = (
        "SSM execution '9ace18ad' failed with status = 'TimedOut' in state = 'BUILDING' and failure "
        "message = "
        "'SSM Agent verification failed'"
    )
    failure = ImageFailure.from_api(answers.image(state={"status": "FAILED", "reason": reason}))
    assert first_line(failure) == (
        "Image golden-al2023 1.0.0/3 failed in BUILDING: SSM Agent verification failed"
    )
    assert (
        len(
            first_line(
                ImageFailure(stage="TESTING", workflow=FailedWorkflow(name="w" * 300), message="x" * 384_000)
            )
        )
        < 400
    )


# -- steps ---------------------------------------------------------------------------------------------------


def failed_step(action: str, **step: Any) -> ImageFailure:
    steps = [
        {"stepExecutionId": answers.STEP_ID, "name": "Ask", "action": action, "status": "FAILED", **step}
    ]
    failing = answers.cis(status="FAILED", message="Step Ask failed")
    return ImageFailure.from_api(answers.failed_without_context(), [failing], steps)


EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:smoke:0a1b"


@pytest.mark.parametrize(
    "step",
    [
        {"outputs": {"executionArn": EXECUTION, "error": "Smoke.Failed", "cause": "no route to host"}},
        {
            "outputs": {
                "executionArn": EXECUTION,
                "output": '{"error": "Smoke.Failed", "cause": "no route to host"}',
            }
        },
        {
            "outputs": {
                "executionArn": EXECUTION,
                "error": "Smoke.Failed",
                "cause": '{"errorMessage": "no route to host"}',
            }
        },
        {
            "message": '{"error": "Smoke.Failed", "cause": "no route to host"}',
            "outputs": {"executionArn": EXECUTION},
        },
    ],
)
def test_a_state_machine_that_failed_shows_its_error_its_cause_and_its_execution(
    step: dict[str, Any],
) -> None:
    failure = failed_step("ExecuteStateMachine", **{**step, "outputs": json.dumps(step["outputs"])})
    assert failure.message == "Smoke.Failed: no route to host"
    assert failure.details == {"executionArn": EXECUTION}
    text = failure.describe()
    assert f"  outputs     executionArn: {EXECUTION}\n" in text
    assert f"aws stepfunctions describe-execution --execution-arn {EXECUTION}" in text


def test_every_member_of_the_outputs_that_is_not_empty_is_shown() -> None:
    outputs = {
        "runCommandId": "a1b2",
        "status": "Failed",
        "output": ["one", "two"],
        "none": None,
        "empty": "",
    }
    text = failed_step("RunCommand", message="no", outputs=json.dumps(outputs)).describe()
    assert (
        '  outputs     runCommandId: a1b2\n              status: Failed\n              output: ["one", "two"]'
        in text
    )
    assert "none" not in text
    assert "empty" not in text


def test_the_last_failed_step_is_the_cause_when_the_workflow_continued_after_an_earlier_one() -> None:
    steps = [
        {
            "name": "Fix",
            "status": "FAILED",
            "message": "earlier",
            "endTime": "2026-09-09T19:15:00.000Z",
        },
        {"name": "Run", "status": "FAILED", "message": "the cause", "endTime": "2026-09-09T19:16:00.000Z"},
        {"name": "End", "status": "CANCELLED", "endTime": "2026-09-09T19:17:00.000Z"},
    ]
    failure = ImageFailure.from_api(answers.failed_without_context(), [answers.cis(status="FAILED")], steps)
    assert (failure.step.name, failure.message) == ("Run", "the cause")


@pytest.mark.parametrize(
    "step",
    [
        {"message": "Stopped: not this week", "outputs": '{"action": "STOP", "reason": "not this week"}'},
        {"outputs": '{"action": "STOP", "reason": "not this week"}'},
        {"message": "not this week"},
    ],
)
def test_a_workflow_that_a_person_stopped_is_a_decision_with_its_reason(step: dict[str, Any]) -> None:
    failure = failed_step("WaitForAction", **step)
    assert first_line(failure) == (
        "Image golden-al2023 1.0.0/3 was stopped in TESTING: workflow cis-level-1, step Ask: "
        "stopped at WaitForAction by a person: not this week"
    )
    text = failure.describe()
    assert "a decision, not a fault" in text
    assert "Read the log" not in text


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("Timed out waiting for an action", "No answer reached WaitForAction in time."),
        ("User is not authorized to perform: sns:Publish on resource: t", "WaitForAction could not notify"),
    ],
)
def test_a_wait_for_action_that_failed_by_itself_is_not_a_decision(message: str, advice: str) -> None:
    failure = failed_step("WaitForAction", message=message)
    assert failure.message == message
    assert advice in failure.describe()


def test_the_execution_that_the_reason_names_failed_the_image() -> None:
    late = answers.boot(status="FAILED", endTime="2026-09-09T19:59:00.000Z")
    image = answers.image(
        state={
            "status": "FAILED",
            "reason": f"Workflow Execution ID: {answers.CIS_ID} failed with reason: x",
        },
        workflows=[],
    )
    assert found(image, answers.cis(status="FAILED"), late) == answers.CIS_ID


def test_a_list_of_three_hundred_regions_is_cut() -> None:
    regions = tuple({"region": f"r-{number}", "errorMessage": "x" * 5000} for number in range(300))
    text = ImageFailure(regions=regions).describe()
    assert "  region      r-0: FAILED: x" in text
    assert "and 280 more" in text
    assert len(text) < 30_000


def test_a_failure_that_was_stored_without_details_is_read() -> None:
    stored = ImageFailure(arn=answers.ARN, message="no").to_dict()
    del stored["details"]
    assert ImageFailure.from_dict(stored) == ImageFailure(arn=answers.ARN, message="no")


members = st.none() | st.text(max_size=20)


@given(
    st.builds(
        ImageFailure,
        stage=members,
        workflow=st.builds(FailedWorkflow, name=members),
        step=st.builds(FailedStep, name=members),
        component=st.builds(FailedComponent, arn=members),
        message=members,
        log=st.builds(LogLocation, group=members),
    )
)
def test_a_failure_with_missing_members_has_a_text_and_can_be_stored(failure: ImageFailure) -> None:
    assert "what to do" in failure.describe()
    assert ImageFailure.from_dict(json.loads(json.dumps(failure.to_dict()))) == failure


@pytest.mark.parametrize("flat", [{"workflow": "learn-x"}, {"component": "arn", "step": None}])
def test_a_record_with_other_shapes_is_read_without_its_parts(flat: dict[str, Any]) -> None:
    failure = ImageFailure.from_dict({"stage": "TESTING", **flat})
    assert (failure.stage, failure.workflow.name, failure.component.arn) == ("TESTING", None, None)
