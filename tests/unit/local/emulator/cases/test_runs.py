"""What becomes of builds whose documents say something unusual.

Sources: User Guide, "Use Image Builder system variables"; AWS's skill for Image Builder on test workflows
without a build; README files of workflows/ in aws-samples/amazon-ec2-image-builder-samples.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.bench import Bench, workflow

LAUNCH = "{name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}"
CHAINED = "inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}"
MAKE = (
    "{name: MakeAmi, action: CreateImage, if: {stringEquals: AMI, value: $.imagebuilder.imageType}, "
    f"{CHAINED}}}"
)
PARENT = "ami-0123456789abcdef0"


def bake(bench: Bench, *steps: str, kind: str = "BUILD", head: str = "", **more: Any) -> str:
    own = bench.create_workflow("own", steps, kind, head)
    recipe = bench.call("CreateImageRecipe", name="own", semanticVersion="1.0.0", parentImage=PARENT)
    arn = bench.bake(
        imageRecipeArn=recipe["imageRecipeArn"],
        distributionConfigurationArn=None,
        workflows=[{"workflowArn": own, **more}],
    )
    bench.finish(arn)
    return arn


def statuses(bench: Bench, arn: str) -> dict[str, str]:
    return {step["name"]: step["status"] for step in bench.steps(arn, "own")}


def amis(bench: Bench, arn: str) -> list[str]:
    return [ami["image"] for ami in bench.image(arn)["outputResources"]["amis"]]


def test_conditions_on_system_variables_hold_as_in_amazons_own_documents(bench: Bench) -> None:
    sanitize = (
        "{name: Sanitize, action: SanitizeInstance, if: {and: [{stringEquals: AMI, value: "
        "$.imagebuilder.imageType}, "
        f"{{not: {{stringEquals: Windows, value: $.imagebuilder.platform}}}}]}}, {CHAINED}}}"
    )
    windows = (
        "{name: SysPrep, action: RunSysPrep, if: {stringEquals: Windows, value: $.imagebuilder.Platform}, "
        f"{CHAINED}}}"
    )
    arn = bake(bench, LAUNCH, sanitize, windows, MAKE)
    assert statuses(bench, arn) == {
        "Launch": "COMPLETED",
        "Sanitize": "COMPLETED",
        "SysPrep": "SKIPPED",
        "MakeAmi": "COMPLETED",
    }
    assert amis(bench, arn) not in ([], [PARENT])


VARIABLES: dict[str, Any] = {
    "cloudWatchLogGroup": "/aws/imagebuilder/own",
    "cloudWatchLogStream": "1.0.0/1",
    "collectImageMetadata": True,
    "collectImageScanFindings": False,
    "imageBuildNumber": 1,
    "imageId": PARENT,
    "imageName": "own",
    "imageType": "AMI",
    "imageVersionNumber": "1.0.0",
    "instanceProfileName": str,
    "platform": "Linux",
    "sourceImageARN": "arn:aws:imagebuilder:us-east-1:123456789012:image/own/1.0.0/1",
    "terminateInstanceOnFailure": True,
    "workflowPhase": "Build",
    "workingDirectory": "/tmp",
    "dateTime": str,
}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_system_variable_has_its_value_and_its_type(bench: Bench, name: str) -> None:
    arn = bake(
        bench,
        "{name: Pause, action: WaitForAction, timeoutSeconds: 5, onFailure: Continue, "
        f"inputs: {{payload.$: $.imagebuilder.{name}}}}}",
    )
    (step,) = bench.steps(arn, "own")
    expected, found = VARIABLES[name], json.loads(step["inputs"])["payload"]
    assert isinstance(found, expected) if isinstance(expected, type) else found == expected
    assert type(found) is (expected if isinstance(expected, type) else type(expected))


def test_network_and_logs_of_the_infrastructure_are_system_variables(bench: Bench) -> None:
    made = bench.call(
        "CreateInfrastructureConfiguration",
        name="network",
        instanceProfileName="profile",
        subnetId="subnet-0123456789abcdef0",
        securityGroupIds=["sg-0123456789abcdef0", "sg-0123456789abcdef1"],
        logging={"s3Logs": {"s3BucketName": "logs", "s3KeyPrefix": "ib"}},
    )
    given = ", ".join(
        f"{name}.$: $.imagebuilder.{variable}"
        for name, variable in {"groups": "securityGroups", "subnet": "subnetId", "logs": "s3Logs"}.items()
    )
    command = (
        "{name: Show, action: RunCommand, inputs: {instanceId: i-1, documentName: Own, "
        f"parameters: {{{given}}}}}}}"
    )
    own = bench.create_workflow("own", [command])
    arn = bench.bake(
        infrastructureConfigurationArn=made["infrastructureConfigurationArn"],
        workflows=[{"workflowArn": own}],
    )
    bench.finish(arn)
    assert json.loads(bench.steps(arn, "own")[0]["inputs"])["parameters"] == {
        "groups": ["sg-0123456789abcdef0", "sg-0123456789abcdef1"],
        "subnet": "subnet-0123456789abcdef0",
        "logs": {"s3BucketName": "logs", "s3KeyPrefix": "ib"},
    }


def test_an_image_with_tests_alone_keeps_the_ami_that_it_began_with(bench: Bench) -> None:
    arn = bake(bench, LAUNCH, kind="TEST")
    assert bench.status(arn) == "AVAILABLE"
    assert amis(bench, arn) == [PARENT]
    assert "BUILDING" not in bench.statuses(arn)


def test_a_build_that_never_creates_an_image_has_no_ami(bench: Bench) -> None:
    skipped = MAKE.replace("stringEquals: AMI", "stringEquals: DOCKER")
    for steps in ([LAUNCH], [LAUNCH, skipped]):
        arn = bake(Bench(), *steps) if steps == [LAUNCH] else bake(bench, *steps)
        assert arn
    assert amis(bench, arn) == []


def test_the_ami_that_a_build_names_as_its_output_becomes_the_image(bench: Bench) -> None:
    head = "parameters: [{name: made, type: string}]\noutputs: [{name: ImageId, value: $.parameters.made}]\n"
    given = [{"name": "made", "value": ["ami-0fedcba9876543210"]}]
    arn = bake(bench, LAUNCH, head=head, parameters=given)
    assert amis(bench, arn) == ["ami-0fedcba9876543210"]


@pytest.mark.parametrize(
    "condition",
    [
        "{numberGreaterThan: 1, value: $.stepOutputs.Launch.nothing}",
        "{numberEquals: 1, value: $.workflowOutputs.nothing}",
        "{numberLessThan: $.imagebuilder.imageName, value: 3}",
        "{booleanEquals: true, value: $.stepOutputs.Launch.instanceId}",
        '{stringEquals: a, value: "$.workflowOutputs.list[7]"}',
    ],
)
def test_a_condition_on_nothing_skips_its_step_and_the_image_ends(bench: Bench, condition: str) -> None:
    arn = bake(bench, LAUNCH, f"{{name: Maybe, action: WaitForAction, if: {condition}}}", MAKE)
    assert bench.status(arn) == "AVAILABLE"
    assert statuses(bench, arn)["Maybe"] == "SKIPPED"


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (
            "{name: End, action: TerminateInstance, inputs: {instanceId.$: $.stepOutputs.Launch.nothing}}",
            "has no value",
        ),
        (
            "{name: End, action: TerminateInstance, inputs: {instanceId: $.stepOutputs.Launch.instanceId}}",
            "instanceId.$",
        ),
        ("{name: End, action: WaitForAction, timeoutSeconds: 30}", "timed out"),
    ],
    ids=["a reference to nothing", "a path without the mark", "an answer that never comes"],
)
def test_a_step_that_cannot_run_fails_the_image_with_its_reason(bench: Bench, step: str, why: str) -> None:
    arn = bake(bench, LAUNCH, step)
    state = bench.image(arn)["state"]
    assert (state["status"], state["failureContext"]["failedStep"]) == ("FAILED", "End")
    assert why in state["reason"]
    assert amis(bench, arn) == []


def test_a_state_machine_has_an_execution(bench: Bench) -> None:
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:checks"
    head = "parameters: [{name: machine, type: string}]\n"
    step = (
        "{name: Check, action: ExecuteStateMachine, inputs: {stateMachineArn.$: $.parameters.machine, "
        'input.$: \'{"image": "{{ $.imagebuilder.imageName }}"}\'}}'
    )
    arn = bake(bench, step, kind="TEST", head=head, parameters=[{"name": "machine", "value": [machine]}])
    (shown,) = bench.steps(arn, "own")
    assert json.loads(shown["inputs"]) == {"stateMachineArn": machine, "input": '{"image": "own"}'}
    assert json.loads(shown["outputs"])["executionArn"].startswith(
        machine.replace("stateMachine", "execution")
    )


def test_a_waiting_step_reaches_the_topic_and_the_function(bench: Bench) -> None:
    head = "parameters: [{name: topic, type: string}]\n"
    topic = "arn:aws:sns:us-east-1:123456789012:approvals"
    ask = (
        "{name: Ask, action: WaitForAction, timeoutSeconds: 60, onFailure: Continue, inputs: {snsTopicArn.$: "
        "$.parameters.topic, lambdaFunctionName: own, payload: 'check {{ $.imagebuilder.imageName }}'}}"
    )
    arn = bake(bench, LAUNCH, ask, MAKE, head=head, parameters=[{"name": "topic", "value": [topic]}])
    (told,), (called,) = bench.world.of("notification")[:1], bench.world.of("function")
    message = told.data["message"]
    assert told.data["topic"] == topic
    assert message["imageArn"] == arn
    assert message["customPayload"] == "check own"
    assert message["workflowStepExecutionId"] == bench.steps(arn, "own")[1]["stepExecutionId"]
    assert set(message["stepOutputs"]) == {"Launch"}
    assert (called.data["name"], called.data["event"]) == ("own", message)


GATE = """
schemaVersion: 1.0
parameters: [{name: account, type: string, default: ''}]
steps:
  - name: Approve
    action: WaitForAction
    inputs: {payload: 'AMI {{ $.workflowOutputs.ImageId }} passed its tests'}
  - name: Copies
    action: DistributeImage
    inputs:
      distributions:
        - {region: us-east-1, amiTags: {Release: 'approved {{ imagebuilder:buildVersion }}'}}
        - {region: eu-west-1, name: 'own {{ imagebuilder:buildDate }}'}
  - name: Grant
    action: ModifyImageAttributes
    if: {not: {stringEquals: '', value: $.parameters.account}}
    inputs:
      distributedImages.$: $.stepOutputs.Copies.distributedImages
      attributes:
        - {region: eu-west-1, launchPermission: {userIds: ['{{ $.parameters.account }}']}}
  - name: Publish
    action: ApplyImageConfigurations
    inputs:
      distributedImages.$: $.stepOutputs.Copies.distributedImages
      configurations:
        - {region: eu-west-1, ssmParameterConfigurations: [{parameterName: /imagebuilder/own/ami}]}
