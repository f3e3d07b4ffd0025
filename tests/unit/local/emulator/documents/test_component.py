"""Component documents: their phases, their type, their parameters, and what AWSTOE does not take."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from airflow_imagebuilder.local.emulator.documents.component import read, refused
from airflow_imagebuilder.local.emulator.documents.text import DocumentError

STEP = {"name": "Run", "action": "ExecuteBash", "inputs": {"commands": ["true"]}}


def document(*phases: str, step: dict[str, Any] | None = None, **more: Any) -> str:
    """Write a document whose phases have one step each."""
    items = [{"name": phase, "steps": [step or STEP]} for phase in phases]
    return yaml.safe_dump({"schemaVersion": 1.0, "phases": items, **more})


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        (("test",), "TEST"),
        (("build",), "BUILD"),
        (("validate",), "BUILD"),
        (("build", "test"), "BUILD"),
        (("test", "container-host-test"), "BUILD"),
        (("deploy", "build"), "BUILD"),
    ],
    ids=str,
)
def test_a_component_is_a_test_if_its_only_phase_is_test(phases: tuple[str, ...], expected: str) -> None:
    assert read(document(*phases)).type == expected


def test_a_step_without_required_inputs_needs_none() -> None:
    assert read(document("build", step={"name": "Again", "action": "Reboot"})).steps == {
        "build": ("Again", "Reboot")
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: x\nschemaVersion: 1.0", "phases is a list"),
        (document(), "phases is a list"),
        (document("deploy"), "At least one phase is required of build, validate, test"),
        (document("build", "build"), "Phase 'build' is there more than once"),
        (document("build", schemaVersion=2.0), "schemaVersion"),
        ("schemaVersion: 1.0\nphases: [{name: build}]", "Line 2: Phase 'build': steps is a list"),
        ("schemaVersion: 1.0\nphases: [build]", "A phase has a name and steps"),
        (document("build", step={**STEP, "name": 5}), "a step has a name, an action and inputs"),
        (document("build", step={**STEP, "action": "RunBash"}), "Action RunBash is not supported"),
        (
            document("build", step={"name": "Get", "action": "S3Download", "inputs": []}),
            "Parsing step 'Get' in phase 'build' failed. Error: Action S3Download has no inputs",
        ),
        (document("build", step={**STEP, "inputs": "true"}), "inputs is a mapping or a list"),
        (document("build", step={**STEP, "timeoutSeconds": 0}), "timeoutSeconds is a number"),
        (document("build", step={**STEP, "timeoutSeconds": -2}), "timeoutSeconds is a number"),
        (document("build", step={**STEP, "timeoutSeconds": "soon"}), "timeoutSeconds is a number"),
        (document("build", step={**STEP, "maxAttempts": 0}), "maxAttempts"),
        (
            document("build", step={**STEP, "onFailure": "Retry"}),
            "onFailure is one of Abort",
        ),
        (document("build", parameters=[{"name": "Level", "type": "integer"}]), "its type is string"),
        (document("build", parameters={"Level": {}}), "parameters is a list"),
        (document("build", parameters=[{"A": {"type": "string"}}] * 2), "declared more than once"),
    ],
    ids=range(19),
)
def test_what_awstoe_does_not_take_is_refused(text: str, why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(text)
    assert why in str(caught.value)


PARAMETERS = [
    {"Level": {"type": "string", "default": "High", "description": "How strict"}},
    {"name": "Bucket", "type": "string"},
]


def test_parameters_are_read_in_both_forms() -> None:
    assert read(document("build", parameters=PARAMETERS)).parameters == (
        {"name": "Level", "type": "string", "defaultValue": ["High"], "description": "How strict"},
        {"name": "Bucket", "type": "string"},
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"Bucket": "b"}, None),
        ({"Bucket": "b", "Level": "Low"}, None),
        ({}, "need a value in the recipe: Bucket"),
        (
            {"Bucket": "b", "S3BucketName": "x"},
            "The following parameters are not defined in the provided component: S3BucketName",
        ),
    ],
    ids=str,
)
def test_the_parameters_of_a_recipe_fit_the_component(given: dict[str, str], why: str | None) -> None:
    declared = read(document("build", parameters=PARAMETERS)).parameters
    found = refused(declared, [{"name": name, "value": [value]} for name, value in given.items()])
    assert found is None if why is None else why in str(found)
