"""Scenes: what happens to the images of a run, once, and what the tests read off it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.account import ACCEPTED, PREFIX, NotReadyError, refusal
from tests.contract.documents import COMPONENT, WAIT

if TYPE_CHECKING:
    from tests.contract.account import Account

MANAGED_PARENT = "amazon-linux-2023-x86"


def managed(account: Account, resource: str) -> str:
    """Return the ARN of one of Amazon's own resources, in its newest version."""
    region = account.region
    partition = "aws-cn" if region.startswith("cn-") else "aws"
    partition = "aws-us-gov" if region.startswith("us-gov-") else partition
    return f"arn:{partition}:imagebuilder:{region}:aws:{resource}/x.x.x"


def component(account: Account, label: str = "component", text: str = "hello") -> str:
    """Create a component."""
    return account.create(
        "component", label, semanticVersion="1.0.0", platform="Linux", data=COMPONENT % text
    )


def recipe(account: Account, label: str, component_arn: str, version: str = "1.0.0") -> str:
    """Create a recipe on Amazon Linux 2023."""
    return account.create(
        "image_recipe",
        label,
        semanticVersion=version,
        parentImage=managed(account, f"image/{MANAGED_PARENT}"),
        components=[{"componentArn": component_arn}],
    )


def workflow(account: Account, label: str) -> str:
    """Create a test workflow that waits."""
    return account.create("workflow", label, semanticVersion="1.0.0", type="TEST", data=WAIT)


def infrastructure(account: Account) -> str:
    """Create an infrastructure configuration; without a profile of the caller, with an empty one."""
    profile = account.instance_profile
    if profile is None:
        profile = f"{account.stem}-profile"
        tags = [{"Key": key, "Value": value} for key, value in account.tags.items()]
        account.client("iam").create_instance_profile(
            InstanceProfileName=profile, Path=f"/{PREFIX}/", Tags=tags
        )
    request = {
        "name": f"{account.stem}-infrastructure",
        "instanceProfileName": profile,
        "instanceTypes": ["t3.small"],
        "resourceTags": account.tags,
        "tags": account.tags,
    }
    client, fault = account.client(), None
    for _ in account.polls("the instance profile"):
        try:
            return str(
                client.create_infrastructure_configuration(**request)["infrastructureConfigurationArn"]
            )
        # IAM shows a new profile to Image Builder after 10 to 15 seconds.
        except client.exceptions.ClientError as error:
            fault = error
            if error.response["Error"]["Code"] != "InvalidParameterValueException":
                raise
    raise AssertionError(str(fault))


def _role(account: Account) -> str:
    if account.execution_role is None:
        pytest.skip("An image with own workflows needs EXECUTION_ROLE.")
    return account.execution_role


def _configured(workflows: tuple[str, ...], *groups: str | None) -> list[dict[str, Any]]:
    return [
        {"workflowArn": arn, **({"parallelGroup": group} if group else {})}
        for arn, group in zip(workflows, groups, strict=True)
    ]


def _by_workflow(account: Account, arn: str) -> dict[str, dict[str, Any]]:
    """Return the executions of an image by the last letter of their workflow's name."""
    return {
        run["workflowBuildVersionArn"].split("/")[2][-1]: run for run in reversed(account.executions(arn))
    }


def _first(account: Account, arn: str, run: dict[str, Any]) -> str:
    """Return the id of the step of an execution that waits."""
    wanted = run["workflowExecutionId"]
    return next(
        str(step["stepExecutionId"]) for step in account.waiting(arn) if step["workflowExecutionId"] == wanted
    )


def _resume(account: Account, arn: str, run: dict[str, Any]) -> None:
    """Resume both steps of an execution."""
    for count in range(2):
        for _ in account.polls("the next waiting step"):
            ids = [s["stepExecutionId"] for s in account.steps(run) if s["status"] != "COMPLETED"]
            if ids and ids[0] in [step["stepExecutionId"] for step in account.waiting(arn)]:
                account.act(arn, ids[0], "RESUME", f"resume {count}")
                break


@dataclass
class Failed:
    """An image with the tests a and b, which run at once, and c after them; a was stopped."""

    arn: str
    recipe: str
    waiting_step: str
    listed_before: dict[str, str]
    retry_in_progress: str
    delete_in_progress: str
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    second_stop: str = ""


def fail(account: Account, component_arn: str, infrastructure_arn: str, tests: tuple[str, ...]) -> Failed:
    """Make the image of :class:`Failed`."""
    client, recipe_arn = account.client(), recipe(account, "failing", component_arn)
    arn = account.bake(
        imageRecipeArn=recipe_arn,
        infrastructureConfigurationArn=infrastructure_arn,
        executionRole=_role(account),
        workflows=_configured(tests, "both", "both", None),
    )
    account.wait_for_steps(arn, 2)
    runs = _by_workflow(account, arn)
    given = {"imageBuildVersionArn": arn}
    scene = Failed(
        arn,
        recipe_arn,
        account.steps(runs["a"])[0]["status"],
        {letter: run["status"] for letter, run in runs.items()},
        refusal(client.retry_image, **given) if account.has("RetryImage") else "",
        refusal(client.delete_image, **given),
    )
    step = _first(account, arn, runs["a"])
    account.act(arn, step, "STOP", "the contract test stops it")
    account.wait(arn, "FAILED")
    scene.runs = _by_workflow(account, arn)
    scene.steps = account.steps(scene.runs["a"])
    scene.reason = str(account.image(arn)["state"].get("reason"))
    scene.second_stop = refusal(
        client.send_workflow_step_action, imageBuildVersionArn=arn, stepExecutionId=step, action="STOP"
    )
    return scene


