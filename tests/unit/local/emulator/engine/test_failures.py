from __future__ import annotations

import json

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError, Behaviour, Failure
from tests.support.bench import HEAD, Bench, workflow
from tests.support.documents import RUN

BASE = f"{HEAD}component/golden-base/1.0.0/1"


def test_a_failing_test_fails_the_image_and_the_context_names_it() -> None:
    bench = Bench(Failure(workflow="network", message="no route"))
    arn = bench.bake()
    assert bench.finish(arn) == "FAILED"
    state = bench.image(arn)["state"]
    failed = next(run for run in bench.executions(arn) if run["status"] == "FAILED")
    context = state["failureContext"]
    assert context["imageStatus"] == "TESTING"
    assert context["workflowExecutionId"] == failed["workflowExecutionId"]
    assert context["workflowArn"] == f"{HEAD}workflow/test/network/1.0.0/1"
    assert context["failedStep"] == "RunTests"
    assert failed["workflowExecutionId"] in state["reason"]
    assert "no route" in state["reason"]
    listed = bench.call("ListWorkflowExecutions", imageBuildVersionArn=arn)
    assert listed["message"] == state["reason"]


def test_when_a_test_fails_the_image_no_other_test_continues() -> None:
    bench = Bench(Failure(workflow="boot"))
    bench.behaviour.workflows["boot"] = 1.0
    arn = bench.bake()
    bench.finish(arn)
    outcome = bench.outcome(arn)
    assert outcome.pop("golden-build") == "COMPLETED"
    assert outcome.pop("boot") == "FAILED"
    assert {outcome[name] for name in ("network", "services", "storage", "time-sync")} == {"CANCELLED"}
    assert {outcome[name] for name in ("users", "performance", "cis-level-1")} == {"SKIPPED"}


def test_a_failing_test_with_continue_leaves_an_available_image() -> None:
    bench = Bench(Failure(workflow="boot"))
    workflows = [
        workflow("build", "golden-build"),
        workflow("test", "boot", onFailure="CONTINUE"),
        workflow("test", "network"),
    ]
    arn = bench.bake(workflows=workflows)
    assert bench.finish(arn) == "AVAILABLE"
    assert bench.outcome(arn) == {"golden-build": "COMPLETED", "boot": "FAILED", "network": "COMPLETED"}


def test_a_named_step_fails_with_its_message_and_the_rest_is_skipped() -> None:
    bench = Bench(Failure(workflow="boot", step="LaunchTestInstance", message="no capacity"))
    arn = bench.bake()
    bench.finish(arn)
    steps = bench.steps(arn, "boot")
    assert [step["status"] for step in steps] == ["FAILED", "SKIPPED", "SKIPPED", "SKIPPED"]
    assert steps[0]["message"] == "no capacity"
    assert json.loads(steps[0]["outputs"]) == {"error": "no capacity"}
    boot = next(run for run in bench.executions(arn) if "/boot/" in run["workflowBuildVersionArn"])
    assert (boot["totalStepsFailed"], boot["totalStepsSkipped"]) == (1, 3)


def test_a_failing_component_is_named_with_phase_step_and_message_and_is_in_the_log() -> None:
    bench = Bench(
        Failure(component="golden-base", phase="build", component_step="Install", message="disk full")
    )
    arn = bench.bake()
    assert bench.finish(arn) == "FAILED"
    context = bench.image(arn)["state"]["failureContext"]
    assert (context["imageStatus"], context["failedStep"]) == ("BUILDING", "ApplyBuildComponents")
    assert context["componentFailure"] == {
        "componentArn": BASE,
        "phaseName": "build",
        "stepName": "Install",
        "action": "ExecuteBash",
        "errorMessage": "disk full",
    }
    lines = [line for effect in bench.world.of("log") for line in effect.data["lines"]]
    assert "Stderr: disk full" in lines
    assert f"Document {BASE} failed!" in bench.image(arn)["state"]["reason"]


def test_a_component_whose_test_phase_fails_fails_a_test_workflow() -> None:
    bench = Bench(Failure(component="golden-agent", phase="test"))
    arn = bench.bake()
    bench.finish(arn)
    context = bench.image(arn)["state"]["failureContext"]
    assert (context["imageStatus"], context["failedStep"]) == ("TESTING", "RunTests")
    assert context["componentFailure"]["phaseName"] == "test"


def test_a_failing_build_makes_no_ami_and_runs_no_test() -> None:
    bench = Bench(Failure(workflow="golden-build"))
    arn = bench.bake()
    bench.finish(arn)
    assert bench.outcome(arn) == {"golden-build": "FAILED"}
    assert bench.world.of("ami") == []


