"""What AWS refuses, with its code and, where they are quoted in public, its words.

Sources: the issues of hashicorp/terraform-provider-aws (#17390, #36610, #40037), aws/aws-cdk (#29910,
#12882),
aws-ia/terraform-aws-ec2-image-builder (#106), boto/boto3 (#2224); AWS's skill for Image Builder; the image
handlers in
aws-cloudformation-resource-providers-imagebuilder; User Guide, "Semantic versioning", "Create a component".
"""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError, Recorder
from tests.support.bench import HEAD, Bench, image_request

COMPONENT = (
    "schemaVersion: 1.0\nphases: [{name: build, steps: "
    "[{name: Run, action: ExecuteBash, inputs: {commands: [%s]}}]}]\n"
)
PAUSE = "schemaVersion: 1.0\nsteps: [{name: Pause, action: WaitForAction}]\n"
NAMED = {"region": "us-east-1", "amiDistributionConfiguration": {"name": "own {{ imagebuilder:buildDate }}"}}


def refusal(bench: Bench, operation: str, **params: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        bench.call(operation, **params)
    return caught.value


def component(bench: Bench, command: str = "true", version: str = "1.0.0", **more: Any) -> str:
    made = bench.call(
        "CreateComponent",
        name="own",
        semanticVersion=version,
        platform="Linux",
        data=COMPONENT % command,
        **more,
    )
    return str(made["componentBuildVersionArn"])


def recipe(bench: Bench, version: str, **more: Any) -> str:
    made = bench.call(
        "CreateImageRecipe", name="own", semanticVersion=version, parentImage="ami-0123456789abcdef0", **more
    )
    return str(made["imageRecipeArn"])


def distribution(bench: Bench, *items: dict[str, Any]) -> str:
    made = bench.call("CreateDistributionConfiguration", name="own", distributions=list(items))
    return str(made["distributionConfigurationArn"])


# --- versions -------------------------------------------------------------------------------------------
def test_a_refused_document_uses_up_no_build(bench: Bench) -> None:
    request = {"name": "own-once", "semanticVersion": "1.0.0", "platform": "Linux"}
    refusal(bench, "CreateComponent", **request, data="name: own\n")
    made = bench.call("CreateComponent", **request, data=COMPONENT % "true")["componentBuildVersionArn"]
    assert made.endswith("component/own-once/1.0.0/1")


def test_a_changed_component_gets_the_next_build_and_an_identical_one_is_refused(bench: Bench) -> None:
    assert [component(bench, command)[-2:] for command in ("echo 1", "echo 2", "echo 3")] == [
        "/1",
        "/2",
        "/3",
    ]
    with pytest.raises(ApiError) as caught:
        component(bench, "echo 3")
    assert caught.value.code == "ResourceAlreadyExistsException"
    assert f"{HEAD}component/own/1.0.0/3" in caught.value.message
    assert component(bench, "echo 1").endswith("/4")
    assert component(bench, "echo 1", "1.0.1").endswith("/1.0.1/1")


def test_a_changed_workflow_gets_the_next_build_and_an_identical_one_is_refused(bench: Bench) -> None:
    given = {"name": "own", "semanticVersion": "1.0.0", "type": "TEST"}
    made = [bench.call("CreateWorkflow", data=PAUSE + note, **given) for note in ("", "# changed\n")]
    assert [answer["workflowBuildVersionArn"][-2:] for answer in made] == ["/1", "/2"]
    refused = refusal(bench, "CreateWorkflow", data=PAUSE + "# changed\n", **given)
    assert refused.code == "ResourceAlreadyExistsException"


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (["1.0.x"] * 3, ["1.0.0", "1.0.1", "1.0.2"]),
        (["1.0.5", "1.0.x"], ["1.0.5", "1.0.6"]),
        (["1.0.9", "1.0.10", "1.0.x"], ["1.0.9", "1.0.10", "1.0.11"]),
        (["1.3.7", "1.x.x"], ["1.3.7", "1.4.0"]),
        (["1.3.7", "x.x.x"], ["1.3.7", "2.0.0"]),
        (["2.0.0", "1.0.x"], ["2.0.0", "1.0.0"]),
    ],
)
def test_a_wildcard_counts_the_versions_of_a_recipe_up(
    bench: Bench, given: list[str], made: list[str]
) -> None:
    assert [recipe(bench, version).rsplit("/", maxsplit=1)[1] for version in given] == made


