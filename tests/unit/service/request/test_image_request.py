"""ImageRequest: a test for each rule of CreateImage, and the whole table against botocore's model."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request.fields.fields import (
    ArnText,
    Choice,
    Flag,
    ListOf,
    MapOf,
    Number,
    Shape,
    Structure,
    Text,
)
from airflow_imagebuilder.service.request.fields.templates import is_template
from airflow_imagebuilder.service.request.image_request import FIELDS, ImageRequest, faults_in
from airflow_imagebuilder.service.request.schema import MEMBERS, WORKFLOW, WorkflowShape
from airflow_imagebuilder.service.request.workflows import Workflow

HERE = "arn:aws:imagebuilder:us-east-1:123456789012:"
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


def asked(**changes: Any) -> dict[str, Any]:
    return {**LEAST, **changes}


def with_workflows(*workflows: Any, **changes: Any) -> dict[str, Any]:
    return asked(workflows=list(workflows), execution_role="ImageBuilderExecution", **changes)


def one_fault(fields: dict[str, Any]) -> Fault:
    (fault,) = faults_in(fields)
    return fault


@cache
def model() -> Any:
    return botocore.session.get_session().get_service_model("imagebuilder")


# -- the table and the model ---------------------------------------------------------------------------------


def bounds(shape: Any) -> tuple[Any, ...]:
    return (shape.metadata.get("pattern"), shape.metadata.get("min", 0), shape.metadata.get("max"))


# Members that AWS added after the oldest botocore that the package works with.
AHEAD = {"image_scanning_configuration": {"imageScanningTypes", "scanResultCondition"}}


def differences(path: str, ours: Shape, theirs: Any) -> list[str]:
    """Walk our table and AWS's model side by side."""
    if isinstance(ours, WorkflowShape):
        ours = WORKFLOW
    if isinstance(ours, Structure):
        members = dict(theirs.members)
        older = AHEAD.get(path, set()) - set(members)
        other = set(members) ^ (set(ours.members) - older)
        told = [f"{path}: {other}"] if other else []
        told += [] if set(theirs.required_members) == set(ours.required) else [f"{path}: required"]
        for name in set(members) & set(ours.members):
            told += differences(f"{path}.{name}", ours.members[name], members[name])
        return told
    if isinstance(ours, ListOf):
        told = [] if bounds(theirs) == (None, ours.minimum, ours.maximum) else [f"{path}: {bounds(theirs)}"]
        return told + differences(f"{path}[]", ours.member, theirs.member)
    if isinstance(ours, MapOf):
        told = [] if bounds(theirs) == (None, ours.minimum, ours.maximum) else [f"{path}: {bounds(theirs)}"]
        keys = differences(f"{path} keys", ours.key, theirs.key)
        return told + keys + differences(f"{path} values", ours.value, theirs.value)
    words = tuple(getattr(theirs, "enum", ())) == (ours.words if isinstance(ours, Choice) else ())
    same = words and leaf(ours) == (theirs.type_name, *bounds(theirs))
    return [] if same else [f"{path}: {ours} is not {theirs} {theirs.metadata}"]


def leaf(ours: Shape) -> tuple[Any, ...]:
    match ours:
        case ArnText():
            return ("string", ours.kind.PATTERN, 0, None)
        case Text():
            return ("string", ours.pattern, ours.minimum, ours.maximum)
        case Number():
            return ("integer", None, ours.minimum, ours.maximum)
        case Choice():
            return ("string", None, 0, None)
        case Flag():
            return ("boolean", None, 0, None)
    raise AssertionError(ours)


def api_name(field: str) -> str:
    head, *tail = field.split("_")
    return head + "".join(part.title() for part in tail)


def test_the_table_has_every_member_of_aws_with_its_bounds() -> None:
    theirs = dict(model().operation_model("CreateImage").input_shape.members)
    del theirs["clientToken"]
    assert {api_name(name) for name in MEMBERS} == set(theirs)
    told = [
        line for name, ours in MEMBERS.items() for line in differences(name, ours, theirs[api_name(name)])
    ]
    assert told == []


def test_aws_requires_what_we_require() -> None:
    required = model().operation_model("CreateImage").input_shape.required_members
    assert set(required) == {"infrastructureConfigurationArn", "clientToken"}


