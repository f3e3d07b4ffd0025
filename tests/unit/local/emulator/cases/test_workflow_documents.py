"""Workflow documents as people write them, and faults that the User Guide excludes.

Sources: User Guide, "Create a YAML workflow document", "Supported step actions", "Use dynamic variables",
"Use conditional statements"; the samples of aws-samples/amazon-ec2-image-builder-samples for the forms of
inputs.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.documents import workflow
from airflow_imagebuilder.local.emulator.documents.step_actions import STEP_ACTIONS, SYSTEM_VARIABLES
from airflow_imagebuilder.local.emulator.documents.text import DocumentError

MINUTE, HOUR = 60, 3600
EVERYWHERE, TESTS, DISTRIBUTION = "BUILD TEST DISTRIBUTION", "TEST", "DISTRIBUTION"
COMMAND = "runCommandId status output"
#: Default and longest timeout, types of workflows, needed inputs, outputs.
ACTIONS = {
    "ApplyImageConfigurations": (6 * HOUR, 12 * HOUR, DISTRIBUTION, "distributedImages", "configuredImages"),
    "BootstrapInstanceForContainer": (HOUR, 12 * HOUR, EVERYWHERE, "instanceId", COMMAND),
    "CollectImageMetadata": (30 * MINUTE, 12 * HOUR, EVERYWHERE, "instanceId", "osVersion associationId"),
    "CollectImageScanFindings": (2 * HOUR, 12 * HOUR, TESTS, "instanceId", COMMAND),
    "CreateImage": (12 * HOUR, 72 * HOUR, EVERYWHERE, "instanceId", "imageId"),
    "CreateImageFromIso": (12 * HOUR, 12 * HOUR, EVERYWHERE, "instanceId", "amiName snapshotId architecture"),
    "DistributeContainerImage": (
        *(2 * HOUR, 12 * HOUR, DISTRIBUTION, "instanceId"),
        "status succeededRegions failedRegions",
    ),
    "DistributeImage": (6 * HOUR, 12 * HOUR, DISTRIBUTION, "", "distributedImages"),
    "ExecuteComponents": (12 * HOUR, 24 * HOUR, "BUILD TEST", "instanceId", COMMAND),
    "ExecuteStateMachine": (6 * HOUR, 24 * HOUR, EVERYWHERE, "stateMachineArn", "executionArn output"),
    "LaunchInstance": (75 * MINUTE, 12 * HOUR, EVERYWHERE, "waitFor", "instanceId instanceType"),
    "ModifyImageAttributes": (2 * HOUR, 3 * HOUR, DISTRIBUTION, "distributedImages", "modifiedImages"),
    "RegisterImage": (9 * HOUR, 12 * HOUR, EVERYWHERE, "", "imageId"),
    "RunCommand": (12 * HOUR, 12 * HOUR, EVERYWHERE, "instanceId documentName", COMMAND),
    "RunSysPrep": (HOUR, 12 * HOUR, EVERYWHERE, "instanceId", COMMAND),
    "SanitizeInstance": (HOUR, 12 * HOUR, EVERYWHERE, "instanceId", COMMAND),
    "TerminateInstance": (30 * MINUTE, 12 * HOUR, EVERYWHERE, "instanceId", ""),
    "WaitForAction": (72 * HOUR, 168 * HOUR, EVERYWHERE, "", "action reason"),
    "WaitForSSMAgent": (HOUR, 3 * HOUR, EVERYWHERE, "instanceId", "status"),
}
INPUTS = {
    "instanceId": "i-0123456789abcdef0",
    "waitFor": "ssmAgent",
    "documentName": "AWS-RunShellScript",
    "distributedImages": [],
    "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:checks",
}
LAUNCH: dict[str, Any] = {"name": "Launch", "action": "LaunchInstance", "inputs": {"waitFor": "ssmAgent"}}
PAUSE: dict[str, Any] = {"name": "Pause", "action": "WaitForAction"}


def document(*steps: dict[str, Any], **more: Any) -> str:
    return json.dumps({"schemaVersion": 1.0, "steps": steps, **more})


def step(action: str, **more: Any) -> dict[str, Any]:
    inputs = {name: INPUTS[name] for name in ACTIONS[action][3].split()}
    return {"name": "Step", "action": action, "inputs": inputs, **more}


def refusal(text: str, workflow_type: str = "TEST") -> str:
    with pytest.raises(DocumentError) as caught:
        workflow.read(text, workflow_type)
    return str(caught.value)


def test_the_actions_are_those_of_the_guide() -> None:
    assert set(STEP_ACTIONS) == set(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_taken_in_the_workflows_in_which_it_may_run(action: str) -> None:
    default, longest, types, _, outputs = ACTIONS[action]
    for workflow_type in types.split():
        (plain,) = workflow.read(document(step(action)), workflow_type).steps
        (long,) = workflow.read(document(step(action, timeoutSeconds=longest)), workflow_type).steps
        assert (plain.timeout, long.timeout) == (default, longest)
    assert STEP_ACTIONS[action].outputs == tuple(outputs.split())
    for other in set(EVERYWHERE.split()) - set(types.split()):
        assert f"a {other} workflow cannot have {action}" in refusal(document(step(action)), other)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_refused_without_its_inputs_with_others_and_above_its_timeout(action: str) -> None:
    _, longest, types, needed, _ = ACTIONS[action]
    workflow_type = types.split()[0]
    above = document(step(action, timeoutSeconds=longest + 1))
    assert f"timeoutSeconds is a number from 1 to {longest}" in refusal(above, workflow_type)
    for name in needed.split():
        given = step(action)
        del given["inputs"][name]
        assert f"{action} needs the input {name}" in refusal(document(given), workflow_type)
    strange = step(action)
    strange["inputs"]["strange"] = "x"
    assert f"{action} has no input strange" in refusal(document(strange), workflow_type)


DOCUMENTS = {
    "JSON": document(PAUSE),
    "a schema version as text": document(PAUSE, schemaVersion="1.0"),
    "a document mark, comments and CRLF": (
        "---\n# ours\nname: own\nschemaVersion: 1.0\nsteps:\n  - name: Pause\n    action: WaitForAction\n"
    ).replace("\n", "\r\n"),
    "a byte order mark": f"\ufeff{document(PAUSE)}",
    "tabs in JSON": document(PAUSE).replace(", ", ",\t"),
    "anchors": (
        "schemaVersion: 1.0\nsteps:\n"
        "  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}\n"
        "  - name: Run\n    action: ExecuteComponents\n"
        "    inputs: &i {instanceId.$: $.stepOutputs.Launch.instanceId}\n"
        "  - {name: End, action: TerminateInstance, onFailure: Continue, inputs: *i}\n"
    ),
    "empty inputs": "schemaVersion: 1.0\nsteps:\n  - name: Pause\n    action: WaitForAction\n    inputs:\n",
    "a list of paths below .$": document(
        LAUNCH,
        step(
            "RunCommand",
            inputs={
                "instanceId.$": "$.stepOutputs.Launch.instanceId",
                "documentName": "Own",
                "parameters": {"prefix.$": ["$.parameters.prefix"], "path": ["/disk.raw"]},
            },
        ),
        parameters=[{"name": "prefix", "type": "string", "default": "own"}],
        outputs=[{"name": "ImageId", "value": "$.stepOutputs.Step.output[0]"}],
    ),
    "templates below .$": document(
        step(
            "ExecuteStateMachine",
            inputs={
                "stateMachineArn.$": "$.parameters.machine",
                "input.$": '{"imageId": "{{ $.workflowOutputs.ImageId }}"}\n',
            },
        ),
        parameters=[{"name": "machine", "type": "string"}],
    ),
    "an empty default": document(PAUSE, parameters=[{"name": "account", "type": "string", "default": ""}]),
    "a condition in a list": document(
        {**PAUSE, "if": [{"stringEquals": "Linux", "value": "$.imagebuilder.Platform"}]}
    ),
    "four levels": document(
        {
            **PAUSE,
            "if": {
                "and": [
                    {"stringEquals": "a", "value": "a"},
                    {
                        "and": [
                            {"numberEquals": "1", "value": 1},
                            {"not": {"stringEquals": "b", "value": "c"}},
                        ]
                    },
                ]
            },
        }
    ),
    "a rollback by parameter": document(
        {**PAUSE, "rollbackEnabled": "$.parameters.undo"},
        parameters=[{"name": "undo", "type": "boolean", "default": True}],
    ),
    "an RegisterImage from a snapshot of another step": document(
        step("RunCommand", name="Snapshot"),
        step(
            "RegisterImage",
            inputs={
                "architecture": "x86_64",
                "bootMode": "uefi",
                "includeSnapshotTags": True,
                "blockDeviceMapping": [
                    {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId.$": "$.stepOutputs.Snapshot.output[0]"}}
                ],
            },
        ),
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_in_a_form_that_people_use_is_taken(name: str) -> None:
    assert workflow.read(DOCUMENTS[name], "TEST").steps


FAULTS: dict[str, tuple[str, str]] = {
    "no steps": ('{"schemaVersion": 1.0}', "steps: at least one step is required"),
    "sixteen steps": (document(*({**PAUSE, "name": f"Pause{i}"} for i in range(16))), "at most 15 items"),
    "one name twice": (document(PAUSE, PAUSE), "the name of a step is unique"),
    "a short name": (document({**PAUSE, "name": "Ab"}), "has 3 to 100 letters"),
    "a name with spaces": (document({**PAUSE, "name": "Ask me"}), "has 3 to 100 letters"),
    "a name with a hyphen": (document({**PAUSE, "name": "Ask-me"}), "letters, digits and _"),
    "an unknown action": (document({**PAUSE, "action": "Wait"}), "unknown action 'Wait'"),
    "an unknown member": (document({**PAUSE, "retries": 2}), "Step 'Pause' has no 'retries'"),
    "an unknown member of the document": (document(PAUSE, phases=[]), "has no 'phases'"),
    "another version": (document(PAUSE, schemaVersion=2.0), "schemaVersion is required and is 1.0"),
    "no version": (document(PAUSE, schemaVersion=None), "schemaVersion is required and is 1.0"),
    "timeout 0": (document({**PAUSE, "timeoutSeconds": 0}), "timeoutSeconds is a number from 1"),
    "a timeout as text": (document({**PAUSE, "timeoutSeconds": "60"}), "timeoutSeconds is a number from 1"),
    "half a second": (document({**PAUSE, "timeoutSeconds": 0.5}), "timeoutSeconds is a number from 1"),
    "onFailure": (document({**PAUSE, "onFailure": "Retry"}), "onFailure is Abort or Continue"),
    "an empty description": (document({**PAUSE, "description": ""}), "1 to 1024 characters"),
    "waitFor": (document({**LAUNCH, "inputs": {"waitFor": "ready"}}), "waitFor is one of ssmAgent"),
    "healthCheck": (
        document({**LAUNCH, "inputs": {"waitFor": "ssmAgent", "healthCheck": "OK"}}),
        "healthCheck is one of RUNNING, STATUS_CHECK_PASSED",
    ),
    "bootMode": (document(step("RegisterImage", inputs={"bootMode": "floppy"})), "bootMode is one of"),
    "a machine by name": (
        document(step("ExecuteStateMachine", inputs={"stateMachineArn": "checks"})),
        "the ARN of a state machine",
    ),
    "an input that is not JSON": (
        document(step("ExecuteStateMachine", inputs={**step("ExecuteStateMachine")["inputs"], "input": "{"})),
        "input is not JSON",
    ),
    "a later step": (
        document(
            step("TerminateInstance", inputs={"instanceId.$": "$.stepOutputs.Launch.instanceId"}), LAUNCH
        ),
        "leads to nothing that is known at this step",
    ),
    "the step itself": (
        document(step("TerminateInstance", inputs={"instanceId.$": "$.stepOutputs.Step.instanceId"})),
        "leads to nothing that is known at this step",
    ),
    "an unknown parameter": (
        document({**PAUSE, "inputs": {"payload": "{{ $.parameters.nothing }}"}}),
        "leads to nothing",
    ),
    "an unknown variable": (
        document({**PAUSE, "inputs": {"payload": "{{ $.imagebuilder.nothing }}"}}),
        "leads to nothing",
    ),
    "an unknown node": (document({**PAUSE, "inputs": {"payload.$": "$.image.name"}}), "leads to nothing"),
    "no path below .$": (document({**PAUSE, "inputs": {"payload.$": "text"}}), "'text' is not a path"),
    "five levels": (
        document(
            {**PAUSE, "if": {"and": [{"or": [{"and": [{"not": {"stringEquals": "a", "value": "b"}}]}]}]}}
        ),
        "at most 4 levels",
    ),
    "eleven branches": (
        document({**PAUSE, "if": {"or": [{"stringEquals": "a", "value": "b"}] * 11}}),
        "1 to 10 statements",
    ),
    "two operators": (
        document({**PAUSE, "if": {"stringEquals": "a", "numberEquals": 1, "value": 1}}),
        "exactly one of",
    ),
    "an unknown operator": (document({**PAUSE, "if": {"contains": "a", "value": "b"}}), "exactly one of"),
    "no number": (document({**PAUSE, "if": {"numberLessThan": "a", "value": 1}}), "cannot compare 'a'"),
    "a plain condition": (document({**PAUSE, "if": True}), "'if' is a statement"),
    "26 parameters": (
        document(PAUSE, parameters=[{"name": f"p{i}", "type": "string"} for i in range(26)]),
        "at most 25 items",
    ),
    "an unknown type": (document(PAUSE, parameters=[{"name": "p", "type": "float"}]), "type is one of"),
    "no type": (document(PAUSE, parameters=[{"name": "p"}]), "type is one of"),
    "a default of another type": (
        document(PAUSE, parameters=[{"name": "p", "type": "integer", "default": "many"}]),
        "is not an integer",
    ),
    "one parameter twice": (
        document(PAUSE, parameters=[{"name": "p", "type": "string"}] * 2),
        "declared more than once",
    ),
    "one output twice": (
        document(PAUSE, outputs=[{"name": "o", "value": "$.stepOutputs.Pause.reason"}] * 2),
        "is unique",
    ),
    "an output of nothing": (
        document(PAUSE, outputs=[{"name": "o", "value": "$.stepOutputs.Other.reason"}]),
        "leads to nothing",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_the_guide_excludes_is_refused_with_its_reason(name: str) -> None:
    text, why = FAULTS[name]
    assert why in refusal(text)


def test_the_line_of_a_fault_is_named() -> None:
    text = "schemaVersion: 1.0\nsteps:\n  - name: Pause\n    action: WaitForAction\n    retries: 2\n"
    assert refusal(text).startswith("Line 3: Step 'Pause'")


def test_a_container_is_not_distributed_beside_amis() -> None:
    text = document(step("DistributeContainerImage"), step("DistributeImage", name="Copy"))
    assert "cannot be combined" in refusal(text, "DISTRIBUTION")


def test_every_system_variable_can_be_used() -> None:
    texts = [
        {"name": f"Pause{i}", "action": "WaitForAction", "inputs": {"payload.$": f"$.imagebuilder.{name}"}}
        for i, name in enumerate(SYSTEM_VARIABLES)
    ]
    for given in texts:
        assert workflow.read(document(given), "TEST").steps
    assert len(SYSTEM_VARIABLES) == 19