def test_an_image_needs_an_instance_that_runs(bench: Bench) -> None:
    """AWS's example of a document with ``instanceId: i-123`` is one of syntax: nothing runs under this id."""
    bench.world.missing.add(("us-east-1", "instance", "i-123"))
    launch = "{name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}"
    outcomes = []
    for number, instance in enumerate(("instanceId: i-123", "instanceId.$: $.stepOutputs.Launch.instanceId")):
        steps = (launch, f"{{name: Make, action: CreateImage, inputs: {{{instance}}}}}")
        own = bench.create_workflow(f"own-{number}", steps, workflow_type="BUILD")
        arn = bench.bake(workflows=[{"workflowArn": own}])
        outcomes.append((bench.finish(arn), "InvalidInstanceID.NotFound" in str(bench.image(arn)["state"])))
    assert outcomes == [("FAILED", True), ("AVAILABLE", False)]


def test_a_rollback_ends_in_rollback_completed() -> None:
    bench = Bench(Failure(workflow="boot", rollback=True))
    arn = bench.bake()
    assert bench.finish(arn) == "FAILED"
    assert bench.outcome(arn)["boot"] == "ROLLBACK_COMPLETED"


def test_a_failed_copy_is_reported_by_region_and_the_other_region_has_its_ami() -> None:
    bench = Bench(Failure(region="eu-west-1", message="key not shared"))
    arn = bench.bake()
    assert bench.finish(arn) == "FAILED"
    image = bench.image(arn)
    context = image["state"]["failureContext"]
    assert context["imageStatus"] == "DISTRIBUTING"
    assert context["distributionFailure"]["regionFailures"] == [
        {
            "region": "eu-west-1",
            "status": "FAILED",
            "errorMessage": "key not shared",
            "targetAccountId": "123456789012",
        }
    ]
    states = {ami["region"]: ami["state"]["status"] for ami in image["outputResources"]["amis"]}
    assert states == {"us-east-1": "AVAILABLE", "eu-west-1": "FAILED"}


def test_a_parameter_that_cannot_be_put_fails_while_integrating() -> None:
    bench = Bench(Failure(region="eu-west-1", configuration_step="PUT_SSM_PARAMETERS"))
    arn = bench.bake()
    assert bench.finish(arn) == "FAILED"
    context = bench.image(arn)["state"]["failureContext"]
    assert context["imageStatus"] == "INTEGRATING"
    assert (
        context["distributionFailure"]["regionFailures"][0]["imageConfigurationStep"] == "PUT_SSM_PARAMETERS"
    )
    assert [e.region for e in bench.world.of("parameter")] == ["us-east-1"]


def test_a_distribution_workflow_fails_in_its_step_when_a_region_fails() -> None:
    bench = Bench(Failure(region="eu-west-1"))
    managed = "arn:aws:imagebuilder:us-east-1:aws:workflow/distribution/distribute-image/x.x.x"
    arn = bench.bake(workflows=[workflow("build", "golden-build"), {"workflowArn": managed}])
    assert bench.finish(arn) == "FAILED"
    context = bench.image(arn)["state"]["failureContext"]
    assert context["failedStep"] == "DistributeImage"
    assert context["distributionFailure"]["regionFailures"][0]["region"] == "eu-west-1"


def test_a_failure_counted_for_the_service_passes_for_the_second_image() -> None:
    bench = Bench(Failure(workflow="boot", times=1))
    first, second = bench.bake(), bench.bake()
    bench.engine.settle()
    assert sorted((bench.status(first), bench.status(second))) == ["AVAILABLE", "FAILED"]


def test_a_failure_counted_by_image_hits_each_image() -> None:
    bench = Bench(Failure(workflow="boot", times=1, per="image"))
    arns = [bench.bake(), bench.bake()]
    bench.engine.settle()
    assert [bench.status(arn) for arn in arns] == ["FAILED", "FAILED"]


def test_a_failure_for_some_images_leaves_the_others_alone() -> None:
    bench = Bench(Failure(workflow="boot", image="golden-ubuntu-*"))
    assert bench.finish(bench.bake()) == "AVAILABLE"
    other = bench.bake(imageRecipeArn=f"{HEAD}image-recipe/golden-ubuntu-2404/1.0.0")
    assert bench.finish(other) == "FAILED"


