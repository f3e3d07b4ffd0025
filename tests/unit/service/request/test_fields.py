"""The bounds of single members: one test per bound."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.request import Workflow
from tests.support.requests import (
    HERE,
    TEST,
    least,
    one_fault,
    with_workflows,
)

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a container recipe where an image recipe belongs": (
        least(image_recipe_arn=f"{HERE}container-recipe/golden/1.0.0"),
        "image_recipe_arn",
        "this is a container recipe: give it as container_recipe_arn",
    ),
    "an image recipe where a container recipe belongs": (
        least(image_recipe_arn=None, container_recipe_arn=f"{HERE}image-recipe/golden/1.0.0"),
        "container_recipe_arn",
        "this is an image recipe: give it as image_recipe_arn",
    ),
    "a distribution where the infrastructure belongs": (
        least(infrastructure_configuration_arn=f"{HERE}distribution-configuration/golden"),
        "infrastructure_configuration_arn",
        "give it as distribution_configuration_arn",
    ),
    "an upper-case name": (
        least(image_recipe_arn=f"{HERE}image-recipe/Golden/1.0.0"),
        "image_recipe_arn",
        f"write '{HERE}image-recipe/golden/1.0.0'",
    ),
    "a wildcard that is not rightmost": (
        least(image_recipe_arn=f"{HERE}image-recipe/golden/x.2.x"),
        "image_recipe_arn",
        "x may only be rightmost",
    ),
    "a version number that is too large": (
        least(image_recipe_arn=f"{HERE}image-recipe/golden/1.{2**30}.0"),
        "image_recipe_arn",
        "at most 1073741823",
    ),
    "onFailure in lower case": (
        with_workflows(Workflow(TEST, on_failure="continue")),  # type: ignore[arg-type]
        "workflows[0].on_failure",
        "CONTINUE or ABORT; did you mean 'CONTINUE'?",
    ),
    "an unknown onFailure": (
        with_workflows({"workflowArn": TEST, "onFailure": "RETRY"}),
        "workflows[0].onFailure",
        "got 'RETRY'; allowed: CONTINUE or ABORT; write one of these",
    ),
    "a group name of 101 characters": (
        with_workflows(Workflow(TEST, parallel_group="g" * 101)),
        "workflows[0].parallel_group",
        "it has 101 characters, 1 too many",
    ),
    "a group name with a space": (
        with_workflows(Workflow(TEST, parallel_group="group one!")),
        "workflows[0].parallel_group",
        "take out ' ', '!'",
    ),
    "a group name that begins with a dash": (
        with_workflows(Workflow(TEST, parallel_group="-one")),
        "workflows[0].parallel_group",
        "begin it with a letter or a digit",
    ),
    "an empty group name": (
        with_workflows(Workflow(TEST, parallel_group="")),
        "workflows[0].parallel_group",
        "it is empty",
    ),
    "a workflow without its ARN": (
        with_workflows({"parallelGroup": "functional"}),
        "workflows[0].workflowArn",
        "not given",
    ),
    "a workflow that is a plain string": (
        with_workflows(TEST),
        "workflows[0]",
        f"write Workflow('{TEST}')",
    ),
    "a misspelt member of a workflow": (
        with_workflows({"workflowArn": TEST, "parallel_group": "functional"}),
        "workflows[0].parallel_group",
        "did you mean parallelGroup?",
    ),
    "workflows that are not a list": (
        with_workflows() | {"workflows": Workflow(TEST)},
        "workflows",
        "make it a list",
    ),
    "a parameter value that is not a list": (
        with_workflows(Workflow(TEST, parameters={"kernel": "6.1"})),
        "workflows[0].parameters['kernel']",
        "make it a list: ['6.1']",
    ),
    "a parameter value that is not a string": (
        with_workflows({"workflowArn": TEST, "parameters": [{"name": "strict", "value": [True]}]}),
        "workflows[0].parameters[0].value[0]",
        "write it as text: 'true'",
    ),
    "an empty list of parameters": (
        with_workflows({"workflowArn": TEST, "parameters": []}),
        "workflows[0].parameters",
        "the list is empty: leave it out",
    ),
    "a parameter without a value": (
        with_workflows({"workflowArn": TEST, "parameters": [{"name": "kernel"}]}),
        "workflows[0].parameters[0].value",
        "not given",
    ),
    "a parameter name that is too long": (
        with_workflows(Workflow(TEST, parameters={"p" * 129: ["a"]})),
        f"workflows[0].parameters['{'p' * 129}']",
        "1 too many",
    ),
    "an instance profile as role": (
        least(execution_role="arn:aws:iam::123456789012:instance-profile/builder"),
        "execution_role",
        "instance profile, which belongs to the infrastructure configuration",
    ),
    "an assumed role as role": (
        least(execution_role="arn:aws:sts::123456789012:assumed-role/builder/me"),
        "execution_role",
        "session of an assumed role",
    ),
    "a role with a space": (
        least(execution_role="my role"),
        "execution_role",
        "take out ' '",
    ),
    "a user as role": (
        least(execution_role="arn:aws:iam::123456789012:user/me"),
        "execution_role",
        "arn:<partition>:iam::<account>:role/<name>",
    ),
    "a role name that is too long": (
        least(execution_role="r" * 2049),
        "execution_role",
        "1 too many",
    ),
    "a log group's ARN": (
        least(logging_configuration={"logGroupName": "arn:aws:logs:us-east-1:123456789012:log-group:x"})
        | {"execution_role": "r"},
        "logging_configuration.logGroupName",
        "name alone",
    ),
    "a log group with a wrong character": (
        least(logging_configuration={"logGroupName": "/aws/imagebuilder/golden*"}),
        "logging_configuration.logGroupName",
        "take out '*'",
    ),
    "a log group that is too long": (
        least(logging_configuration={"logGroupName": "/aws/imagebuilder/" + "g" * 500}),
        "logging_configuration.logGroupName",
        "6 too many",
    ),
    "two scan types": (
        least(
            image_scanning_configuration={"imageScanningTypes": ["TEST_INSTANCE_CVE", "ON_DEMAND_AMI_CVE"]}
        ),
        "image_scanning_configuration.imageScanningTypes",
        "a list of one scan type; take out 1",
    ),
    "an unknown scan type": (
        least(image_scanning_configuration={"imageScanningTypes": ["on_demand_ami_cve"]}),
        "image_scanning_configuration.imageScanningTypes[0]",
        "did you mean 'ON_DEMAND_AMI_CVE'?",
    ),
    "a scan condition without its severity": (
        least(
            image_scanning_configuration={
                "imageScanningTypes": ["ON_DEMAND_AMI_CVE"],
                "scanResultCondition": {"fixAvailable": False},
            }
        ),
        "image_scanning_configuration.scanResultCondition.maximumSeverityLabel",
        "not given; allowed: INFORMATIONAL, LOW, MEDIUM or HIGH",
    ),
    "a scan condition of the severity that always fails": (
        least(
            image_scanning_configuration={
                "imageScanningTypes": ["ON_DEMAND_AMI_CVE"],
                "scanResultCondition": {"maximumSeverityLabel": "CRITICAL"},
            }
        ),
        "image_scanning_configuration.scanResultCondition.maximumSeverityLabel",
        "got 'CRITICAL'; allowed: INFORMATIONAL, LOW, MEDIUM or HIGH",
    ),
    "a test timeout below an hour": (
        least(image_tests_configuration={"timeoutMinutes": 59}),
        "image_tests_configuration.timeoutMinutes",
        "60 to 1440",
    ),
    "a test timeout above a day": (
        least(image_tests_configuration={"timeoutMinutes": "1441"}),
        "image_tests_configuration.timeoutMinutes",
        "60 to 1440",
    ),
    "a test timeout that is not a number": (
        least(image_tests_configuration={"timeoutMinutes": True}),
        "image_tests_configuration.timeoutMinutes",
        "whole number",
    ),
    "a snake-case member inside a structure": (
        least(image_tests_configuration={"image_tests_enabled": True}),
        "image_tests_configuration.image_tests_enabled",
        "did you mean imageTestsEnabled?",
    ),
    "a structure that is not a mapping": (
        least(image_tests_configuration=True),
        "image_tests_configuration",
        "make it a mapping",
    ),
    "a flag that is not a flag": (
        least(enhanced_image_metadata_enabled="yes"),
        "enhanced_image_metadata_enabled",
        "got 'yes'; allowed: True or False",
    ),
    "a repository with its registry": (
        least(
            image_scanning_configuration={
                "ecrConfiguration": {"repositoryName": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b"}
            }
        ),
        "image_scanning_configuration.ecrConfiguration.repositoryName",
        "without the registry: 'a/b'",
    ),
    "an empty container tag": (
        least(image_scanning_configuration={"ecrConfiguration": {"containerTags": [""]}}),
        "image_scanning_configuration.ecrConfiguration.containerTags[0]",
        "it is empty",
    ),
    "a list with nothing at a place": (
        least(image_scanning_configuration={"ecrConfiguration": {"containerTags": ["a", None]}}),
        "image_scanning_configuration.ecrConfiguration.containerTags[1]",
        "not given",
    ),
    "an empty tags map": (least(tags={}), "tags", "got {}; allowed: 1 to 50 tags; the mapping is empty"),
    "51 tags": (
        least(tags={f"t{n}": "" for n in range(51)}),
        "tags",
        "got '51 entries'; allowed: 1 to 50 tags; take",
    ),
    "tags that are not a mapping": (least(tags=["a"]), "tags", "make it a mapping"),
    "a tag key of AWS": (least(tags={"aws:x": "a"}), "tags['aws:x']", "belong to AWS"),
    "an empty tag key": (least(tags={"": "a"}), "tags['']", "it is empty"),
    "a tag key with a wrong character": (least(tags={"a*b": "c"}), "tags['a*b']", "take out '*'"),
    "a tag key that is a template, which Airflow does not render": (
        least(tags={"a{{": "c"}),
        "tags['a{{']",
        "take out '{'",
    ),
    "a tag key that is too long": (least(tags={"k" * 129: "a"}), f"tags['{'k' * 129}']", "1 too many"),
    "a tag value that is too long": (least(tags={"k": "v" * 257}), "tags['k']", "1 too many"),
    "a tag value that is not a string": (least(tags={"k": 5}), "tags['k']", "write it as text: '5'"),
    "a tag without a key": (least(tags={None: "a"}), "tags[None]", "not given"),
    "an ARN that a template rendered of None": (
        least(distribution_configuration_arn="None"),
        "distribution_configuration_arn",
        "write {{ ... or '' }}",
    ),
    "a role that a template rendered of None": (
        least(execution_role="None"),
        "execution_role",
        "write {{ ... or '' }}",
    ),
    "a client token": (least(client_token="t"), "client_token", "a stable one"),
    "a dry run": (least(dryRun=True), "dryRun", "CreateImage has no dry run"),
    "a member by the name of the API": (
        least(executionRole="r"),
        "executionRole",
        "did you mean execution_role?",
    ),
    "an unknown member": (least(colour="red"), "colour", "leave it out"),
}


@pytest.mark.parametrize(("fields", "field", "message"), WRONG.values(), ids=WRONG)
def test_a_broken_bound_is_a_fault(fields: dict[str, Any], field: str, message: str) -> None:
    fault = one_fault(fields)
    assert fault.field == field
    assert message in str(fault)