@dataclass
class Retried:
    """An image whose tests a, b and c run in turn: a passed, b was stopped; then retried and cancelled."""

    arn: str
    passed_again: bool
    cancelled_twice: str
    running: str = ""
    pending: str = ""
    cancelled_after_end: str = ""
    status_after_retry: str = ""
    next_build: str = ""


def retry(account: Account, component_arn: str, infrastructure_arn: str, tests: tuple[str, ...]) -> Retried:
    """Make the image of :class:`Retried`."""
    account.need("RetryImage")
    client, recipe_arn = account.client(), recipe(account, "retrying", component_arn)
    request = {
        "imageRecipeArn": recipe_arn,
        "infrastructureConfigurationArn": infrastructure_arn,
        "executionRole": _role(account),
        "workflows": _configured(tests, None, None, None),
    }
    arn = account.bake(**request)
    given = {"imageBuildVersionArn": arn}
    account.wait_for_steps(arn)
    _resume(account, arn, _by_workflow(account, arn)["a"])
    account.wait_for_steps(arn)
    account.act(arn, _first(account, arn, _by_workflow(account, arn)["b"]), "STOP")
    account.wait(arn, "FAILED")
    client.retry_image(**given)
    account.wait_for_steps(arn)
    runs = _by_workflow(account, arn)
    started = next(letter for letter, run in sorted(runs.items()) if run["status"] == "RUNNING")
    client.cancel_image_creation(**given)
    twice = refusal(client.cancel_image_creation, **given)
    if twice != ACCEPTED and account.status(arn) == "CANCELLED":
        twice = ""  # it may have been cancelled before the second call
    scene = Retried(arn, started == "a", twice)
    account.wait(arn, "CANCELLED")
    runs = _by_workflow(account, arn)
    scene.running, scene.pending = runs[started]["status"], runs.get("c", {}).get("status", "not listed")
    scene.cancelled_after_end = refusal(client.cancel_image_creation, **given)
    scene.status_after_retry = _retry_cancelled(account, arn)
    client.delete_image(**given)
    again = account.bake(**request)
    scene.next_build = again.rsplit("/", 1)[1]
    client.cancel_image_creation(imageBuildVersionArn=again)
    return scene


def _retry_cancelled(account: Account, arn: str) -> str:
    """Retry an image that was cancelled in its tests; return where it continues. It is then cancelled."""
    client = account.client()
    code = refusal(client.retry_image, imageBuildVersionArn=arn)
    if code != ACCEPTED:
        return code
    status = account.wait(arn, "TESTING", "BUILDING", "DISTRIBUTING", "AVAILABLE")
    client.cancel_image_creation(imageBuildVersionArn=arn)
    account.wait(arn, "CANCELLED")
    return status


@dataclass
class Built:
    """The image that is really built: its test was stopped, then it was retried and finished."""

    arn: str
    amis_while_testing: list[Any]
    amis_after_failure: list[str] = field(default_factory=list)
    status: str = ""
    events: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


def build(account: Account, component_arn: str, infrastructure_arn: str, test: str) -> Built:
    """Make the image of :class:`Built`."""
    role = _role(account)
    recipe_arn, queue = recipe(account, "building", component_arn), listen(account)
    arn = account.bake(
        imageRecipeArn=recipe_arn,
        infrastructureConfigurationArn=infrastructure_arn,
        executionRole=role,
        workflows=[{"workflowArn": managed(account, "workflow/build/build-image")}, {"workflowArn": test}],
    )
    (step,) = account.wait_for_steps(arn)
    image = account.image(arn)
    scene = Built(arn, [ami for ami in image.get("outputResources", {}).get("amis", []) if ami.get("image")])
    if account.has("RetryImage"):
        account.act(arn, step["stepExecutionId"], "STOP")
        account.wait(arn, "FAILED")
        scene.amis_after_failure = [ami["ImageId"] for ami in _amis(account, arn)]
        account.client().retry_image(imageBuildVersionArn=arn)
        account.wait_for_steps(arn)
    _resume(account, arn, next(run for run in reversed(account.executions(arn)) if run["type"] == "TEST"))
    scene.status = account.wait(arn, "AVAILABLE")
    scene.events = _statuses(account, queue, arn)
    scene.tags = {tag["Key"]: tag["Value"] for ami in _amis(account, arn) for tag in ami["Tags"]}
    return scene


def _amis(account: Account, arn: str) -> list[dict[str, Any]]:
    """Return the AMIs of an image that EC2 has, by their tag."""
    filters = [{"Name": "tag:Ec2ImageBuilderArn", "Values": [arn]}]
    return list(account.client("ec2").describe_images(Owners=["self"], Filters=filters)["Images"])


def listen(account: Account) -> str:
    """Send the events of Image Builder to a queue of this run, and return its address."""
    sqs, events = account.client("sqs"), account.client("events")
    name = f"{account.stem}-events"
    tags = [{"Key": key, "Value": value} for key, value in account.tags.items()]
    pattern = {"source": ["aws.imagebuilder"], "detail-type": ["EC2 Image Builder Image State Change"]}
    rule = events.put_rule(Name=name, EventPattern=json.dumps(pattern), Tags=tags)["RuleArn"]
    url = str(sqs.create_queue(QueueName=name, tags=account.tags)["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = {"Version": "2012-10-17", "Statement": [allow]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return url


def _statuses(account: Account, queue: str, arn: str) -> list[str]:
    """Return the statuses of an image that events have reported, when AVAILABLE is among them."""
    sqs, found = account.client("sqs"), []
    try:
        for _ in account.polls("the event of AVAILABLE"):
            answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                event = json.loads(message["Body"])
                if arn in event["resources"]:
                    found.append(str(event["detail"]["state"]["status"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            if "AVAILABLE" in found and not answer.get("Messages"):
                break
    except NotReadyError:
        return []
    return found