def test_a_recipe_of_the_same_version_is_refused(bench: Bench) -> None:
    recipe(bench, "1.0.0")
    with pytest.raises(ApiError) as caught:
        recipe(bench, "1.0.0", description="changed")
    assert caught.value.code == "ResourceAlreadyExistsException"


@pytest.mark.parametrize("version", ["x.2.x", "1.x.8", "x.x.1", "x.1.1", "1073741824.0.0", "0.0.99999999999"])
def test_misplaced_wildcards_and_large_numbers_are_refused(bench: Bench, version: str) -> None:
    with pytest.raises(ApiError) as caught:
        recipe(bench, version)
    assert caught.value.code == "InvalidVersionNumberException"


def test_the_largest_number_of_a_version_is_taken(bench: Bench) -> None:
    assert recipe(bench, "1073741823.0.0").endswith("/1073741823.0.0")


@pytest.mark.parametrize("operation", ["CreateComponent", "CreateWorkflow"])
def test_a_component_and_a_workflow_have_no_wildcards(bench: Bench, operation: str) -> None:
    more = {"platform": "Linux", "data": COMPONENT % "true"} if operation == "CreateComponent" else {}
    params = {"name": "own", "semanticVersion": "1.0.x", "type": "TEST", "data": PAUSE, **more}
    if operation == "CreateComponent":
        del params["type"]
    assert refusal(bench, operation, **params).code == "InvalidParameterValueException"


# --- dry runs -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("operation", "params", "code", "words"),
    [
        (
            "CreateWorkflow",
            {"name": "own", "semanticVersion": "1.0.0", "type": "TEST", "data": PAUSE},
            "DryRunOperationException",
            "Request would have succeeded",
        ),
        (
            "CreateComponent",
            {"name": "own", "semanticVersion": "1.0.0", "platform": "Linux", "data": COMPONENT % "true"},
            "DryRunOperationException",
            "Request would have succeeded",
        ),
        (
            "CreateWorkflow",
            {"name": "own", "semanticVersion": "1.0.0", "type": "TEST", "data": PAUSE.replace("Wait", "Wit")},
            "InvalidParameterValueException",
            "unknown action",
        ),
        (
            "CreateComponent",
            {"name": "own", "semanticVersion": "1.0.0", "platform": "Linux", "data": "phases: []"},
            "InvalidParameterValueException",
            "schemaVersion",
        ),
        (
            "CreateImagePipeline",
            {
                "name": "own",
                "imageRecipeArn": f"{HEAD}image-recipe/nothing/1.0.0",
                "infrastructureConfigurationArn": f"{HEAD}infrastructure-configuration/nothing",
            },
            "ResourceNotFoundException",
            "image-recipe/nothing",
        ),
    ],
    ids=["workflow", "component", "wrong workflow", "wrong component", "pipeline of nothing"],
)
def test_a_dry_run_answers_what_the_call_would(
    bench: Bench, operation: str, params: dict[str, Any], code: str, words: str
) -> None:
    refused = refusal(bench, operation, dryRun=True, **params)
    assert (refused.code, words in refused.message) == (code, True)
    assert not [arn for arn in bench.engine.state.resources if "/own" in arn]


@pytest.mark.parametrize("operation", ["CreateComponent", "CreateWorkflow"])
@pytest.mark.parametrize("both", [True, False])
def test_exactly_one_of_data_and_uri_is_given(bench: Bench, operation: str, both: bool) -> None:
    member = "platform" if operation == "CreateComponent" else "type"
    value = "Linux" if operation == "CreateComponent" else "TEST"
    document = {"data": PAUSE, "uri": "s3://bucket/key"} if both else {}
    refused = refusal(bench, operation, name="own", semanticVersion="1.0.0", **{member: value}, **document)
    assert refused.code == "InvalidParameterCombinationException"


