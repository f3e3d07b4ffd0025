"""Members that are not known yet: templates, and the outputs of other tasks."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.request import ImageRequest, Workflow
from airflow_imagebuilder.service.request.fields.templates import is_template
from airflow_imagebuilder.service.request.image_request import faults_in
from tests.support.requests import (
    BUILD,
    TEST,
    least,
    one_fault,
    with_workflows,
)

LATE = "{{ var.value.later }}"


class Output:
    """Another task's output, which Jinja does not render."""


OUTPUT: Any = Output()

LATER: dict[str, dict[str, Any]] = {
    "the recipe": least(image_recipe_arn=LATE),
    "both recipes, of which one will be empty": least(image_recipe_arn=LATE, container_recipe_arn=LATE),
    "one recipe besides a known one": least(container_recipe_arn=LATE),
    "all the workflows, without a role": least(workflows=LATE),
    "one workflow": with_workflows(Workflow(BUILD), LATE),
    "a workflow's ARN": with_workflows(Workflow(BUILD), Workflow(LATE, parallel_group="g")),
    "a workflow's ARN in AWS's mapping": with_workflows({"workflowArn": LATE, "onFailure": "ABORT"}),
    "the account in an ARN": with_workflows(
        Workflow("arn:aws:imagebuilder:us-east-1:{{ x }}:workflow/test/a/1.0.0")
    ),
    "the group of a build workflow": with_workflows(Workflow(BUILD, parallel_group=LATE)),
    "parameters": with_workflows({"workflowArn": TEST, "parameters": LATE}),
    "a parameter": with_workflows({"workflowArn": TEST, "parameters": [LATE]}),
    "a parameter's value": with_workflows(Workflow(TEST, parameters={"a": LATE})),
    "a string in a parameter's value": with_workflows(Workflow(TEST, parameters={"a": ["x", LATE]})),
    "the role": least(workflows=[Workflow(BUILD)], execution_role=LATE),
    "a log group that may be outside": least(logging_configuration={"logGroupName": LATE}),
    "the tests of a scanned image": least(
        image_scanning_configuration={"imageScanningEnabled": True},
        image_tests_configuration={"imageTestsEnabled": LATE},
    ),
    "a whole structure": least(
        image_scanning_configuration={"imageScanningEnabled": True}, image_tests_configuration=LATE
    ),
    "the scan type of a condition": least(
        image_scanning_configuration={
            "imageScanningTypes": [LATE],
            "scanResultCondition": {"maximumSeverityLabel": "LOW"},
        }
    ),
    "all scan types of a condition": least(
        image_scanning_configuration={
            "imageScanningTypes": LATE,
            "scanResultCondition": {"maximumSeverityLabel": LATE, "fixAvailable": LATE},
        }
    ),
    "a flag": least(enhanced_image_metadata_enabled=LATE),
    "a number": least(image_tests_configuration={"timeoutMinutes": LATE}),
    "all tags": least(tags=LATE),
    "a tag": least(tags={"commit": LATE}),
    "a statement": least(image_recipe_arn="{% if params.x %}a{% else %}b{% endif %}"),
}


@pytest.mark.parametrize("fields", LATER.values(), ids=LATER)
def test_a_value_that_a_template_will_render_is_not_checked(fields: dict[str, Any]) -> None:
    assert faults_in(fields) == ()
    parameters = ImageRequest(**fields).to_api()
    assert ImageRequest.from_api(parameters).to_api() == parameters


def swapped(value: Any) -> Any:
    """Put another task's output in each place of a template."""
    if isinstance(value, Workflow):
        return swapped(value.to_api())
    if isinstance(value, dict):
        return {key: swapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [swapped(item) for item in value]
    return OUTPUT if is_template(value) else value


@pytest.mark.parametrize("fields", LATER.values(), ids=LATER)
def test_another_task_s_output_is_not_checked_where_the_caller_recognises_it(fields: dict[str, Any]) -> None:
    assert faults_in(swapped(fields), later=lambda value: value is OUTPUT) == ()
    assert faults_in(swapped(fields)) != ()


def test_known_members_are_checked_beside_unknown_ones() -> None:
    fields = least(
        image_recipe_arn=LATE,
        tags={"commit": LATE, "aws:x": "y"},
        workflows=[
            Workflow(BUILD),
            Workflow(BUILD),
            LATE,
            Workflow(LATE, on_failure="continue"),  # type: ignore[arg-type]
        ],
    )
    assert [fault.field for fault in faults_in(fields)] == [
        "workflows[3].on_failure",
        "tags['aws:x']",
        "execution_role",
        "workflows",
    ]


def test_eleven_members_are_too_many_whatever_they_will_be() -> None:
    assert one_fault(with_workflows(*[LATE] * 11)).field == "workflows"


@pytest.mark.parametrize(
    ("value", "late"), [("{{ x }}", True), ("a{% x %}", True), ("{ x }", False), (5, False)]
)
def test_a_template_is_known_by_its_braces(value: object, late: bool) -> None:
    assert is_template(value) is late
