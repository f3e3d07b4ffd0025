"""Workflow documents: their steps, parameters and outputs, and what the guide does not allow."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.local.emulator.documents import parameters
from airflow_imagebuilder.local.emulator.documents.text import DocumentError
from airflow_imagebuilder.local.emulator.documents.workflow import read

WAIT = "{name: Ask, action: WaitForAction}"
LAUNCH = "{name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}"


def document(*steps: str, head: str = "", tail: str = "") -> str:
    """Write a document from its steps."""
    return f"schemaVersion: 1.0\n{head}steps:\n" + "".join(f"  - {step}\n" for step in steps) + tail


def test_a_step_has_the_values_of_the_document_or_the_defaults_of_its_action() -> None:
    check = """name: Check
    action: RunCommand
    onFailure: continue
    timeoutSeconds: 60
    description: Runs a command
    rollbackEnabled: false
    if: {value: $.parameters.deep, booleanEquals: true}
    inputs: {instanceId: i-1, documentName: AWS-RunShellScript}"""
    head = "parameters: [{name: deep, type: boolean}]\n"
    approve, found = read(document(WAIT, check, head=head), "TEST").steps
    assert (approve.timeout, approve.on_failure, approve.condition) == (259200, "Abort", None)
    assert (found.timeout, found.on_failure, found.description) == (60, "Continue", "Runs a command")
    assert (approve.rollback, found.rollback) == (True, False)
    assert found.condition == {"value": "$.parameters.deep", "booleanEquals": True}
    assert found.inputs == {"instanceId": "i-1", "documentName": "AWS-RunShellScript"}


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([WAIT, WAIT], "Line 4: Step 'Ask': the name of a step is unique"),
        ([WAIT.replace("Ask", f"Ask{number}") for number in range(16)], "steps: at most 15 items"),
        (["just text"], "'just text' is not a mapping"),
        (["{name: 1x, action: WaitForAction}"], "The name of a step begins with a letter"),
        (["{name: Ab, action: WaitForAction}"], "has 3 to 100 letters"),
        (["{name: Ask, action: Dance}"], "unknown action 'Dance'"),
        (["{name: Ask}"], "unknown action None"),
        (["{name: Ask, action: WaitForAction, timeoutSeconds: 604801}"], "a number from 1 to 604800"),
        (["{name: Ask, action: WaitForAction, timeoutSeconds: 0}"], "timeoutSeconds"),
        (["{name: Ask, action: WaitForAction, timeoutSeconds: true}"], "timeoutSeconds"),
        (["{name: Ask, action: WaitForAction, timeoutSeconds: abc}"], "timeoutSeconds"),
        (
            ["{name: Ask, action: WaitForAction, onFailure: Retry}"],
            "onFailure is Abort or Continue, not Retry",
        ),
        (["{name: Ask, action: WaitForAction, rollbackEnabled: maybe}"], "rollbackEnabled"),
        (["{name: Ask, action: WaitForAction, if: yes}"], "'if' is a statement"),
        (["{name: Ask, action: WaitForAction, bogus: 1}"], "Step 'Ask' has no 'bogus'"),
        (["{name: Ask, action: WaitForAction, inputs: [a]}"], "inputs is a mapping"),
        (["{name: Ask, action: WaitForAction, description: ''}"], "description"),
        (["{name: Launch, action: LaunchInstance}"], "LaunchInstance needs the input waitFor"),
        (["{name: Launch, action: LaunchInstance, inputs: {waitFor: boot}}"], "waitFor is one of ssmAgent"),
        (["{name: Run, action: RunCommand, inputs: {instanceId: i-1}}"], "needs the input documentName"),
        (["{name: Ask, action: WaitForAction, inputs: {topic: x}}"], "WaitForAction has no input topic"),
        (["{name: Ask, action: DistributeImage}"], "a TEST workflow cannot have DistributeImage"),
        (
            ["{name: Run, action: ExecuteComponents, inputs: {instanceId.$: $.stepOutputs.Nope.instanceId}}"],
            "'$.stepOutputs.Nope.instanceId' leads to nothing",
        ),
        (
            ["{name: Run, action: ExecuteComponents, inputs: {instanceId.$: $.stepOutputs.Run.instanceId}}"],
            "leads to nothing",
        ),
        (["{name: Run, action: ExecuteComponents, inputs: {instanceId.$: i-1}}"], "'i-1' is not a path"),
        (
            ["{name: Ask, action: WaitForAction, inputs: {payload: '{{ $.parameters.x }}'}}"],
            "leads to nothing",
        ),
        (
            ["{name: Ask, action: WaitForAction, if: {stringEquals: a, value: $.secrets.x}}"],
            "leads to nothing",
        ),
        (["{name: Ask, action: WaitForAction, if: {stringEquals: a, value: $.imagebuilder.x}}"], "leads to"),
    ],
    ids=range(28),
)
def test_steps_that_break_a_rule_are_refused(steps: list[str], why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(document(*steps), "TEST")
    assert why in str(caught.value)


def test_actions_of_amis_and_of_containers_do_not_mix() -> None:
    push = "{name: Push, action: DistributeContainerImage, inputs: {instanceId: i-1}}"
    assert read(document(push), "DISTRIBUTION")
    with pytest.raises(DocumentError, match="cannot be combined"):
        read(document(push, "{name: Copy, action: DistributeImage}"), "DISTRIBUTION")


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        ("outputs: [{name: Id}]", "An output has a name and a value"),
        ("outputs: [{name: Id, value: $.stepOutputs.Nope.x}]", "leads to nothing"),
        ("outputs: [{name: Id, value: a}, {name: Id, value: b}]", "the name of an output is unique"),
        ("outputs: text", "at most 25 items in a list"),
        ("extra: 1", "A workflow document has no 'extra'"),
    ],
)
def test_what_is_beside_the_steps_is_checked(tail: str, why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(document(LAUNCH, tail=tail + "\n"), "BUILD")
    assert why in str(caught.value)


def test_outputs_are_read() -> None:
    tail = "outputs: [{name: Instance, value: $.stepOutputs.Launch.instanceId}]\n"
    assert read(document(LAUNCH, tail=tail), "BUILD").outputs == (
        ("Instance", "$.stepOutputs.Launch.instanceId"),
    )


DECLARED = """parameters:
  - {name: deep, type: boolean, default: false, description: Check more}
  - {name: level, type: integer}
  - {name: names, type: stringList, default: [a, b]}