# --- distributions --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("items", "words"),
    [
        (
            [{"region": "us-east-1"}],
            (
                "The value supplied for parameter 'distributions[0]' is not valid. One or more outputs "
                "should be provided for each region in a distribution configuration."
            ),
        ),
        (
            [NAMED, {"region": "eu-west-1"}],
            "The value supplied for parameter 'distributions[1]' is not valid.",
        ),
        (
            [{"region": "us-east-1", "amiDistributionConfiguration": {"name": "own fixed"}}],
            "{{ imagebuilder:buildDate }}",
        ),
        (
            [
                {
                    "region": "us-east-1",
                    "amiDistributionConfiguration": {"name": "own {{ imagebuilder:buildVersion }}"},
                }
            ],
            "The EC2 AMI name must contain '{{ imagebuilder:buildDate }}'",
        ),
        ([{**NAMED, "region": "us-east-9"}], "us-east-9"),
        ([NAMED, NAMED], "more than once"),
        (
            [
                {
                    "region": "us-east-1",
                    "amiDistributionConfiguration": {"launchPermission": {"userGroups": ["staff"]}},
                }
            ],
            "userGroups",
        ),
        (
            [
                {
                    **NAMED,
                    "ssmParameterConfigurations": [
                        {"parameterName": "/imagebuilder/own", "amiAccountId": "999999999999"}
                    ],
                }
            ],
            "is not a target account",
        ),
    ],
    ids=[
        "no output",
        "no output second",
        "fixed name",
        "name by build",
        "no such region",
        "region twice",
        "group",
        "account",
    ],
)
def test_a_distribution_that_aws_refuses_is_refused_when_it_is_created_or_changed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, items: list[dict[str, Any]], words: str
) -> None:
    monkeypatch.setattr(Recorder, "is_region", lambda _self, region: region != "us-east-9")
    refused = refusal(bench, "CreateDistributionConfiguration", name="own", distributions=items)
    assert (refused.code, words in refused.message) == ("InvalidParameterValueException", True)
    arn = distribution(bench, NAMED)
    refused = refusal(
        bench, "UpdateDistributionConfiguration", distributionConfigurationArn=arn, distributions=items
    )
    assert (refused.code, words in refused.message) == ("InvalidParameterValueException", True)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "own {{ imagebuilder:buildDate }}",
            "own {{imagebuilder:buildDate}}",
            "{{ imagebuilder:buildDate }}-own",
        ),
        *(
            "own {{imagebuilder:buildDate:yyyyMMHHss}}",
            "a.b_{{ imagebuilder:buildDate }}-{{ imagebuilder:buildVersion }}",
        ),
    ],
)
def test_every_form_of_the_build_date_is_taken(bench: Bench, name: str) -> None:
    item = {"region": "us-east-1", "amiDistributionConfiguration": {"name": name}}
    arn = bench.bake(distributionConfigurationArn=distribution(bench, item))
    assert bench.finish(arn) == "AVAILABLE"
    (ami,) = bench.world.of("ami")
    assert "{{" not in ami.data["name"]


def test_a_missing_launch_template_fails_the_image(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "has_launch_template", lambda _self, _region, _template: False)
    item = {
        "region": "us-east-1",
        "launchTemplateConfigurations": [{"launchTemplateId": "lt-0123456789abcdef0"}],
    }
    arn = bench.bake(distributionConfigurationArn=distribution(bench, item))
    assert bench.finish(arn) == "FAILED"
    (region,) = bench.image(arn)["state"]["failureContext"]["distributionFailure"]["regionFailures"]
    assert region["imageConfigurationStep"] == "UPDATE_LAUNCH_TEMPLATES"
    assert "lt-0123456789abcdef0" in region["errorMessage"]


# --- builds ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("operation", ["CreateImage", "CreateImagePipeline"])
def test_workflows_need_a_role(bench: Bench, operation: str) -> None:
    request = image_request(executionRole=None)
    if operation == "CreateImagePipeline":
        request["name"] = "own"
    assert (
        "An execution role is required to provide workflows" in refusal(bench, operation, **request).message
    )


def test_what_has_ended_cannot_be_cancelled_and_what_runs_cannot_be_deleted(bench: Bench) -> None:
    arn = bench.bake()
    assert refusal(bench, "DeleteImage", imageBuildVersionArn=arn).code == "ResourceDependencyException"
    bench.finish(arn)
    refused = refusal(bench, "CancelImageCreation", imageBuildVersionArn=arn)
    assert refused.code == "InvalidParameterValueException"
    assert bench.call("DeleteImage", imageBuildVersionArn=arn)
    for operation in ("GetImage", "DeleteImage", "CancelImageCreation", "RetryImage"):
        assert refusal(bench, operation, imageBuildVersionArn=arn).code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("operation", "member", "kind"),
    [
        ("DeleteImageRecipe", "imageRecipeArn", "imageRecipeArn"),
        (
            "DeleteInfrastructureConfiguration",
            "infrastructureConfigurationArn",
            "infrastructureConfigurationArn",
        ),
        ("DeleteDistributionConfiguration", "distributionConfigurationArn", "distributionConfigurationArn"),
    ],
)
def test_what_a_pipeline_needs_cannot_be_deleted(
    bench: Bench, operation: str, member: str, kind: str
) -> None:
    request = image_request()
    bench.call("CreateImagePipeline", name="own", **request)
    refused = refusal(bench, operation, **{member: request[kind]})
    assert refused.code == "ResourceDependencyException"
    assert refused.message == (
        f"Resource dependency error: The resource ARN '{request[kind]}' has other resources depended on it."
    )