def test_a_retry_in_the_test_phase_runs_the_tests_again_and_never_the_build() -> None:
    bench = Bench(Failure(workflow="boot", times=1, per="image"))
    arn = bench.bake()
    assert bench.finish(arn) == "FAILED"
    bench.call("RetryImage", imageBuildVersionArn=arn)
    assert bench.finish(arn) == "AVAILABLE"
    assert bench.statuses(arn).count("BUILDING") == 1
    assert bench.outcome(arn, retried=True)["boot"] == "FAILED"
    now = bench.outcome(arn)
    assert now["boot"] == "COMPLETED"
    assert now["golden-build"] == "COMPLETED"
    assert set(now.values()) == {"COMPLETED"}
    assert "failureContext" not in bench.image(arn)["state"]


def test_a_retry_in_the_distribution_phase_makes_only_what_is_missing() -> None:
    bench = Bench(Failure(region="eu-west-1", times=1))
    arn = bench.bake()
    bench.finish(arn)
    bench.call("RetryImage", imageBuildVersionArn=arn)
    assert bench.finish(arn) == "AVAILABLE"
    assert bench.statuses(arn).count("TESTING") == 1
    assert sorted(e.region for e in bench.world.of("ami")) == ["eu-west-1", "us-east-1"]


def test_a_cancelled_test_phase_can_be_retried(bench: Bench) -> None:
    arn = bench.bake()
    bench.run_to(arn, "TESTING")
    bench.call("CancelImageCreation", imageBuildVersionArn=arn)
    bench.finish(arn)
    bench.call("RetryImage", imageBuildVersionArn=arn)
    assert bench.finish(arn) == "AVAILABLE"


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (Failure(workflow="golden-build"), "build phase"),
        (Failure(region="eu-west-1", configuration_step="PUT_SSM_PARAMETERS"), "integration phase"),
    ],
    ids=["failed in the build", "failed while integrating"],
)
def test_a_retry_is_refused_in_other_phases(failure: Failure, why: str) -> None:
    bench = Bench(failure)
    arn = bench.bake()
    bench.finish(arn)
    with pytest.raises(ApiError, match=why):
        bench.call("RetryImage", imageBuildVersionArn=arn)
    assert bench.status(arn) == "FAILED"


def test_a_retry_of_an_available_image_is_refused(bench: Bench) -> None:
    arn = bench.bake()
    bench.finish(arn)
    with pytest.raises(ApiError, match="only FAILED and CANCELLED"):
        bench.call("RetryImage", imageBuildVersionArn=arn)


def test_a_retry_of_a_container_is_refused() -> None:
    bench = Bench(Failure(workflow="test-container"))
    arn = bench.bake(
        imageRecipeArn=None,
        containerRecipeArn=f"{HEAD}container-recipe/golden-container/1.0.0",
        distributionConfigurationArn=None,
        workflows=None,
        executionRole=None,
    )
    assert bench.finish(arn) == "FAILED"
    with pytest.raises(ApiError, match="container"):
        bench.call("RetryImage", imageBuildVersionArn=arn)


def test_a_retry_may_show_the_old_failure_for_a_while() -> None:
    behaviour = Behaviour(durations={"retry": 7.0}, failures=[Failure(workflow="boot", times=1)])
    bench = Bench(behaviour=behaviour)
    arn = bench.bake()
    bench.finish(arn)
    bench.call("RetryImage", imageBuildVersionArn=arn)
    assert bench.status(arn) == "FAILED"
    bench.engine.clock.advance(7.5)
    assert bench.status(arn) == "TESTING"


WAIT = ("{name: Approve, action: WaitForAction, timeoutSeconds: 600}", f"{{name: After, {RUN}}}")


def _waiting(bench: Bench, *steps: str) -> tuple[str, dict[str, str]]:
    approval = bench.create_workflow("approval", steps or WAIT)
    arn = bench.bake(workflows=[workflow("build", "golden-build"), {"workflowArn": approval}])
    bench.run_to(arn, "TESTING")
    listed = bench.call("ListWaitingWorkflowSteps")["steps"]
    assert len(listed) == 1
    return arn, listed[0]


def test_a_waiting_step_is_listed_and_sends_an_event(bench: Bench) -> None:
    arn, step = _waiting(bench)
    assert (step["imageBuildVersionArn"], step["name"]) == (arn, "Approve")
    event = bench.world.of("event")[-1].data
    assert event["type"] == "EC2 Image Builder Workflow Step Waiting"
    assert event["detail"]["workflow-step-execution-id"] == step["stepExecutionId"]


