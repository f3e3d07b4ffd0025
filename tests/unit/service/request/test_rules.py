"""The rules of CreateImage for several members together: one test per rule."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.request import Workflow
from tests.support.requests import (
    BUILD,
    HERE,
    LEAST,
    MANAGED,
    SEND,
    TEST,
    least,
    one_fault,
    with_workflows,
)

BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "no infrastructure configuration": (
        {"image_recipe_arn": LEAST["image_recipe_arn"]},
        "infrastructure_configuration_arn",
        "not given",
    ),
    "no recipe": (
        {"infrastructure_configuration_arn": LEAST["infrastructure_configuration_arn"]},
        "image_recipe_arn and container_recipe_arn",
        "exactly one of the two; give image_recipe_arn for an AMI",
    ),
    "two recipes": (
        least(container_recipe_arn=f"{HERE}container-recipe/golden/1.0.0"),
        "image_recipe_arn and container_recipe_arn",
        "exactly one of the two; leave one out",
    ),
    "workflows without a role": (
        least(workflows=[Workflow(BUILD)]),
        "execution_role",
        "required with workflows",
    ),
    "eleven workflows": (
        with_workflows(*[Workflow(TEST)] * 11),
        "workflows",
        "got '11 workflows'; allowed: at most 10 workflows, the build and the distribution included",
    ),
    "two build workflows": (
        with_workflows(Workflow(BUILD), Workflow(TEST), {"workflowArn": BUILD}),
        "workflows",
        "at most one build workflow; keep one of workflows[0], workflows[2]",
    ),
    "two distribution workflows": (
        with_workflows(Workflow(SEND), Workflow(SEND)),
        "workflows",
        "at most one distribution workflow",
    ),
    "a parallel group on the build workflow": (
        with_workflows(Workflow(BUILD, parallel_group="functional")),
        "workflows[0].parallel_group",
        "got 'functional'; allowed: set on test workflows only",
    ),
    "a parallel group on the distribution workflow": (
        with_workflows({"workflowArn": SEND, "parallelGroup": "functional"}),
        "workflows[0].parallelGroup",
        "leave it out: this is the distribution workflow",
    ),
    "onFailure on the build workflow": (
        with_workflows({"workflowArn": BUILD, "onFailure": "CONTINUE"}),
        "workflows[0].onFailure",
        "set on test workflows only",
    ),
    "a pinned workflow of Amazon": (
        with_workflows(Workflow(f"{MANAGED}/test/test-image/1.0.1/1")),
        "workflows[0].arn",
        f"write '{MANAGED}/test/test-image/x.x.x'",
    ),
    "a workflow of Amazon pinned to a major version": (
        with_workflows({"workflowArn": f"{MANAGED}/build/build-image/1.x.x"}),
        "workflows[0].workflowArn",
        f"write '{MANAGED}/build/build-image/x.x.x'",
    ),
    "a parameter that is given twice": (
        with_workflows(
            {"workflowArn": TEST, "parameters": [{"name": "a", "value": []}, {"name": "a", "value": []}]}
        ),
        "workflows[0].parameters",
        "put its values into one list",
    ),
    "a log group outside Image Builder's without a role": (
        least(logging_configuration={"logGroupName": "/team/images"}),
        "execution_role",
        "give a role that may write to '/team/images'",
    ),
    "a scan without tests": (
        least(
            image_scanning_configuration={"imageScanningEnabled": True},
            image_tests_configuration={"imageTestsEnabled": False},
        ),
        "image_tests_configuration.imageTestsEnabled",
        "turn them on, or the scan off",
    ),
    "a scan of the AMI of a container": (
        least(
            image_recipe_arn=None,
            container_recipe_arn=f"{HERE}container-recipe/golden/1.0.0",
            image_scanning_configuration={"imageScanningTypes": ["ON_DEMAND_AMI_CVE"]},
        ),
        "image_scanning_configuration.imageScanningTypes",
        "scans what an image recipe makes",
    ),
    "a scan condition without the scan that it needs": (
        least(image_scanning_configuration={"scanResultCondition": {"maximumSeverityLabel": "HIGH"}}),
        "image_scanning_configuration.scanResultCondition",
        "set with imageScanningTypes ['ON_DEMAND_AMI_CVE'] only",
    ),
    "two regions": (
        least(
            infrastructure_configuration_arn=LEAST["infrastructure_configuration_arn"].replace("us-", "eu-")
        ),
        "infrastructure_configuration_arn and image_recipe_arn",
        "allowed: ARNs of one region; Image Builder builds in one region",
    ),
    "a distribution configuration of another region": (
        least(
            distribution_configuration_arn=(
                "arn:aws:imagebuilder:eu-west-1:{{ var.value.account }}:distribution-configuration/d"
            )
        ),
        "infrastructure_configuration_arn and distribution_configuration_arn",
        "ARNs of one region",
    ),
    "a managed workflow of another region": (
        with_workflows(
            Workflow(BUILD),
            {"workflowArn": "arn:aws:imagebuilder:eu-west-1:aws:workflow/test/test-image/x.x.x"},
        ),
        "infrastructure_configuration_arn and workflows[1].workflowArn",
        "ARNs of one region",
    ),
}


@pytest.mark.parametrize(("fields", "field", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_a_fault(fields: dict[str, Any], field: str, message: str) -> None:
    fault = one_fault(fields)
    assert fault.field == field
    assert message in str(fault)
