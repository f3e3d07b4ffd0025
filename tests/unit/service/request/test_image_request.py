"""ImageRequest: what AWS takes, and the way to AWS's parameters and back."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Any

import pytest
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_imagebuilder.service.errors import InvalidRequestError
from airflow_imagebuilder.service.request import ImageRequest, Workflow
from airflow_imagebuilder.service.request.image_request import FIELDS, faults_in
from tests.support.aws_model import known, model
from tests.support.requests import (
    BUILD,
    EVERYTHING,
    HERE,
    LEAST,
    MANAGED,
    SEND,
    TEST,
    least,
    with_workflows,
)


def test_all_faults_are_reported_together() -> None:
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
    "a container": least(image_recipe_arn=None, container_recipe_arn=f"{HERE}container-recipe/golden/x.x.x"),
    "the newest recipe": least(image_recipe_arn=f"{HERE}image-recipe/golden/1.x.x"),
    "China": least(
        image_recipe_arn="arn:aws-cn:imagebuilder:cn-north-1:123456789012:image-recipe/golden/1.0.0",
        infrastructure_configuration_arn="arn:aws-cn:imagebuilder:cn-north-1:123456789012:infrastructure-configuration/g",
    ),
    "an isolated partition": least(
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
    "resources of several accounts in one region": least(
        image_recipe_arn="arn:aws:imagebuilder:us-east-1:999999999999:image-recipe/golden/1.0.0"
    ),
    "members that a form left empty": least(
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
        Workflow(BUILD),
        Workflow(TEST, on_failure=""),  # type: ignore[arg-type]
        {"workflowArn": TEST, "onFailure": ""},
    ),
    "an empty log group": least(logging_configuration={"logGroupName": ""}),
    "an empty list of workflows": least(workflows=[]),
    "a role's ARN with a path": least(execution_role="arn:aws-cn:iam::123456789012:role/service/builder"),
    "an own log group with a role": least(
        logging_configuration={"logGroupName": "/team/images"}, execution_role="r"
    ),
    "empty structures": least(image_tests_configuration={}, logging_configuration={}),
    "nothing inside of structures": least(image_tests_configuration={"imageTestsEnabled": None}),
    "no tests": least(image_tests_configuration={"imageTestsEnabled": False}),
    "a scan whose tests are left at AWS's default": least(
        image_scanning_configuration={"imageScanningEnabled": True}
    ),
    "50 tags": least(tags={f"t{n}": "v" * 256 for n in range(50)}),
    "tags of all allowed characters": least(tags={"a b_.:/=+-@": "*"}),
}


@pytest.mark.parametrize("fields", ALLOWED.values(), ids=ALLOWED)
def test_an_allowed_request_has_no_fault_and_botocore_takes_it(fields: dict[str, Any]) -> None:
    assert faults_in(fields) == ()
    parameters = ImageRequest(**fields).to_api()
    shape = model().operation_model("CreateImage").input_shape
    report = ParamValidator().validate(known(shape, {**parameters, "clientToken": "t"}), shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("fields", ALLOWED.values(), ids=ALLOWED)
def test_writing_and_reading_gives_the_same(fields: dict[str, Any]) -> None:
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


def test_to_api_uses_the_names_of_aws() -> None:
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
def test_from_api_refuses_a_value_that_is_not_a_mapping_of_names(mapping: Any) -> None:
    with pytest.raises(InvalidRequestError):
        ImageRequest.from_api(mapping)


def test_a_misspelt_member_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        InvalidRequestError, match=r"(?s)ImageRequest\(.*image_receipe_arn: .*did you mean image_recipe"
    ):
        ImageRequest(image_receipe_arn="x")  # type: ignore[call-arg]
    with pytest.raises(InvalidRequestError, match=r"client_token: .*leave it out"):
        ImageRequest(**LEAST, client_token="x")  # type: ignore[call-arg]


def test_an_empty_text_is_kept_as_unset() -> None:
    request = ImageRequest(**LEAST, container_recipe_arn="", tags="", workflows="", execution_role=" ")
    assert request == ImageRequest(**LEAST)


def test_from_api_refuses_a_member_that_create_image_does_not_have() -> None:
    with pytest.raises(InvalidRequestError, match="clientToken: got 't'"):
        ImageRequest.from_api({**ImageRequest(**LEAST).to_api(), "clientToken": "t"})


def test_a_request_can_be_a_key() -> None:
    assert len({ImageRequest(**EVERYTHING), ImageRequest(**EVERYTHING), ImageRequest(**LEAST)}) == 2


# -- anything at all -----------------------------------------------------------------------------------------

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.just("{{ var.value.later }}")
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
def test_any_members_are_either_taken_or_refused_with_faults(fields: dict[str, Any]) -> None:
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
