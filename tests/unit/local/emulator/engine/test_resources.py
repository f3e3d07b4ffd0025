from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError
from tests.support.aws_model import NO_WILDCARDS, has_wildcards_of_recipes
from tests.support.bench import HEAD, Bench, image_request
from tests.support.documents import COMPONENT, WORKFLOW

#: Per noun: request members, member with the ARN, member of Get's answer, list operation and its member.
KINDS: dict[str, tuple[dict[str, Any], str, str, str, str]] = {
    "Component": (
        {
            "semanticVersion": "1.0.0",
            "platform": "Linux",
            "data": COMPONENT,
        },
        "componentBuildVersionArn",
        "component",
        "ListComponents",
        "componentVersionList",
    ),
    "Workflow": (
        {"semanticVersion": "1.0.0", "type": "TEST", "data": WORKFLOW},
        "workflowBuildVersionArn",
        "workflow",
        "ListWorkflows",
        "workflowVersionList",
    ),
    "ImageRecipe": (
        {"semanticVersion": "1.0.0", "parentImage": "ami-1"},
        "imageRecipeArn",
        "imageRecipe",
        "ListImageRecipes",
        "imageRecipeSummaryList",
    ),
    "ContainerRecipe": (
        {
            "semanticVersion": "1.0.0",
            "parentImage": "x:1",
            "containerType": "DOCKER",
            "targetRepository": {"service": "ECR", "repositoryName": "x"},
        },
        "containerRecipeArn",
        "containerRecipe",
        "ListContainerRecipes",
        "containerRecipeSummaryList",
    ),
    "InfrastructureConfiguration": (
        {"instanceProfileName": "profile"},
        "infrastructureConfigurationArn",
        "infrastructureConfiguration",
        "ListInfrastructureConfigurations",
        "infrastructureConfigurationSummaryList",
    ),
    "DistributionConfiguration": (
        {"distributions": [{"region": "eu-west-1", "amiDistributionConfiguration": {}}]},
        "distributionConfigurationArn",
        "distributionConfiguration",
        "ListDistributionConfigurations",
        "distributionConfigurationSummaryList",
    ),
    "ImagePipeline": (
        image_request(),
        "imagePipelineArn",
        "imagePipeline",
        "ListImagePipelines",
        "imagePipelineList",
    ),
}


@pytest.mark.parametrize("noun", KINDS)
def test_a_document_is_created_read_listed_tagged_and_deleted(bench: Bench, noun: str) -> None:
    params, member, body, lists, key = KINDS[noun]
    arn = bench.call(f"Create{noun}", name="My Thing_1", tags={"a": "1"}, **params)[member]
    assert "/my-thing-1" in arn
    shown = bench.call(f"Get{noun}", **{member: arn})[body]
    assert (shown["arn"], shown["name"], shown["tags"]) == (arn, "My Thing_1", {"a": "1"})
    bench.call("TagResource", resourceArn=arn, tags={"b": "2"})
    bench.call("UntagResource", resourceArn=arn, tagKeys=["a"])
    assert bench.call("ListTagsForResource", resourceArn=arn) == {"tags": {"b": "2"}}
    named = [summary["arn"] for summary in bench.call(lists)[key] if summary["name"] == "My Thing_1"]
    assert len(named) == 1
    assert arn.startswith(named[0])
    with pytest.raises(ApiError) as caught:
        bench.call(f"Create{noun}", name="my thing 1", **params)
    assert caught.value.code == "ResourceAlreadyExistsException"
    bench.call(f"Delete{noun}", **{member: arn})
    with pytest.raises(ApiError, match="does not exist"):
        bench.call(f"Get{noun}", **{member: arn})


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("TagResource", {"tags": {"a": "b"}}),
        ("UntagResource", {"tagKeys": ["team"]}),
        ("ListTagsForResource", {}),
    ],
)
def test_the_tags_of_another_region_cannot_be_reached(
    bench: Bench, operation: str, more: dict[str, Any]
) -> None:
    recipe = f"{HEAD}image-recipe/golden-al2023/1.0.0"
    for arn in (recipe, bench.bake(tags={"team": "platform"})):
        with pytest.raises(ApiError) as caught:
            bench.call(operation, region="eu-west-1", resourceArn=arn, **more)
        assert caught.value.code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "noun",
    [
        "Component",
        "Workflow",
        *(
            pytest.param(noun, marks=pytest.mark.skipif(not has_wildcards_of_recipes(), reason=NO_WILDCARDS))
            for noun in ("ImageRecipe", "ContainerRecipe")
        ),
    ],
)
def test_a_new_version_is_another_document_and_wildcards_mean_the_newest(bench: Bench, noun: str) -> None:
    params, member, body, _, _ = KINDS[noun]
    versions = ("1.2.0", "1.10.0", "2.0.0")
    arns = [
        bench.call(f"Create{noun}", name="thing", **{**params, "semanticVersion": version})[member]
        for version in versions
    ]
    stem = arns[0].split("/1.2.0")[0]
    wanted = {"1.x.x": arns[1], "x.x.x": arns[2], "1.2.0": arns[0]}
    for version, arn in wanted.items():
        assert bench.call(f"Get{noun}", **{member: f"{stem}/{version}"})[body]["arn"] == arn