def test_a_component_of_a_recipe_cannot_be_deleted(bench: Bench) -> None:
    arn = component(bench)
    recipe(bench, "1.0.0", components=[{"componentArn": arn}])
    refused = refusal(bench, "DeleteComponent", componentBuildVersionArn=arn)
    assert refused.code == "ResourceDependencyException"


def test_the_parameters_of_a_component_are_checked(bench: Bench) -> None:
    data = (
        COMPONENT % "true"
    ) + "parameters: [{Level: {type: string}}, {Mode: {type: string, default: fast}}]\n"
    made = bench.call("CreateComponent", name="own", semanticVersion="1.0.0", platform="Linux", data=data)
    arn = made["componentBuildVersionArn"]

    def given(*names: str) -> list[dict[str, Any]]:
        return [{"componentArn": arn, "parameters": [{"name": name, "value": ["x"]} for name in names]}]

    with pytest.raises(ApiError) as caught:
        recipe(bench, "1.0.0", components=given("Level", "S3BucketName"))
    assert caught.value.code == "InvalidParameterCombinationException"
    assert caught.value.message == (
        "The value supplied for parameter 'components[0].parameters' is not valid. The following "
        "parameters are not defined in the provided component: S3BucketName"
    )
    with pytest.raises(ApiError, match="Level"):
        recipe(bench, "1.0.0", components=[{"componentArn": arn}])
    assert recipe(bench, "1.0.0", components=given("Level"))


def test_a_component_is_in_a_recipe_once(bench: Bench) -> None:
    arn = component(bench)
    with pytest.raises(ApiError, match="more than once"):
        recipe(bench, "1.0.0", components=[{"componentArn": arn}] * 2)


@pytest.mark.parametrize(
    ("supported", "parent", "taken"),
    [
        (["Amazon Linux"], "amazon-linux-2023-x86", True),
        (["Ubuntu", "Amazon Linux 2"], "amazon-linux-2-x86", True),
        (["Amazon Linux 2"], "ubuntu-server-22-lts-x86", False),
        (["SLES 15"], "suse-linux-enterprise-server-15-x86", True),
        (["SUSE 15"], "suse-linux-enterprise-server-15-x86", True),
        (["Ubuntu 22"], None, True),
    ],
)
def test_a_component_is_for_the_systems_that_it_supports(
    bench: Bench, supported: list[str], parent: str | None, taken: bool
) -> None:
    arn = component(bench, supportedOsVersions=supported)
    image = f"arn:aws:imagebuilder:us-east-1:aws:image/{parent}/x.x.x" if parent else "ami-0123456789abcdef0"
    params: dict[str, Any] = {
        "name": "own",
        "semanticVersion": "1.0.0",
        "parentImage": image,
        "components": [{"componentArn": arn}],
    }
    if taken:
        assert bench.call("CreateImageRecipe", **params)
    else:
        assert refusal(bench, "CreateImageRecipe", **params).code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("ListComponentBuildVersions", {"componentVersionArn": f"{HEAD}component/own/1.0.0/1"}),
        (
            "GetComponent",
            {"componentBuildVersionArn": "arn:aws:imagebuilder:us-east-1:aws:component/python-3-linux"},
        ),
        ("GetImage", {"imageBuildVersionArn": "image/own"}),
    ],
)
def test_an_arn_of_another_form_is_refused_with_its_pattern(operation: str, params: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        Bench().call(operation, **params)
    ((member, _),) = params.items()
    assert caught.value.code == "InvalidParameterValueException"
    assert f"The value supplied for parameter '{member}' is not valid." in caught.value.message
    assert "must match pattern ^arn:" in caught.value.message


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("arn:aws:ec2:us-east-1::image/ami-0123456789abcdef0", "ARN of an AMI"),
        ("arn:aws:imagebuilder:us-east-1:123456789012:image/nothing/1.0.0", "does not exist"),
    ],
)
def test_a_wrong_parent_is_refused(bench: Bench, image: str, words: str) -> None:
    params = {"name": "own", "semanticVersion": "1.0.0", "parentImage": image}
    assert words in refusal(bench, "CreateImageRecipe", **params).message
