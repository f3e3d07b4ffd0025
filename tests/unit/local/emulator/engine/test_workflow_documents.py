"""Workflow documents: conditions, parameters and the checks of their steps."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError
from airflow_imagebuilder.local.emulator.engine.simulation.workflow_documents import (
    FALLBACK,
    MANAGED,
    holds,
    missing_parameters,
    parameters_of,
    read,
    values_of,
)

VALUES = {
    "parameters": {"deep": True, "level": 2, "name": "golden"},
    "stepOutputs": {"Probe": {"status": "Success"}},
}
TRUE: dict[str, Any] = {"value": "$.parameters.deep", "booleanEquals": True}
FALSE: dict[str, Any] = {"value": "$.parameters.level", "numberGreaterThan": 2}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, True),
        (TRUE, True),
        ({"value": "$.parameters.deep", "booleanEquals": False}, False),
        ({"value": "$.parameters.name", "stringEquals": "golden"}, True),
        ({"value": "$.parameters.name", "stringEquals": "silver"}, False),
        ({"value": "$.stepOutputs.Probe.status", "stringEquals": "Success"}, True),
        ({"value": "$.stepOutputs.Missing.status", "stringEquals": "Success"}, False),
        ({"value": "golden", "stringEquals": "golden"}, True),
        ({"value": "$.parameters.level", "numberEquals": 2}, True),
        (FALSE, False),
        ({"value": "$.parameters.level", "numberGreaterThanEquals": 2}, True),
        ({"value": "$.parameters.level", "numberLessThan": 2}, False),
        ({"value": "$.parameters.level", "numberLessThanEquals": 2}, True),
        ({"and": [TRUE, FALSE]}, False),
        ({"and": [TRUE, TRUE]}, True),
        ({"or": [FALSE, TRUE]}, True),
        ({"or": [FALSE, FALSE]}, False),
        ({"not": FALSE}, True),
        ({"not": {"or": [FALSE, TRUE]}}, False),
    ],
    ids=str,
)
def test_a_condition_is_true_or_false(condition: Any, expected: bool) -> None:
    assert holds(condition, VALUES) is expected


def test_a_boolean_is_not_the_string_of_it() -> None:
    assert not holds({"value": "true", "booleanEquals": True}, VALUES)


PARAMETERS = """
schemaVersion: 1.0
parameters:
  - {name: deep, type: boolean, default: false, description: Check more}
  - {name: level, type: integer}
  - {name: names, type: stringList, default: a}
steps: [{name: Run, action: RunCommand}]
"""


def test_parameters_are_listed_with_their_defaults() -> None:
    assert parameters_of(PARAMETERS) == [
        {"name": "deep", "type": "boolean", "description": "Check more", "defaultValue": ["False"]},
        {"name": "level", "type": "integer"},
        {"name": "names", "type": "stringList", "defaultValue": ["a"]},
    ]
    assert parameters_of(None) == []


def test_values_have_their_declared_types_and_defaults_fill_the_gaps() -> None:
    declared = parameters_of(PARAMETERS)
    given = {"level": ["-3"], "deep": ["True"]}
    assert values_of(declared, given) == {"deep": True, "level": -3, "names": ["a"]}
    assert values_of(declared, {"level": ["many"]})["level"] == "many"
    assert values_of(declared, {"level": ["1"]})["deep"] is False


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"level": ["1"], "depth": ["1"]}, "no parameter depth"),
        ({"deep": ["true"]}, "needs a value for level"),
    ],
    ids=["unknown", "missing"],
)
def test_parameters_that_do_not_fit_are_named(given: dict[str, Any], text: str) -> None:
    error = missing_parameters(parameters_of(PARAMETERS), given)
    assert error is not None
    assert error.code == "InvalidParameterValueException"
    assert text in error.message


def test_parameters_that_fit_are_accepted() -> None:
    assert missing_parameters(parameters_of(PARAMETERS), {"level": ["1"]}) is None


def test_a_step_has_the_values_of_the_document_or_the_defaults_of_its_action() -> None:
    text = """
schemaVersion: 1.0
steps:
  - name: Approve
    action: WaitForAction
  - name: Check
    action: RunCommand
    onFailure: Continue
    timeoutSeconds: 60
    description: Runs a command
    if: {value: $.parameters.deep, booleanEquals: true}
    inputs: {commands: [ls]}
"""
    approve, check = read(text)
    assert (approve.timeout, approve.on_failure, approve.condition) == (259200, "Abort", None)
    assert (check.timeout, check.on_failure, check.description) == (60, "Continue", "Runs a command")
    assert check.condition == {"value": "$.parameters.deep", "booleanEquals": True}
    assert check.inputs == {"commands": ["ls"]}


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (["{name: Run, action: RunCommand}"] * 2, "Step names are unique"),
        ([f"{{name: Run{number}, action: RunCommand}}" for number in range(16)], "1 to 15 steps"),
        (["just text"], "A step has a name"),
    ],
    ids=["the same name twice", "sixteen steps", "text"],
)
def test_steps_that_break_a_rule_are_refused(steps: list[str], text: str) -> None:
    with pytest.raises(ApiError, match=text):
        read("schemaVersion: 1.0\nsteps: [" + ", ".join(steps) + "]")


def test_a_document_that_is_not_a_mapping_is_refused() -> None:
    with pytest.raises(ApiError, match="not a mapping"):
        read("- steps")


@pytest.mark.parametrize("type_", ["BUILD", "TEST", "DISTRIBUTION"])
def test_a_workflow_with_its_document_in_s3_runs_the_steps_of_amazons_workflow(type_: str) -> None:
    steps = [steps for (stage, _), (_, steps) in MANAGED.items() if stage == type_.lower()]
    assert FALLBACK[type_] in steps