def test_fields_are_the_members() -> None:
    assert tuple(ImageRequest.__dataclass_fields__) == FIELDS


# -- one rule, one test --------------------------------------------------------------------------------------

RULES: dict[str, tuple[dict[str, Any], str, str]] = {
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
        asked(container_recipe_arn=f"{HERE}container-recipe/golden/1.0.0"),
        "image_recipe_arn and container_recipe_arn",
        "exactly one of the two; leave one out",
    ),
    "a container recipe where an image recipe belongs": (
        asked(image_recipe_arn=f"{HERE}container-recipe/golden/1.0.0"),
        "image_recipe_arn",
        "this is a container recipe: give it as container_recipe_arn",
    ),
    "an image recipe where a container recipe belongs": (
        asked(image_recipe_arn=None, container_recipe_arn=f"{HERE}image-recipe/golden/1.0.0"),
        "container_recipe_arn",
        "this is an image recipe: give it as image_recipe_arn",
    ),
    "a distribution where the infrastructure belongs": (
        asked(infrastructure_configuration_arn=f"{HERE}distribution-configuration/golden"),
        "infrastructure_configuration_arn",
        "give it as distribution_configuration_arn",
    ),
    "an upper-case name": (
        asked(image_recipe_arn=f"{HERE}image-recipe/Golden/1.0.0"),
        "image_recipe_arn",
        f"write '{HERE}image-recipe/golden/1.0.0'",
    ),
    "a wildcard that is not rightmost": (
        asked(image_recipe_arn=f"{HERE}image-recipe/golden/x.2.x"),
        "image_recipe_arn",
        "x may only stand rightmost",
    ),
    "a version number that is too large": (
        asked(image_recipe_arn=f"{HERE}image-recipe/golden/1.{2**30}.0"),
        "image_recipe_arn",
        "at most 1073741823",
    ),
    "workflows without a role": (
        asked(workflows=[Workflow(BUILD)]),
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
    "onFailure in lower case": (
        with_workflows(Workflow(TEST, on_failure="continue")),
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
    "workflows that are no list": (
        with_workflows() | {"workflows": Workflow(TEST)},
        "workflows",
        "make it a list",
    ),
    "a parameter value that is no list": (
        with_workflows(Workflow(TEST, parameters={"kernel": "6.1"})),
        "workflows[0].parameters['kernel']",
        "make it a list: ['6.1']",
    ),
    "a parameter value that is no string": (
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
    "a parameter that is given twice": (
        with_workflows(
            {"workflowArn": TEST, "parameters": [{"name": "a", "value": []}, {"name": "a", "value": []}]}
        ),
        "workflows[0].parameters",
        "put its values into one list",
    ),
    "an instance profile as role": (
        asked(execution_role="arn:aws:iam::123456789012:instance-profile/builder"),
        "execution_role",
        "instance profile, which belongs to the infrastructure configuration",
    ),
    "an assumed role as role": (
        asked(execution_role="arn:aws:sts::123456789012:assumed-role/builder/me"),
        "execution_role",
        "session of an assumed role",
    ),
    "a role with a space": (
        asked(execution_role="my role"),
        "execution_role",
        "take out ' '",
    ),
    "a user as role": (
        asked(execution_role="arn:aws:iam::123456789012:user/me"),
        "execution_role",
        "arn:<partition>:iam::<account>:role/<name>",
    ),
    "a role name that is too long": (
        asked(execution_role="r" * 2049),
        "execution_role",
        "1 too many",
    ),
    "a log group outside Image Builder's without a role": (
        asked(logging_configuration={"logGroupName": "/team/images"}),
        "execution_role",
        "give a role that may write to '/team/images'",
    ),
    "a log group's ARN": (
        asked(logging_configuration={"logGroupName": "arn:aws:logs:us-east-1:123456789012:log-group:x"})
        | {"execution_role": "r"},
        "logging_configuration.logGroupName",
        "name alone",
    ),
    "a log group with a wrong character": (
        asked(logging_configuration={"logGroupName": "/aws/imagebuilder/golden*"}),
        "logging_configuration.logGroupName",
        "take out '*'",
    ),
    "a log group that is too long": (
        asked(logging_configuration={"logGroupName": "/aws/imagebuilder/" + "g" * 500}),
        "logging_configuration.logGroupName",
        "6 too many",
    ),
    "a scan without tests": (
        asked(
            image_scanning_configuration={"imageScanningEnabled": True},
            image_tests_configuration={"imageTestsEnabled": False},
        ),
        "image_tests_configuration.imageTestsEnabled",
        "turn them on, or the scan off",
    ),
    "two scan types": (
        asked(
            image_scanning_configuration={"imageScanningTypes": ["TEST_INSTANCE_CVE", "ON_DEMAND_AMI_CVE"]}
        ),
        "image_scanning_configuration.imageScanningTypes",
        "a list of one scan type; take out 1",
    ),
    "an unknown scan type": (
        asked(image_scanning_configuration={"imageScanningTypes": ["on_demand_ami_cve"]}),
        "image_scanning_configuration.imageScanningTypes[0]",
        "did you mean 'ON_DEMAND_AMI_CVE'?",
    ),
    "a scan of the AMI of a container": (
        asked(
            image_recipe_arn=None,
            container_recipe_arn=f"{HERE}container-recipe/golden/1.0.0",
            image_scanning_configuration={"imageScanningTypes": ["ON_DEMAND_AMI_CVE"]},
        ),
        "image_scanning_configuration.imageScanningTypes",
        "scans what an image recipe makes",
    ),
    "a scan condition without the scan that it needs": (
        asked(image_scanning_configuration={"scanResultCondition": {"maximumSeverityLabel": "HIGH"}}),
        "image_scanning_configuration.scanResultCondition",
        "set with imageScanningTypes ['ON_DEMAND_AMI_CVE'] only",
    ),
    "a scan condition without its severity": (
        asked(
            image_scanning_configuration={
                "imageScanningTypes": ["ON_DEMAND_AMI_CVE"],
                "scanResultCondition": {"fixAvailable": False},
            }
        ),
        "image_scanning_configuration.scanResultCondition.maximumSeverityLabel",
        "not given; allowed: INFORMATIONAL, LOW, MEDIUM or HIGH",
    ),
    "a scan condition of the severity that always fails": (
        asked(
            image_scanning_configuration={
                "imageScanningTypes": ["ON_DEMAND_AMI_CVE"],
                "scanResultCondition": {"maximumSeverityLabel": "CRITICAL"},
            }
        ),
        "image_scanning_configuration.scanResultCondition.maximumSeverityLabel",
        "got 'CRITICAL'; allowed: INFORMATIONAL, LOW, MEDIUM or HIGH",
    ),
    "a test timeout below an hour": (
        asked(image_tests_configuration={"timeoutMinutes": 59}),
        "image_tests_configuration.timeoutMinutes",
        "60 to 1440",
    ),
    "a test timeout above a day": (
        asked(image_tests_configuration={"timeoutMinutes": "1441"}),
        "image_tests_configuration.timeoutMinutes",
        "60 to 1440",
    ),
    "a test timeout that is no number": (
        asked(image_tests_configuration={"timeoutMinutes": True}),
        "image_tests_configuration.timeoutMinutes",
        "whole number",
    ),
    "a snake-case member inside a structure": (
        asked(image_tests_configuration={"image_tests_enabled": True}),
        "image_tests_configuration.image_tests_enabled",
        "did you mean imageTestsEnabled?",
    ),
    "a structure that is no mapping": (
        asked(image_tests_configuration=True),
        "image_tests_configuration",
        "make it a mapping",
    ),
    "a flag that is none": (
        asked(enhanced_image_metadata_enabled="yes"),
        "enhanced_image_metadata_enabled",
        "got 'yes'; allowed: True or False",
    ),
    "a repository with its registry": (
        asked(
            image_scanning_configuration={
                "ecrConfiguration": {"repositoryName": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b"}
            }
        ),
        "image_scanning_configuration.ecrConfiguration.repositoryName",
        "without the registry: 'a/b'",
    ),
    "an empty container tag": (
        asked(image_scanning_configuration={"ecrConfiguration": {"containerTags": [""]}}),
        "image_scanning_configuration.ecrConfiguration.containerTags[0]",
        "it is empty",
    ),
    "a list with nothing at a place": (
        asked(image_scanning_configuration={"ecrConfiguration": {"containerTags": ["a", None]}}),
        "image_scanning_configuration.ecrConfiguration.containerTags[1]",
        "not given",
    ),
    "an empty tags map": (asked(tags={}), "tags", "got {}; allowed: 1 to 50 tags; the mapping is empty"),
    "51 tags": (
        asked(tags={f"t{n}": "" for n in range(51)}),
        "tags",
        "got '51 entries'; allowed: 1 to 50 tags; take",
    ),
    "tags that are no mapping": (asked(tags=["a"]), "tags", "make it a mapping"),
    "a tag key of AWS": (asked(tags={"aws:x": "a"}), "tags['aws:x']", "belong to AWS"),
    "an empty tag key": (asked(tags={"": "a"}), "tags['']", "it is empty"),
    "a tag key with a wrong character": (asked(tags={"a*b": "c"}), "tags['a*b']", "take out '*'"),
    "a tag key that is a template, which nobody renders": (
        asked(tags={"a{{": "c"}),
        "tags['a{{']",
        "take out '{'",
    ),
    "a tag key that is too long": (asked(tags={"k" * 129: "a"}), f"tags['{'k' * 129}']", "1 too many"),
    "a tag value that is too long": (asked(tags={"k": "v" * 257}), "tags['k']", "1 too many"),
    "a tag value that is no string": (asked(tags={"k": 5}), "tags['k']", "write it as text: '5'"),
    "a tag without a key": (asked(tags={None: "a"}), "tags[None]", "not given"),
    "two regions": (
        asked(
            infrastructure_configuration_arn=LEAST["infrastructure_configuration_arn"].replace("us-", "eu-")
        ),
        "infrastructure_configuration_arn and image_recipe_arn",
        "allowed: ARNs of one region; Image Builder builds in one region",
    ),
    "a distribution configuration of another region": (
        asked(
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
    "an ARN that a template rendered of None": (
        asked(distribution_configuration_arn="None"),
        "distribution_configuration_arn",
        "write {{ ... or '' }}",
    ),
    "a role that a template rendered of None": (
        asked(execution_role="None"),
        "execution_role",
        "write {{ ... or '' }}",
    ),
    "a client token": (asked(client_token="t"), "client_token", "a stable one"),
    "a dry run": (asked(dryRun=True), "dryRun", "CreateImage has no dry run"),
    "a member by the name of the API": (
        asked(executionRole="r"),
        "executionRole",
        "did you mean execution_role?",
    ),
    "a member that nobody knows": (asked(colour="red"), "colour", "leave it out"),
}


@pytest.mark.parametrize(("fields", "field", "told"), RULES.values(), ids=RULES)
def test_refused(fields: dict[str, Any], field: str, told: str) -> None:
    fault = one_fault(fields)
    assert fault.field == field
    assert told in str(fault)


def test_all_faults_are_told_together() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        ImageRequest(
            image_recipe_arn=f"{HERE}container-recipe/golden/1.0.0",
            workflows=[Workflow(BUILD, parallel_group="g" * 101), {"workflowArn": TEST, "onFailure": "x"}],
            tags={},
        )
    assert [fault.field for fault in caught.value.faults] == [
        "image_recipe_arn",
        "workflows[0].parallel_group",
        "workflows[1].onFailure",
        "tags",
        "infrastructure_configuration_arn",
        "execution_role",
        "workflows[0].parallel_group",
    ]
    assert str(caught.value).count("\n  - ") == 7


# -- what AWS allows -----------------------------------------------------------------------------------------

ALLOWED: dict[str, dict[str, Any]] = {
    "the least": LEAST,
    "everything": EVERYTHING,
    "a container": asked(image_recipe_arn=None, container_recipe_arn=f"{HERE}container-recipe/golden/x.x.x"),
    "the newest recipe": asked(image_recipe_arn=f"{HERE}image-recipe/golden/1.x.x"),
    "China": asked(
        image_recipe_arn="arn:aws-cn:imagebuilder:cn-north-1:123456789012:image-recipe/golden/1.0.0",
        infrastructure_configuration_arn="arn:aws-cn:imagebuilder:cn-north-1:123456789012:infrastructure-configuration/g",
    ),
    "an isolated partition": asked(
        image_recipe_arn="arn:aws-iso-b:imagebuilder:us-isob-east-1:123456789012:image-recipe/golden/1.0.0",
        infrastructure_configuration_arn=(
            "arn:aws-iso-b:imagebuilder:us-isob-east-1:123456789012:infrastructure-configuration/g"
        ),
    ),
    "only a build workflow": with_workflows(Workflow(BUILD)),
    "ten workflows": with_workflows(Workflow(BUILD), *[Workflow(TEST)] * 8, Workflow(SEND)),
    "eight tests in one group": with_workflows(*[Workflow(TEST, parallel_group="all")] * 8),
    "a group name of 100 odd characters": with_workflows(
        Workflow(TEST, parallel_group="9" + "-_+#" * 24 + "abc")
    ),
    "an empty parameter value": with_workflows(Workflow(TEST, parameters={"a": [""], "b": []})),
    "an own workflow by wildcard": with_workflows(Workflow(f"{HERE}workflow/test/boot/1.x.x")),
    "a workflow of GovCloud": with_workflows(
        Workflow("arn:aws-us-gov:imagebuilder:us-gov-west-1:aws:workflow/build/build-image/x.x.x"),
        image_recipe_arn="arn:aws-us-gov:imagebuilder:us-gov-west-1:123456789012:image-recipe/golden/1.0.0",
        infrastructure_configuration_arn=(
            "arn:aws-us-gov:imagebuilder:us-gov-west-1:123456789012:infrastructure-configuration/golden"
        ),
    ),
    "resources of several accounts in one region": asked(
        image_recipe_arn="arn:aws:imagebuilder:us-east-1:999999999999:image-recipe/golden/1.0.0"
    ),
    "members that a form left empty": asked(
        container_recipe_arn="",
        distribution_configuration_arn=" ",
        execution_role="",
        tags="",
        workflows="",
        enhanced_image_metadata_enabled="",
        logging_configuration="",
        image_tests_configuration={"timeoutMinutes": "", "imageTestsEnabled": ""},
        image_scanning_configuration={"imageScanningTypes": "", "scanResultCondition": ""},
    ),
    "onFailure that a form left empty": with_workflows(
        Workflow(BUILD), Workflow(TEST, on_failure=""), {"workflowArn": TEST, "onFailure": ""}
    ),
    "an empty log group": asked(logging_configuration={"logGroupName": ""}),
    "an empty list of workflows": asked(workflows=[]),
    "a role's ARN with a path": asked(execution_role="arn:aws-cn:iam::123456789012:role/service/builder"),
    "an own log group with a role": asked(
        logging_configuration={"logGroupName": "/team/images"}, execution_role="r"
    ),
    "empty structures": asked(image_tests_configuration={}, logging_configuration={}),
    "nothing inside of structures": asked(image_tests_configuration={"imageTestsEnabled": None}),
    "no tests": asked(image_tests_configuration={"imageTestsEnabled": False}),
    "a scan whose tests are left at AWS's default": asked(
        image_scanning_configuration={"imageScanningEnabled": True}
    ),
    "50 tags": asked(tags={f"t{n}": "v" * 256 for n in range(50)}),
    "tags of all allowed characters": asked(tags={"a b_.:/=+-@": "*"}),
}


@pytest.mark.parametrize("fields", ALLOWED.values(), ids=ALLOWED)
def test_allowed(fields: dict[str, Any]) -> None:
    assert faults_in(fields) == ()
    parameters = ImageRequest(**fields).to_api()
    shape = model().operation_model("CreateImage").input_shape
    report = ParamValidator().validate({**parameters, "clientToken": "t"}, shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("fields", ALLOWED.values(), ids=ALLOWED)
def test_there_and_back_again(fields: dict[str, Any]) -> None:
    request = ImageRequest(**fields)
    stored = json.loads(json.dumps(request.to_api()))
    assert ImageRequest.from_api(stored) == request
    assert pickle.loads(pickle.dumps(request)) == request


def test_members_that_came_after_the_oldest_botocore_are_allowed() -> None:
    scan = {
        "imageScanningEnabled": True,
        "imageScanningTypes": ["ON_DEMAND_AMI_CVE"],
        "scanResultCondition": {"maximumSeverityLabel": "MEDIUM", "fixAvailable": "false"},
    }
    sent = ImageRequest(**LEAST, image_scanning_configuration=scan).to_api()["imageScanningConfiguration"]
    assert sent == {**scan, "scanResultCondition": {"maximumSeverityLabel": "MEDIUM", "fixAvailable": False}}


def test_to_api_speaks_the_words_of_aws() -> None:
    assert ImageRequest(**EVERYTHING).to_api() == {
        "infrastructureConfigurationArn": EVERYTHING["infrastructure_configuration_arn"],
        "imageRecipeArn": EVERYTHING["image_recipe_arn"],
        "distributionConfigurationArn": EVERYTHING["distribution_configuration_arn"],
        "imageTestsConfiguration": EVERYTHING["image_tests_configuration"],
        "enhancedImageMetadataEnabled": False,
        "imageScanningConfiguration": EVERYTHING["image_scanning_configuration"],
        "workflows": [
            {"workflowArn": BUILD},
            {
                "workflowArn": TEST,
                "parameters": [{"name": "kernels", "value": ["6.1", ""]}, {"name": "none", "value": []}],
                "parallelGroup": "functional",
            },
            {"workflowArn": f"{MANAGED}/test/test-image/x.x.x", "onFailure": "CONTINUE"},
            {"workflowArn": SEND},
        ],
        "executionRole": "ImageBuilderExecution",
        "loggingConfiguration": {"logGroupName": "/aws/imagebuilder/golden"},
        "tags": {"team": "platform", "empty": ""},
    }


def test_workflows_are_workflows_however_they_were_given() -> None:
    request = ImageRequest(**EVERYTHING)
    assert [workflow.name for workflow in request.workflows] == ["golden-build", "boot", "test-image", "send"]
    assert isinstance(request.workflows, tuple)


def test_what_was_given_can_change_afterwards_without_harm() -> None:
    tags, tests = {"team": "platform"}, {"imageTestsEnabled": True}
    request = ImageRequest(**LEAST, tags=tags, image_tests_configuration=tests)
    tags["team"] = tests["imageTestsEnabled"] = ""  # type: ignore[assignment]
    request.to_api()["tags"]["team"] = "another"
    assert request.tags == {"team": "platform"}
    assert request.image_tests_configuration == {"imageTestsEnabled": True}


def test_texts_that_templates_render_become_what_aws_takes() -> None:
    request = ImageRequest(
        **LEAST,
        enhanced_image_metadata_enabled="False",
        image_tests_configuration={"imageTestsEnabled": "true", "timeoutMinutes": "720"},
    )
    assert request.enhanced_image_metadata_enabled is False
    assert request.image_tests_configuration == {"imageTestsEnabled": True, "timeoutMinutes": 720}


@pytest.mark.parametrize("mapping", [None, "x", 5, [], ..., {5: "x"}, {None: 1}])
def test_from_api_refuses_what_is_no_mapping_of_names(mapping: Any) -> None:
    with pytest.raises(InvalidRequestError):
        ImageRequest.from_api(mapping)


def test_a_misspelt_member_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        InvalidRequestError, match=r"(?s)ImageRequest\(.*image_receipe_arn: .*did you mean image_recipe"
    ):
        ImageRequest(image_receipe_arn="x")  # type: ignore[call-arg]
    with pytest.raises(InvalidRequestError, match=r"client_token: .*leave it out"):
        ImageRequest(**LEAST, client_token="x")  # type: ignore[call-arg]


def test_an_empty_text_is_kept_as_unset() -> None:
    request = ImageRequest(**LEAST, container_recipe_arn="", tags="", workflows="", execution_role=" ")
    assert request == ImageRequest(**LEAST)


def test_from_api_refuses_a_member_that_create_image_has_not() -> None:
    with pytest.raises(InvalidRequestError, match="clientToken: got 't'"):
        ImageRequest.from_api({**ImageRequest(**LEAST).to_api(), "clientToken": "t"})


def test_a_request_can_be_a_key() -> None:
    assert len({ImageRequest(**EVERYTHING), ImageRequest(**EVERYTHING), ImageRequest(**LEAST)}) == 2


# -- what is not known yet -----------------------------------------------------------------------------------

LATE = "{{ var.value.later }}"


class Output:
    """Stands for another task's output, which no Jinja renders."""


OUTPUT: Any = Output()

LATER: dict[str, dict[str, Any]] = {
    "the recipe": asked(image_recipe_arn=LATE),
    "both recipes, of which one will be empty": asked(image_recipe_arn=LATE, container_recipe_arn=LATE),
    "one recipe besides a known one": asked(container_recipe_arn=LATE),
    "all the workflows, without a role": asked(workflows=LATE),
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
    "the role": asked(workflows=[Workflow(BUILD)], execution_role=LATE),
    "a log group that may be outside": asked(logging_configuration={"logGroupName": LATE}),
    "the tests of a scanned image": asked(
        image_scanning_configuration={"imageScanningEnabled": True},
        image_tests_configuration={"imageTestsEnabled": LATE},
    ),
    "a whole structure": asked(
        image_scanning_configuration={"imageScanningEnabled": True}, image_tests_configuration=LATE
    ),
    "the scan type of a condition": asked(
        image_scanning_configuration={
            "imageScanningTypes": [LATE],
            "scanResultCondition": {"maximumSeverityLabel": "LOW"},
        }
    ),
    "all scan types of a condition": asked(
        image_scanning_configuration={
            "imageScanningTypes": LATE,
            "scanResultCondition": {"maximumSeverityLabel": LATE, "fixAvailable": LATE},
        }
    ),
    "a flag": asked(enhanced_image_metadata_enabled=LATE),
    "a number": asked(image_tests_configuration={"timeoutMinutes": LATE}),
    "all tags": asked(tags=LATE),
    "a tag": asked(tags={"commit": LATE}),
    "a statement": asked(image_recipe_arn="{% if params.x %}a{% else %}b{% endif %}"),
}


@pytest.mark.parametrize("fields", LATER.values(), ids=LATER)
def test_what_a_template_will_render_is_let_pass(fields: dict[str, Any]) -> None:
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
def test_another_task_s_output_is_let_pass_where_the_caller_knows_it(fields: dict[str, Any]) -> None:
    assert faults_in(swapped(fields), later=lambda value: value is OUTPUT) == ()
    assert faults_in(swapped(fields)) != ()


def test_what_is_known_is_checked_beside_what_is_not() -> None:
    fields = asked(
        image_recipe_arn=LATE,
        tags={"commit": LATE, "aws:x": "y"},
        workflows=[Workflow(BUILD), Workflow(BUILD), LATE, Workflow(LATE, on_failure="continue")],
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


# -- anything at all -----------------------------------------------------------------------------------------

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.just(LATE)
    | st.just(TEST),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["workflowArn", "parameters", "name", "value", "a"]), inner, max_size=4
        )
        | st.builds(Workflow, inner, parameters=inner, parallel_group=inner, on_failure=inner)
    ),
    max_leaves=8,
)


# In a fresh checkout the first text takes as long as Hypothesis needs for its table of characters.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), junk))
def test_whatever_is_given_is_either_taken_or_told_never_a_crash(fields: dict[str, Any]) -> None:
    faults = faults_in(fields)
    assert all(str(fault) for fault in faults)
    if faults:
        with pytest.raises(InvalidRequestError):
            ImageRequest(**fields)
    else:
        assert (
            ImageRequest.from_api(ImageRequest(**fields).to_api()).to_api() == ImageRequest(**fields).to_api()
        )


def test_importing_it_loads_neither_airflow_nor_botocore() -> None:
    code = (
        "import sys, airflow_imagebuilder.service.request.image_request;"
        "import airflow_imagebuilder.service.results.image;"
        "heavy = {'airflow', 'botocore', 'boto3', 'tenacity'};"
        "print(sorted({name.split('.')[0] for name in sys.modules} & heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