def test_resume_continues_the_workflow(bench: Bench) -> None:
    arn, step = _waiting(bench)
    bench.call(
        "SendWorkflowStepAction",
        stepExecutionId=step["stepExecutionId"],
        imageBuildVersionArn=arn,
        action="RESUME",
        reason="reviewed",
    )
    assert bench.finish(arn) == "AVAILABLE"
    outputs = json.loads(bench.steps(arn, "approval")[0]["outputs"])
    assert outputs == {"action": "RESUME", "reason": "reviewed"}
    assert bench.call("ListWaitingWorkflowSteps")["steps"] == []


def test_stop_fails_the_step_and_so_the_image(bench: Bench) -> None:
    arn, step = _waiting(bench)
    bench.call(
        "SendWorkflowStepAction",
        stepExecutionId=step["stepExecutionId"],
        imageBuildVersionArn=arn,
        action="STOP",
    )
    assert bench.finish(arn) == "FAILED"


def test_stop_on_a_step_that_continues_does_not_end_the_build(bench: Bench) -> None:
    lines = ("{name: Approve, action: WaitForAction, onFailure: Continue}", WAIT[1])
    arn, step = _waiting(bench, *lines)
    bench.call(
        "SendWorkflowStepAction",
        stepExecutionId=step["stepExecutionId"],
        imageBuildVersionArn=arn,
        action="STOP",
    )
    assert bench.finish(arn) == "AVAILABLE"


def test_a_waiting_step_without_an_action_times_out(bench: Bench) -> None:
    arn, step = _waiting(bench)
    assert bench.finish(arn) == "FAILED"
    with pytest.raises(ApiError, match="not waiting"):
        bench.call(
            "SendWorkflowStepAction",
            stepExecutionId=step["stepExecutionId"],
            imageBuildVersionArn=arn,
            action="RESUME",
        )


def test_a_step_of_another_region_cannot_be_reached(bench: Bench) -> None:
    arn, step = _waiting(bench)
    with pytest.raises(ApiError) as caught:
        bench.call(
            "SendWorkflowStepAction",
            region="eu-west-1",
            stepExecutionId=step["stepExecutionId"],
            imageBuildVersionArn=arn,
            action="RESUME",
        )
    assert caught.value.code == "ResourceNotFoundException"
    assert bench.call("ListWaitingWorkflowSteps")["steps"]


@pytest.mark.parametrize("action", ["RESUME", "STOP"])
def test_an_action_does_not_revive_an_image_that_is_being_cancelled(bench: Bench, action: str) -> None:
    arn, step = _waiting(bench)
    bench.call("CancelImageCreation", imageBuildVersionArn=arn)
    with pytest.raises(ApiError, match="not waiting"):
        bench.call(
            "SendWorkflowStepAction",
            stepExecutionId=step["stepExecutionId"],
            imageBuildVersionArn=arn,
            action=action,
        )
    assert bench.finish(arn) == "CANCELLED"
    bench.engine.settle()
    assert bench.status(arn) == "CANCELLED"
    assert bench.outcome(arn)["approval"] == "CANCELLED"


def test_the_image_of_another_step_is_refused(bench: Bench) -> None:
    _, step = _waiting(bench)
    with pytest.raises(ApiError, match="belongs to"):
        bench.call(
            "SendWorkflowStepAction",
            stepExecutionId=step["stepExecutionId"],
            imageBuildVersionArn=bench.bake(),
            action="RESUME",
        )


def test_a_step_whose_condition_does_not_hold_is_skipped(bench: Bench) -> None:
    head = "parameters: [{name: deep, type: boolean, default: false}]\n"
    steps = (
        f"{{name: Deep, {RUN}, if: {{booleanEquals: true, value: $.parameters.deep}}}}",
        f"{{name: Always, {RUN}}}",
    )
    arn_of_workflow = bench.create_workflow("conditional", steps, head=head)
    build = workflow("build", "golden-build")
    off = bench.bake(workflows=[build, {"workflowArn": arn_of_workflow}])
    given = [{"name": "deep", "value": ["true"]}]
    on = bench.bake(workflows=[build, {"workflowArn": arn_of_workflow, "parameters": given}])
    bench.engine.settle()
    seen = {arn: [step["status"] for step in bench.steps(arn, "conditional")] for arn in (off, on)}
    assert seen == {off: ["SKIPPED", "COMPLETED"], on: ["COMPLETED", "COMPLETED"]}


def test_a_workflow_that_only_waits_for_an_action_resumes(bench: Bench) -> None:
    arn, step = _waiting(bench, "{name: Approve, action: WaitForAction}")
    bench.call(
        "SendWorkflowStepAction",
        stepExecutionId=step["stepExecutionId"],
        imageBuildVersionArn=arn,
        action="RESUME",
    )
    assert bench.finish(arn) == "AVAILABLE"
