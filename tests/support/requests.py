"""Requests to CreateImage for tests: the least that AWS takes, everything that it takes, and changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.request import Workflow
from airflow_imagebuilder.service.request.image_request import faults_in
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from airflow_imagebuilder.service.errors import Fault

HERE = f"{PREFIX}:"
MANAGED = "arn:aws:imagebuilder:us-east-1:aws:workflow"
BUILD = f"{HERE}workflow/build/golden-build/1.0.0/1"
TEST = f"{HERE}workflow/test/boot/1.0.0/1"
SEND = f"{HERE}workflow/distribution/send/1.0.0/1"

LEAST: dict[str, Any] = {
    "infrastructure_configuration_arn": f"{HERE}infrastructure-configuration/golden",
    "image_recipe_arn": f"{HERE}image-recipe/golden/1.0.0",
}
EVERYTHING: dict[str, Any] = {
    **LEAST,
    "distribution_configuration_arn": f"{HERE}distribution-configuration/golden",
    "image_tests_configuration": {"imageTestsEnabled": True, "timeoutMinutes": 60},
    "enhanced_image_metadata_enabled": False,
    "image_scanning_configuration": {
        "imageScanningEnabled": True,
        "ecrConfiguration": {"repositoryName": "team/golden", "containerTags": ["scan"]},
    },
    "workflows": [
        Workflow(BUILD),
        Workflow(TEST, parameters={"kernels": ["6.1", ""], "none": []}, parallel_group="functional"),
        {"workflowArn": f"{MANAGED}/test/test-image/x.x.x", "onFailure": "CONTINUE"},
        Workflow(SEND),
    ],
    "execution_role": "ImageBuilderExecution",
    "logging_configuration": {"logGroupName": "/aws/imagebuilder/golden"},
    "tags": {"team": "platform", "empty": ""},
}


def least(**changes: Any) -> dict[str, Any]:
    return {**LEAST, **changes}


def with_workflows(*workflows: Any, **changes: Any) -> dict[str, Any]:
    return least(workflows=list(workflows), execution_role="ImageBuilderExecution", **changes)


def one_fault(fields: dict[str, Any]) -> Fault:
    (fault,) = faults_in(fields)
    return fault