def test_build_versions_of_a_workflow_are_listed(bench: Bench) -> None:
    version = f"{HEAD}workflow/test/boot/1.0.0"
    listed = bench.call("ListWorkflowBuildVersions", workflowVersionArn=version)["workflowSummaryList"]
    assert [summary["arn"] for summary in listed] == [f"{version}/1"]


def test_amazons_workflows_are_in_every_region_and_only_in_amazons_list(bench: Bench) -> None:
    for region in ("us-east-1", "ap-southeast-2"):
        listed = bench.call("ListWorkflows", region=region, owner="Amazon")["workflowVersionList"]
        names = {summary["name"] for summary in listed}
        assert {"build-image", "test-image", "distribute-image", "build-container"} <= names
        assert all(f":{region}:aws:workflow/" in summary["arn"] for summary in listed)
    own = {summary["name"] for summary in bench.call("ListWorkflows")["workflowVersionList"]}
    assert "build-image" not in own


def test_what_a_pipeline_needs_cannot_be_deleted(bench: Bench) -> None:
    bench.call("CreateImagePipeline", name="nightly", **image_request())
    arn = f"{HEAD}image-recipe/golden-al2023/1.0.0"
    with pytest.raises(ApiError, match="has other resources depended on it") as caught:
        bench.call("DeleteImageRecipe", imageRecipeArn=arn)
    assert caught.value.code == "ResourceDependencyException"


def test_an_update_replaces_what_was_there(bench: Bench) -> None:
    arn = f"{HEAD}infrastructure-configuration/golden-build"
    bench.call(
        "UpdateInfrastructureConfiguration", infrastructureConfigurationArn=arn, instanceProfileName="other"
    )
    shown = bench.call("GetInfrastructureConfiguration", infrastructureConfigurationArn=arn)
    configuration = shown["infrastructureConfiguration"]
    assert configuration["instanceProfileName"] == "other"
    assert "instanceTypes" not in configuration


def test_an_image_keeps_the_configuration_that_it_was_started_with(bench: Bench) -> None:
    arn = bench.bake()
    bench.call(
        "UpdateDistributionConfiguration",
        distributionConfigurationArn=f"{HEAD}distribution-configuration/golden-two-regions",
        distributions=[{"region": "us-west-2", "amiDistributionConfiguration": {}}],
    )
    bench.finish(arn)
    assert {a["region"] for a in bench.image(arn)["outputResources"]["amis"]} == {"us-east-1", "eu-west-1"}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("steps: [", "not YAML"),
        ("schemaVersion: 2.0\nsteps: []", "schemaVersion"),
        ("schemaVersion: 1.0\nsteps: []", "at least one step"),
        ("schemaVersion: 1.0\nsteps: [{name: Run, action: Dance}]", "unknown action 'Dance'"),
        ("schemaVersion: 1.0\nsteps: [{name: 1x, action: RunCommand}]", "The name of a step"),
    ],
    ids=["broken YAML", "another schema", "no steps", "an unknown action", "a bad name"],
)
def test_a_broken_workflow_document_is_refused(bench: Bench, data: str, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        bench.call("CreateWorkflow", name="broken", semanticVersion="1.0.0", type="TEST", data=data)
    assert text in caught.value.message


def test_an_unknown_filter_is_refused_with_the_list_of_known_ones(bench: Bench) -> None:
    with pytest.raises(ApiError, match="description, name, type, version"):
        bench.call("ListWorkflows", filters=[{"name": "colour", "values": ["red"]}])


def test_a_filter_on_the_type_of_workflow_lets_only_those_through(bench: Bench) -> None:
    listed = bench.call("ListWorkflows", filters=[{"name": "type", "values": ["BUILD"]}])
    assert [summary["name"] for summary in listed["workflowVersionList"]] == ["golden-build"]


def test_an_unknown_arn_has_no_tags(bench: Bench) -> None:
    with pytest.raises(ApiError) as caught:
        bench.call("ListTagsForResource", resourceArn=f"{HEAD}image-pipeline/nothing")
    assert (caught.value.code, caught.value.status) == ("ResourceNotFoundException", 404)