"""


def test_a_gate_holds_the_distribution_until_it_is_released(bench: Bench) -> None:
    made = bench.call("CreateWorkflow", name="gate", semanticVersion="1.0.0", type="DISTRIBUTION", data=GATE)
    gate = made["workflowBuildVersionArn"]
    arn = bench.bake(
        workflows=[
            workflow("build", "golden-build"),
            {"workflowArn": gate, "parameters": [{"name": "account", "value": ["111122223333"]}]},
        ]
    )
    bench.run_to(arn, "DISTRIBUTING")
    assert not [effect for effect in bench.world.of("ami") if effect.region == "eu-west-1"]
    (waiting,) = bench.call("ListWaitingWorkflowSteps")["steps"]
    bench.call(
        "SendWorkflowStepAction",
        stepExecutionId=waiting["stepExecutionId"],
        imageBuildVersionArn=arn,
        action="RESUME",
        reason="good",
    )
    assert bench.finish(arn) == "AVAILABLE"
    assert {step["name"]: step["status"] for step in bench.steps(arn, "gate")} == dict.fromkeys(
        ("Approve", "Copies", "Grant", "Publish"), "COMPLETED"
    )
    (tagged,) = bench.world.of("ami_state")
    built = bench.image(arn)["outputResources"]["amis"][0]
    assert (tagged.region, tagged.data["ami"]) == (built["region"], built["image"])
    assert (tagged.data["what"], tagged.data["tags"]) == ("tag", {"Release": "approved 1"})
    (copy,) = [effect.data for effect in bench.world.of("ami") if effect.region == "eu-west-1"]
    (shared,) = [e.data for e in bench.world.of("launch_permission") if e.region == "eu-west-1"]
    assert shared == {"ami": copy["id"], "allowed": [{"UserId": "111122223333"}]}
    (put,) = bench.world.of("parameter")
    assert (put.region, put.data["name"], put.data["value"]) == (
        "eu-west-1",
        "/imagebuilder/own/ami",
        copy["id"],
    )
