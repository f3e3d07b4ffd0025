"""The advice on a failure, for the known reasons of AWS and for other wordings of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_imagebuilder.service.results.advice.advice import REASONS, find
from airflow_imagebuilder.service.results.advice.reason import Mark
from airflow_imagebuilder.service.results.image import ImageFailure
from tests.support import answers

KINDS = {"BUILDING": "BUILD", "TESTING": "TEST", "DISTRIBUTING": "DISTRIBUTION"}
COMPONENT = f"{answers.HERE}:component/checks/1.0.0/1"


def failure(
    reason: str,
    step: str | None = None,
    action: str | None = None,
    *,
    stage: str = "BUILDING",
    component: str | None = None,
    type_: str = "AMI",
) -> ImageFailure:
    """A failure with this reason, in the surroundings in which AWS would report it."""
    state: dict[str, Any] = {"status": "FAILED", "reason": reason}
    if component:
        answer = {"componentArn": component, "errorMessage": reason}
        state["failureContext"] = {"imageStatus": stage, "componentFailure": answer}
    elif stage not in KINDS:
        state["failureContext"] = {"imageStatus": stage, "distributionFailure": {"errorMessage": reason}}
    image = answers.image(state=state, type=type_)
    if step is None:
        return ImageFailure.from_api(image)
    execution = answers.execution(KINDS[stage], "own", "wf-1", status="FAILED", message=reason)
    steps = [{"name": step, "action": action, "status": "FAILED", "message": reason}]
    return ImageFailure.from_api(image, [execution], steps)


LAUNCH = ("LaunchBuildInstance", "LaunchInstance")
APPLY = ("ApplyBuildComponents", "ExecuteComponents")
POLL = "Step timed out while step is Poll action status for completion. Please refer to the guide."
TIMED_OUT = (
    "SSM execution '9ace18ad' failed with status = 'TimedOut' in state = 'BUILDING' and failure message = "
)
SOME = f"{answers.HERE}:image/own/1.0.0/7"

# Short quotes of messages that users reported, of AWS's documents, and other wordings of the same reasons.
EXAMPLES: list[tuple[str, ImageFailure]] = [
    ("ssm-agent", failure("(InvalidInstanceId) when calling SendCommand: [[i-0a]] not in a valid state")),
    ("ssm-agent", failure("SSM Agent verification failed", *LAUNCH)),
    ("ssm-agent", failure(f"{TIMED_OUT}'SSM Agent verification failed'")),
    ("ssm-agent", failure("timed out while verifying the Systems Manager Agent availability")),
    ("ssm-agent", failure("ssm agent on i-0abc did not register with systems manager in 30 minutes")),
    ("ssm-agent", failure("TargetNotConnected: i-0abc is not connected")),
    ("launch-step", failure("Step LaunchBuildInstance timed out")),
    ("launch-step", failure("Step LaunchBuildInstance timed out", *LAUNCH)),
    ("launch-step", failure("Timed Out", "MyOwnName", "LaunchInstance")),
    (
        "launch-step",
        failure("ListCommandInvocations returned terminal state Failed", "Bootstrap", "BootstrapX"),
    ),
    (
        "launch-step-name",
        failure("ssm:ListCommandInvocations returned terminal state Failed in step LaunchBuildInstance"),
    ),
    ("test-instance", failure("Step LaunchTestInstance timed out", *LAUNCH, stage="TESTING")),
    ("status-checks", failure("The instance i-0abc failed its status checks", *LAUNCH)),
    ("instance-gone", failure("The instance i-0abc was unexpectedly terminated", *APPLY)),
    ("inventory", failure(f"{TIMED_OUT}'{POLL}'")),
    ("inventory-step", failure("timed out", "InventoryCollection", "CollectImageMetadata")),
    ("container-device", failure(f"{TIMED_OUT}'{POLL}'", type_="DOCKER")),
    ("automation-timed-out", failure(f"{TIMED_OUT}''")),
    ("automation", failure(f"Can't start SSM Automation for arn {SOME} during building. Who knows")),
    ("throttled", failure(f"Can't start SSM Automation for arn {SOME} during building. Rate exceeded")),
    ("throttled", failure("RATE EXCEEDED (Error Code: ThrottlingException)", *APPLY)),
    (
        "throttled",
        failure("(RequestLimitExceeded) when calling RunInstances: Request limit exceeded.", *LAUNCH),
    ),
    ("instance-profile", failure('during building. Parameter "iamInstanceProfileName" has a null value.')),
    ("instance-profile", failure("Invalid IAM Instance Profile name", *LAUNCH)),
    ("internal", failure("An internal error has occurred.")),
    ("terminal-state", failure("Command a1b2 returns unexpected invocation result: exit status 1")),
    ("terminal-state", failure("ssm:ListCommandInvocations returned terminal state Failed", *APPLY)),
    ("component-timed-out", failure("Step ApplyBuildComponents timed out", *APPLY)),
    ("step-timed-out", failure("Step CreateOutputAMI timed out", "CreateOutputAMI", "CreateImage")),
    ("logs-bucket", failure("AccessDenied: Access Denied status code: 403")),
    ("logs-bucket", failure("is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::logs/x")),
    (
        "service-role-send-command",
        failure(
            "AWSServiceRoleForImageBuilder/ImageBuilder is not authorized to perform: ssm:SendCommand on x"
        ),
    ),
    (
        "ami-copy",
        failure("Not all distribution jobs are completed. 1) AMI Copy Reported Failure For ami-0abc"),
    ),
    (
        "public-blocked",
        failure("You can\u2019t publicly share this image because block public access for AMIs is on"),
    ),
    (
        "ssm-parameter",
        failure("not authorized to perform: ssm:PutParameter on resource", stage="INTEGRATING"),
    ),
    ("aws-managed-key", failure("Snapshots encrypted with the AWS Managed CMK can't be shared")),
    (
        "cross-account-role",
        failure(
            "not authorized to perform: sts:AssumeRole on role/EC2ImageBuilderDistributionCrossAccountRole"
        ),
    ),
    ("assume-role", failure("Unable to assume role arn:aws:iam::123456789012:role/own")),
    ("launch-template", failure("The launch-template ID 'lt-0a' does not exist", stage="INTEGRATING")),
    ("license", failure("The license configuration is invalid", stage="INTEGRATING")),
    ("ami-name", failure("AMI name own is already in use by AMI ami-0abc", "CreateOutputAMI", "CreateImage")),
    ("ami-name", failure("InvalidAMIName.Duplicate")),
    ("toe-bootstrap", failure("Unable to bootstrap TOE", *APPLY)),
    ("noexec", failure("fork/exec /tmp/own: permission denied", component=COMPONENT)),
    ("no-endpoint", failure("GetComponent: dial tcp 10.0.0.1:443: i/o timeout", *APPLY)),
    ("wrong-binary", failure("ExitCode 126", component=COMPONENT)),
    ("reboot-loop", failure("exiting with code 3010", component=COMPONENT)),
    ("component-document", failure("Parsing step 'Get' in phase 'build' failed. Error: no inputs", *APPLY)),
    (
        "aws-cli-component",
        failure("exit status 1", component=f"{answers.HERE}:component/aws-cli-version-2-linux/1.0.4/1"),
    ),
    ("hop-limit", failure("Unable to locate credentials", *APPLY, type_="DOCKER")),
    ("disk-full", failure("write: No space left on device", component=COMPONENT)),
    ("no-internet", failure("curl: (6) Could not resolve host: x", component=COMPONENT)),
    ("sysprep", failure("Sysprep failed", "RunSysPrepScript", "RunSysPrep")),
    ("inspector-classic", failure("CreateResourceGroup: AccessDeniedException", component=COMPONENT)),
    ("ecr", failure("denied: requested access to the repository is denied", type_="DOCKER")),
    ("capacity", failure("InsufficientInstanceCapacity", *LAUNCH)),
    ("capacity", failure("We currently do not have sufficient m5.large capacity in the zone", *LAUNCH)),
    ("mac-host", failure("There is no capacity on your mac2.metal dedicated host", *LAUNCH)),
    (
        "vcpu-quota",
        failure("You have requested more vCPU capacity than your current vCPU limit of 32", *LAUNCH),
    ),
    ("quota", failure("ResourceLimitExceeded: You have reached your quota of 5 for public images")),
    (
        "quota",
        failure("You have exceeded the maximum number of AMIs allowed", "CreateOutputAMI", "CreateImage"),
    ),
    ("parent-image", failure("InvalidAMIID.NotFound: The image id '[ami-0abc]' does not exist", *LAUNCH)),
    ("parent-image", failure("The parent image ami-0abc is no longer available")),
    ("parent-image", failure("AuthFailure: Not authorized for images: [ami-0abc]", *LAUNCH)),
    ("marketplace", failure("OptInRequired: accept terms and subscribe", *LAUNCH)),
    ("kms", failure("Client.InternalError: Client error on launch", *LAUNCH)),
    ("kms", failure("is not authorized to perform: kms:CreateGrant on this resource", *LAUNCH)),
    ("network", failure("InvalidSubnetID.NotFound: The subnet ID 'subnet-0a' does not exist", *LAUNCH)),
    ("network", failure("The security group 'sg-0a' does not exist in VPC 'vpc-1'", *LAUNCH)),
    ("key-pair", failure("The key pair 'own' does not exist", *LAUNCH)),
    ("volume", failure("Volume of size 8GB is smaller than snapshot 'snap-0', expect size >= 30GB", *LAUNCH)),
    (
        "architecture",
        failure("The architecture 'x86_64' of the type does not match the architecture 'arm64'"),
    ),
    (
        "unsupported-type",
        failure("Your requested instance type (t3.micro) is not supported in your zone", *LAUNCH),
    ),
    ("run-instances", failure("Failed to launch instance", *LAUNCH)),
    ("pass-role", failure("is not authorized to perform: iam:PassRole on resource: x")),
    ("notify", failure("is not authorized to perform: sns:Publish", "Ask", "WaitForAction")),
    (
        "not-authorized",
        failure("User is not authorized to perform: ec2:DescribeInstanceTypeOfferings", *LAUNCH),
    ),
    (
        "not-authorized",
        failure("UnauthorizedOperation: Encoded authorization failure message: a1b2", *LAUNCH),
    ),
    (
        "not-authorized",
        failure("not authorized to perform: states:StartExecution", "Go", "ExecuteStateMachine"),
    ),
    (
        "not-authorized",
        failure("not authorized to perform: imagebuilder:GetImage (Service: Imagebuilder, Status Code: 403)"),
    ),
    (
        "scan-findings",
        failure("Scan findings exceed the threshold", "Scan", "CollectImageScanFindings", stage="TESTING"),
    ),
    ("no-answer", failure("Timed out waiting for an action", "Ask", "WaitForAction")),
    ("state-machine", failure("States.TaskFailed: no route to host", "Go", "ExecuteStateMachine")),
]


@pytest.mark.parametrize(
    ("name", "known"), EXAMPLES, ids=[f"{name}: {known.message}"[:70] for name, known in EXAMPLES]
)
def test_a_known_reason_is_found_from_the_message(name: str, known: ImageFailure) -> None:
    reason = find(known)
    assert reason is not None
    assert reason.name == name
    assert reason.cause in known.describe()


def test_every_known_reason_has_a_unique_name_and_an_example() -> None:
    assert len({reason.name for reason in REASONS}) == len(REASONS)
    assert {reason.name for reason in REASONS} == {name for name, _ in EXAMPLES}


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.name)
def test_a_known_reason_has_cause_and_advice_in_whole_sentences_and_a_source(reason: Any) -> None:
    for text in (reason.cause, reason.advice):
        assert re.fullmatch(r"[A-Z].*[.]", text)
    assert reason.source
    assert "http" in reason.source or reason.mark in (Mark.TEXT_GUESSED, Mark.GUESSED)


@pytest.mark.parametrize(
    "known",
    [
        failure("toomanyrequests: You have reached your pull rate limit", component=COMPONENT),
        failure("Disk quota exceeded", component=COMPONENT),
        failure("exit status 1", "RunTests", "ExecuteComponents", stage="TESTING"),
        failure(f"Document {answers.HERE}:component/rate-exceeded-kms-quota/1.0.0/1 failed!"),
        failure(""),
    ],
)
def test_what_only_resembles_a_known_reason_is_not_one(known: ImageFailure) -> None:
    assert find(known) is None


@pytest.mark.parametrize("stage", ["BUILDING", "TESTING"])
def test_a_failure_with_a_stage_in_its_reason_is_not_described_as_before_a_workflow_began(stage: str) -> None:
    known = failure(f"SSM execution 'a' failed with status = 'Failed' in state = '{stage}'")
    assert known.stage == stage
    assert "before one began" not in known.describe()
    assert "before one began" in failure("").describe()


def test_the_text_calls_a_guess_a_guess() -> None:
    assert "This cause is a guess" in failure("Sysprep failed").describe()
    assert "guess" not in failure("InsufficientInstanceCapacity").describe()


def test_an_encoded_authorization_message_comes_with_the_command_that_decodes_it() -> None:
    encoded = "UnauthorizedOperation: Encoded authorization failure message: a1b2"
    assert "aws sts decode-authorization-message" in failure(encoded).describe()
    assert "decode-authorization" not in failure("is not authorized to perform: ec2:RunInstances").describe()


def test_of_many_regions_the_advice_is_for_the_one_that_the_message_names() -> None:
    known = ImageFailure.from_api(answers.failed_in_integration())
    assert known.regions[1]["imageConfigurationStep"] == "PUT_SSM_PARAMETERS"
    reason = find(known)
    assert reason is not None
    assert reason.name == "launch-template"


@pytest.mark.parametrize(
    ("stage", "type_", "then"),
    [
        ("BUILDING", "AMI", "that builds a new image"),
        ("INTEGRATING", "AMI", "that builds a new image"),
        ("TESTING", "DOCKER", "that builds a new image"),
        ("TESTING", "AMI", "which continues this image in TESTING without a new build"),
        ("DISTRIBUTING", "AMI", "which continues this image in DISTRIBUTING without a new build"),
        (None, "AMI", "RetryImage continues this image where AWS allows it, otherwise a new one is built"),
    ],
)
def test_the_advice_names_what_to_clear_in_airflow(stage: str | None, type_: str, then: str) -> None:
    text = ImageFailure(image_status="FAILED", stage=stage, image_type=type_).describe()
    assert "Then clear the task group (without one: the task that submitted the image) with its" in text
    assert then in text


def test_a_very_long_message_is_searched_only_at_its_ends() -> None:
    known = failure("instance copy AMI agent subnet " * 12_000, *LAUNCH)
    assert len(str(known.message)) > 300_000
    assert "what to do" in known.describe()
