"""Component documents as people write them, and faults that AWSTOE excludes.

Sources: User Guide, "Use the AWSTOE component document framework", "Action modules supported by AWSTOE";
CloudSnorkel/cdk-github-runners#964 for the words about missing inputs.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.documents import component
from airflow_imagebuilder.local.emulator.documents.text import DocumentError

RUN: dict[str, Any] = {"name": "Run", "action": "ExecuteBash", "inputs": {"commands": ["true"]}}
TWO_PLACES = [{"source": "s3://bucket/key", "destination": "/tmp/key"}]
PLACE = [{"path": "/tmp/file"}]
#: Every action module with inputs that suit it.
INPUTS: dict[str, Any] = {
    "AppendFile": [{"path": "/tmp/file", "content": "x"}],
    "Assert": [{"and": [{"fileExists": "/tmp/file"}, {"not": {"binaryExists": "git"}}]}],
    "CopyFile": TWO_PLACES,
    "CopyFolder": TWO_PLACES,
    "CreateFile": [{"path": "/tmp/file", "content": "x"}],
    "CreateFolder": PLACE,
    "CreateSymlink": [{"path": "/tmp/link", "target": "/tmp/file"}],
    "DeleteFile": PLACE,
    "DeleteFolder": [{"path": "/tmp/folder", "force": True}],
    "ExecuteBash": {"commands": ["true"]},
    "ExecuteBinary": {"path": "/usr/bin/true", "arguments": ["-v"]},
    "ExecuteDocument": {"document": "other.yaml"},
    "ExecutePowerShell": {"commands": ["exit 0"]},
    "InstallMSI": [{"path": "C:\\own.msi", "reboot": {"delaySeconds": 0}}],
    "ListFiles": PLACE,
    "MoveFile": TWO_PLACES,
    "MoveFolder": TWO_PLACES,
    "ReadFile": PLACE,
    "Reboot": {"delaySeconds": 60},
    "S3Download": TWO_PLACES,
    "S3Upload": [{**TWO_PLACES[0], "recurse": True}],
    "SetFileEncoding": [{"path": "/tmp/file", "encoding": "UTF-16"}],
    "SetFileOwner": [{"path": "/tmp/file", "owner": "root"}],
    "SetFilePermissions": [{"path": "/tmp/file", "permissions": 766}],
    "SetFolderOwner": [{"path": "/tmp", "owner": "root"}],
    "SetFolderPermissions": [{"path": "/tmp", "permissions": 755}],
    "SetRegistry": [{"path": "HKLM:\\SOFTWARE\\Own", "name": "Name", "value": "1", "type": "SZ"}],
    "UninstallMSI": PLACE,
    "UpdateOS": {"exclude": ["*"]},
    "WebDownload": [{"source": "https://example.com/a.zip", "destination": "/tmp/a.zip"}],
}


def document(*steps: dict[str, Any], phase: str = "build", **more: Any) -> str:
    return json.dumps({"schemaVersion": 1.0, "phases": [{"name": phase, "steps": steps}], **more})


def refusal(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        component.read(text)
    return str(caught.value)


def test_the_action_modules_are_those_of_the_guide() -> None:
    assert set(INPUTS) == component.ACTIONS


@pytest.mark.parametrize("action", INPUTS)
def test_an_action_module_is_taken_with_its_inputs_and_refused_without(action: str) -> None:
    step = {"name": "Step", "action": action, "inputs": INPUTS[action]}
    assert component.read(document(step)).steps == {"build": ("Step", action)}
    without = {"name": "Step", "action": action}
    if action in ("Reboot", "UpdateOS"):
        assert component.read(document(without))
        return
    words = f"Parsing step 'Step' in phase 'build' failed. Error: Action {action} has no inputs"
    assert words in refusal(document(without))
    assert words in refusal(document({**without, "inputs": []}))


@pytest.mark.parametrize(
    ("action", "inputs", "lacking"),
    [
        ("ExecuteBash", {"command": ["true"]}, "commands"),
        ("ExecuteBinary", {"arguments": []}, "path"),
        ("S3Download", [{"source": "s3://bucket/key"}], "destination"),
        ("CreateFile", [{"content": "x"}], "path"),
        ("ExecutePowerShell", {"script": "exit 0"}, "'commands' or 'file'"),
    ],
)
def test_an_input_that_an_action_needs_is_named(action: str, inputs: Any, lacking: str) -> None:
    step = {"name": "Step", "action": action, "inputs": inputs}
    assert f"Action {action} needs the input" in refusal(document(step))
    assert lacking in refusal(document(step))


def test_commands_are_a_list() -> None:
    assert "commands is a list" in refusal(document({**RUN, "inputs": {"commands": "true"}}))


FAULTS = {
    "no YAML": ("phases: [", "not YAML"),
    "a text": ("just text", "not a mapping"),
    "nothing": ("", "empty"),
    "no schema": (json.dumps({"phases": [{"name": "build", "steps": [RUN]}]}), "schemaVersion is required"),
    "another schema": (document(RUN, schemaVersion=2.0), "schemaVersion is required and is 1.0"),
    "no phases": ('{"schemaVersion": 1.0}', "at least one phase"),
    "another phase": (document(RUN, phase="deploy"), "build, validate, test"),
    "a phase in capitals": (document(RUN, phase="Build"), "build, validate, test"),
    "no steps": (document(), "at least one step"),
    "an unknown action": (document({**RUN, "action": "RunBash"}), "Action RunBash is not supported"),
    "an action in small letters": (document({**RUN, "action": "executebash"}), "is not supported"),
    "no action": (document({"name": "Run"}), "is not supported"),
    "one name twice": (document(RUN, RUN), "step 'Run' is there more than once"),
    "one phase twice": (
        json.dumps({"schemaVersion": 1.0, "phases": [{"name": "build", "steps": [RUN]}] * 2}),
        "Phase 'build' is there more than once",
    ),
    "timeout 0": (document({**RUN, "timeoutSeconds": 0}), "timeoutSeconds"),
    "timeout -2": (document({**RUN, "timeoutSeconds": -2}), "timeoutSeconds"),
    "onFailure": (document({**RUN, "onFailure": "Retry"}), "Abort, Continue, Ignore"),
    "no attempt": (document({**RUN, "maxAttempts": 0}), "maxAttempts"),
    "a number as parameter": (document(RUN, parameters=[{"p": {"type": "integer"}}]), "its type is string"),
    "parameters as mapping": (document(RUN, parameters={"p": {"type": "string"}}), "parameters is a list"),
    "one parameter twice": (document(RUN, parameters=[{"p": {"type": "string"}}] * 2), "more than once"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refused_with_its_reason(name: str) -> None:
    text, why = FAULTS[name]
    assert why in refusal(text)


STEP = "{name: validate-disk, action: ExecuteBash, inputs: {commands: [df]}}"
#: Documents with a single phase ``test``, as plain YAML, as JSON, as Terraform's yamlencode and jsonencode
#: write it.
TESTS = {
    "plain": (
        f"name: build-check\nschemaVersion: 1.0\nphases:\n  - name: test\n    steps:\n      - {STEP}\n"
    ),
    "JSON": document(RUN, phase="test", name="build-and-test"),
    "indented JSON": json.dumps(json.loads(document(RUN, phase="test")), indent=2),
    "quoted keys": (
        '"name": "own"\n"phases":\n- "name": "test"\n  "steps":\n  - "action": "ExecuteBash"\n    "inputs":\n'
        '      "commands":\n      - "true"\n    "name": "build"\n"schemaVersion": 1\n'
    ),
    "steps first": f"schemaVersion: 1.0\nphases:\n  - steps:\n      - {STEP}\n    name: test\n",
    "comments": (
        f"# build\nschemaVersion: '1.0'\nphases: # - name: build\n  - name: 'test'\n    steps: [{STEP}]\n"
    ),
}


@pytest.mark.parametrize("name", TESTS)
def test_a_document_whose_only_phase_is_test_is_a_test(name: str) -> None:
    assert component.read(TESTS[name]).type == "TEST"


@pytest.mark.parametrize(
    "phases", [["build"], ["validate"], ["build", "test"], ["test", "container-host-test"]]
)
def test_every_other_document_is_a_build(phases: list[str]) -> None:
    text = json.dumps({"schemaVersion": 1.0, "phases": [{"name": p, "steps": [RUN]} for p in phases]})
    assert component.read(text).type == "BUILD"


def test_parameters_constants_loops_and_conditions_are_taken() -> None:
    step = {
        "name": "Each",
        "action": "ExecuteBash",
        "loop": {"name": "hosts", "forEach": {"list": "{{ Hosts }}", "delimiter": ","}},
        "if": {"fileExists": "/etc/hosts", "then": "Continue", "else": "Abort"},
        "inputs": {"commands": ["ping {{ hosts.value }}", "docker ps --format '{{.Names}}'"]},
    }
    read = component.read(
        document(
            step,
            parameters=[
                {"Hosts": {"type": "string", "default": "a,b", "description": "names"}},
                {"Level": {"type": "string"}},
            ],
            constants=[{"Source": {"type": "string", "value": "s3://bucket"}}],
        )
    )
    assert read.parameters == (
        {"name": "Hosts", "type": "string", "defaultValue": ["a,b"], "description": "names"},
        {"name": "Level", "type": "string"},
    )