"""


def test_parameters_are_listed_with_their_defaults_as_texts() -> None:
    assert list(read(document(WAIT, head=DECLARED), "TEST").parameters) == [
        {"name": "deep", "type": "boolean", "description": "Check more", "defaultValue": ["false"]},
        {"name": "level", "type": "integer"},
        {"name": "names", "type": "stringList", "defaultValue": ["a", "b"]},
    ]


@pytest.mark.parametrize(
    ("parameter", "why"),
    [
        ("{name: p}", "type is one of string, integer, boolean, stringList, not None"),
        ("{name: p, type: float}", "not 'float'"),
        ("{type: string}", "has a name of 1 to 128"),
        ("{name: p, type: integer, default: many}", "its default is not an integer: 'many'"),
        ("{name: p, type: boolean, default: 1}", "its default is neither true nor false"),
        ("{name: p, type: string, default: [a, b]}", "its default has 2 values"),
        ("{name: p, type: string, required: true}", "has no 'required'"),
        ("p", "'p' is not a mapping"),
        ("{name: p, type: string}, {name: p, type: string}", "declared more than once"),
    ],
)
def test_a_parameter_that_breaks_a_rule_is_refused(parameter: str, why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(document(WAIT, head=f"parameters: [{parameter}]\n"), "TEST")
    assert why in str(caught.value)


def test_values_have_their_declared_types_and_defaults_fill_the_gaps() -> None:
    declared = read(document(WAIT, head=DECLARED), "TEST").parameters
    given = {"level": ["-3"], "deep": ["True"]}
    assert parameters.values(declared, given) == {"deep": True, "level": -3, "names": ["a", "b"]}
    assert parameters.values(declared, {"level": ["1"], "names": []})["names"] == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"level": ["1"]}, None),
        ({"level": ["1"], "depth": ["1"]}, "no parameter depth"),
        ({"deep": ["true"]}, "needs a value for level"),
        ({"level": ["many"]}, "parameter level is not an integer"),
        ({"level": ["1", "2"]}, "has 2 values"),
        ({"level": ["1"], "deep": ["yes"]}, "neither true nor false"),
    ],
    ids=str,
)
def test_parameters_of_a_request_must_fit(given: dict[str, list[str]], why: str | None) -> None:
    declared = read(document(WAIT, head=DECLARED), "TEST").parameters
    found = parameters.refused(declared, given)
    assert found is None if why is None else why in str(found)
