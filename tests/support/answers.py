"""Answers as AWS gives them, as plain dicts, and a check of any answer against botocore's model."""

from __future__ import annotations

import re
from typing import Any

from tests.support.arns import PREFIX
from tests.support.aws_model import known, model, pattern_of

HERE = PREFIX
ARN = f"{HERE}:image/golden-al2023/1.0.0/3"
COMPONENT = f"{HERE}:component/cis-hardening/1.2.0/4"
BUILD_ID = "wf-11111111-0000-4000-8000-000000000001"
BOOT_ID = "wf-11111111-0000-4000-8000-000000000002"
CIS_ID = "wf-11111111-0000-4000-8000-000000000003"
SEND_ID = "wf-11111111-0000-4000-8000-000000000004"
STEP_ID = "step-22222222-0000-4000-8000-000000000001"

_KINDS: dict[str, type] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}


def misfits(name: str, value: Any) -> list[str]:
    """Return the differences between a value and the model's shape of this name."""
    shape = model().shape_for(name)
    return list(_misfits(shape, known(shape, value), name))


def _misfits(shape: Any, value: Any, path: str) -> Any:
    kind: Any = _KINDS[shape.type_name]  # Any: the value's type follows the shape's
    if not isinstance(value, kind):
        yield f"{path}: {value!r} is not a {shape.type_name}"
    elif shape.type_name == "structure":
        yield from (f"{path}.{name}: unknown" for name in set(value) - set(shape.members))
        for name in set(value) & set(shape.members):
            yield from _misfits(shape.members[name], value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from _misfits(shape.member, item, f"{path}[{number}]")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _misfits(shape.key, key, f"{path} key")
            yield from _misfits(shape.value, item, f"{path}[{key}]")
    elif shape.type_name == "string":
        yield from _misfit_text(shape, value, path)


def _misfit_text(shape: Any, value: str, path: str) -> Any:
    pattern, words = pattern_of(shape), shape.metadata.get("enum")
    if pattern and not re.search(pattern, value):
        yield f"{path}: {value!r} does not match {pattern}"
    if words and value not in words:
        yield f"{path}: {value!r} is not one of {words}"
    if not shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", len(value)):
        yield f"{path}: {len(value)} characters"


def image(status: str = "AVAILABLE", **changes: Any) -> dict[str, Any]:
    """GetImage's ``image``: Golden AL2023, version 1.0.0, its third build."""
    return {
        "arn": ARN,
        "type": "AMI",
        "name": "Golden-AL2023",
        "version": "1.0.0/3",
        "platform": "Linux",
        "osVersion": "Amazon Linux 2023",
        "enhancedImageMetadataEnabled": True,
        "state": {"status": status},
        "dateCreated": "2026-09-09T19:05:12.301Z",
        "outputResources": {
            "amis": [
                {
                    "region": "us-east-1",
                    "image": "ami-0aaaaaaaaaaaaaaa1",
                    "name": "golden-al2023 2026-09-09",
                    "accountId": "123456789012",
                    "state": {"status": "AVAILABLE"},
                },
                {
                    "region": "eu-west-1",
                    "image": "ami-0aaaaaaaaaaaaaaa2",
                    "name": "golden-al2023 2026-09-09",
                    "accountId": "123456789012",
                    "state": {"status": "AVAILABLE"},
                },
            ]
        },
        "tags": {"team": "platform"},
        "buildType": "USER_INITIATED",
        "imageSource": "CUSTOM",
        "scanState": {"status": "COMPLETED"},
        "executionRole": "arn:aws:iam::123456789012:role/ImageBuilderExecution",
        "workflows": [
            {"workflowArn": f"{HERE}:workflow/build/golden-build/1.0.0/1"},
            {"workflowArn": f"{HERE}:workflow/test/boot/x.x.x", "onFailure": "CONTINUE"},
            {"workflowArn": f"{HERE}:workflow/test/cis-level-1/1.0.0/1", "parallelGroup": "security"},
        ],
        **changes,
    }


def container_image() -> dict[str, Any]:
    """GetImage's ``image`` of a container."""
    uris = ["123456789012.dkr.ecr.us-east-1.amazonaws.com/golden:1.0.0-3"]
    return image(
        type="DOCKER",
        outputResources={"containers": [{"region": "us-east-1", "imageUris": uris}]},
        scanState={"status": "FAILED", "reason": "Inspector is not enabled"},
    )


def execution(kind: str, name: str, number: str, **changes: Any) -> dict[str, Any]:
    """One of ListWorkflowExecutions' ``workflowExecutions``."""
    return {
        "workflowBuildVersionArn": f"{HERE}:workflow/{kind.lower()}/{name}/1.0.0/1",
        "workflowExecutionId": number,
        "type": kind,
        "status": "COMPLETED",
        "message": "",
        "totalStepCount": 4,
        "totalStepsSucceeded": 4,
        "totalStepsFailed": 0,
        "totalStepsSkipped": 0,
        "startTime": "2026-09-09T19:05:20.000Z",
        "endTime": "2026-09-09T19:12:03.500Z",
        **changes,
    }


def boot(**changes: Any) -> dict[str, Any]:
    times = {"startTime": "2026-09-09T19:12:10.000Z", "endTime": "2026-09-09T19:14:10.000Z"}
    return execution("TEST", "boot", BOOT_ID, **{**times, **changes})


def cis(**changes: Any) -> dict[str, Any]:
    times = {"startTime": "2026-09-09T19:14:20.000Z", "endTime": "2026-09-09T19:16:10.000Z"}
    return execution("TEST", "cis-level-1", CIS_ID, **{"parallelGroup": "security", **times, **changes})


def executions() -> list[dict[str, Any]]:
    """ListWorkflowExecutions' ``workflowExecutions``, unordered, with one that a retry superseded."""
    return [
        execution(
            "DISTRIBUTION",
            "send",
            SEND_ID,
            startTime="2026-09-09T19:16:20Z",
            endTime="2026-09-09T19:20:20Z",
        ),
        cis(),
        boot(retried=True, status="FAILED", workflowExecutionId="wf-11111111-0000-4000-8000-00000000000f"),
        execution(
            "BUILD", "golden-build", BUILD_ID, totalStepCount=7, totalStepsSucceeded=6, totalStepsSkipped=1
        ),
        boot(status="FAILED", totalStepsSucceeded=2, totalStepsFailed=1, message="Step RunBoot failed"),
    ]


def steps() -> list[dict[str, Any]]:
    """ListWorkflowStepExecutions' ``steps`` of a test whose second step failed."""
    return [
        {
            "stepExecutionId": "step-22222222-0000-4000-8000-000000000000",
            "name": "LaunchTestInstance",
            "action": "LaunchInstance",
            "status": "COMPLETED",
            "outputs": '{"instanceId": "i-1234567890abcdef0"}',
            "startTime": "2026-09-09T19:14:20.100Z",
            "endTime": "2026-09-09T19:15:01.000Z",
        },
        {
            "stepExecutionId": STEP_ID,
            "name": "ApplyTestComponents",
            "action": "ExecuteComponents",
            "status": "FAILED",
            "rollbackStatus": "COMPLETED",
            "inputs": '{"instanceId.$": "$.stepOutputs.LaunchTestInstance.instanceId"}',
            "outputs": '{"runCommandId": "a1b2c3d4", "error": "sshd permits root login"}',
            "startTime": "2026-09-09T19:15:01.200Z",
            "endTime": "2026-09-09T19:16:09.000Z",
        },
        {
            "stepExecutionId": "step-22222222-0000-4000-8000-000000000002",
            "name": "TerminateTestInstance",
            "action": "TerminateInstance",
            "status": "PENDING",
        },
    ]


def failed_in_component() -> dict[str, Any]:
    """An image whose build failed in a component, with every member that AWS reports."""
    reason = f"Workflow Execution ID: '{BUILD_ID}' failed with reason: Document {COMPONENT} failed!"
    context = {
        "imageStatus": "BUILDING",
        "workflowExecutionId": BUILD_ID,
        "workflowArn": f"{HERE}:workflow/build/golden-build/1.0.0/1",
        "stepExecutionId": STEP_ID,
        "failedStep": "ApplyBuildComponents",
        "componentFailure": {
            "componentArn": COMPONENT,
            "phaseName": "build",
            "stepName": "HardenSshd",
            "action": "ExecuteBash",
            "errorMessage": "exit status 1",
        },
    }
    return image(state={"status": "FAILED", "reason": reason, "failureContext": context}, outputResources={})


def failed_in_integration() -> dict[str, Any]:
    """An image that was built and tested, and failed while its AMIs were put to use."""
    missing = "EC2 Client Error: 'The launch-template ID 'lt-0a1b2c3d4' does not exist'"
    failures = [
        {
            "region": "eu-west-1",
            "status": "FAILED",
            "imageConfigurationStep": "UPDATE_LAUNCH_TEMPLATES",
            "errorMessage": missing,
        },
        {
            "region": "eu-central-1",
            "status": "TIMED_OUT",
            "targetAccountId": "210987654321",
            "imageConfigurationStep": "PUT_SSM_PARAMETERS",
        },
    ]
    context = {
        "imageStatus": "INTEGRATING",
        "distributionFailure": {
            "errorMessage": f"In region 'eu-west-1' - {missing}",
            "regionFailures": failures,
        },
    }
    return image(state={"status": "FAILED", "reason": "Integration failed", "failureContext": context})


def failed_without_context() -> dict[str, Any]:
    """An image that failed in a test, as AWS reported it before failureContext existed."""
    reason = f"Workflow Execution ID: '{CIS_ID}' failed with reason: Step ApplyTestComponents failed"
    return image(state={"status": "FAILED", "reason": reason})
