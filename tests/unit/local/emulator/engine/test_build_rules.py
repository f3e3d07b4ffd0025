from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError
from tests.support.aws_model import NO_WILDCARDS, has_wildcards_of_recipes
from tests.support.bench import HEAD, NAMES_OF_TESTS, Bench, image_request, workflow
from tests.support.documents import RUN

CONTAINER = f"{HEAD}container-recipe/golden-container/1.0.0"
BUILD = workflow("build", "golden-build")
MANAGED = "arn:aws:imagebuilder:us-east-1:aws:workflow/"


def _many() -> list[dict[str, Any]]:
    return [BUILD, *(workflow("test", name) for name in NAMES_OF_TESTS), workflow("test", "boot")]


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "two recipes": ({"containerRecipeArn": CONTAINER}, "InvalidParameterCombinationException", "Exactly one"),
    "no recipe": ({"imageRecipeArn": None}, "InvalidParameterCombinationException", "Exactly one"),
    "workflows without a role": (
        {"executionRole": None},
        "InvalidParameterCombinationException",
        "An execution role is required",
    ),
    "a log group elsewhere without a role": (
        {"workflows": None, "executionRole": None, "loggingConfiguration": {"logGroupName": "/mine"}},
        "InvalidParameterCombinationException",
        "log group outside",
    ),
    "a parallel group on a build workflow": (
        {"workflows": [{**BUILD, "parallelGroup": "a"}]},
        "InvalidParameterCombinationException",
        "only allowed for test workflows",
    ),
    "onFailure on a distribution workflow": (
        {
            "workflows": [
                {"workflowArn": f"{MANAGED}distribution/distribute-image/x.x.x", "onFailure": "ABORT"}
            ]
        },
        "InvalidParameterCombinationException",
        "only allowed for test workflows",
    ),
    "eleven workflows": ({"workflows": _many()}, "InvalidRequestException", "At most 10 workflows"),
    "two build workflows": ({"workflows": [BUILD, BUILD]}, "InvalidRequestException", "At most one BUILD"),
    "a pinned Amazon-managed workflow": (
        {"workflows": [{"workflowArn": f"{MANAGED}build/build-image/1.0.3/1"}]},
        "InvalidParameterValueException",
        "must have latest version",
    ),
    "a parameter that the workflow lacks": (
        {"workflows": [{**BUILD, "parameters": [{"name": "deep", "value": ["1"]}]}]},
        "InvalidParameterValueException",
        "no parameter deep",
    ),
    "scanning without tests": (
        {
            "imageScanningConfiguration": {"imageScanningEnabled": True},
            "imageTestsConfiguration": {"imageTestsEnabled": False},
        },
        "InvalidParameterCombinationException",
        "needs image tests",
    ),
    "an unknown recipe": (
        {"imageRecipeArn": f"{HEAD}image-recipe/nothing/1.0.0"},
        "ResourceNotFoundException",
        "image-recipe/nothing/1.0.0",
    ),
    "an unknown infrastructure configuration": (
        {"infrastructureConfigurationArn": f"{HEAD}infrastructure-configuration/nothing"},
        "ResourceNotFoundException",
        "infrastructure-configuration/nothing",
    ),
    "an unknown distribution configuration": (
        {"distributionConfigurationArn": f"{HEAD}distribution-configuration/nothing"},
        "ResourceNotFoundException",
        "distribution-configuration/nothing",
    ),
    "an unknown workflow": (
        {"workflows": [BUILD, workflow("test", "nothing")]},
        "ResourceNotFoundException",
        "workflow/test/nothing",
    ),
    "a recipe with an upper-case name": (
        {"imageRecipeArn": f"{HEAD}image-recipe/Golden/1.0.0"},
        "InvalidParameterValueException",
        "must match pattern",
    ),
    "a recipe of the wrong kind": (
        {"imageRecipeArn": CONTAINER},
        "InvalidParameterValueException",
        "must match pattern",
    ),
    "a group name of 101 characters": (
        {"workflows": [BUILD, workflow("test", "boot", parallelGroup="a" * 101)]},
        "InvalidParameterValueException",
        "parallelGroup",
    ),
    "an unknown onFailure": (
        {"workflows": [BUILD, workflow("test", "boot", onFailure="IGNORE")]},
        "InvalidParameterValueException",
        "CONTINUE, ABORT",
    ),
    "an empty map of tags": ({"tags": {}}, "InvalidParameterValueException", "at least 1"),
    "a tag key of AWS's own": ({"tags": {"aws:mine": "x"}}, "InvalidParameterValueException", "tags"),
    "a timeout of an hour too much": (
        {"imageTestsConfiguration": {"timeoutMinutes": 1441}},
        "InvalidParameterValueException",
        "at most 1440",
    ),
    "a member that does not exist": ({"recipe": "x"}, "InvalidRequestException", "recipe"),
}


@pytest.mark.parametrize(("over", "code", "text"), REFUSED.values(), ids=REFUSED)
def test_create_image_refuses(bench: Bench, over: dict[str, Any], code: str, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        bench.bake(**over)
    assert (caught.value.code, text in caught.value.message) == (code, True), caught.value
    assert bench.engine.state.images == {}


def test_a_pipeline_is_held_to_the_same_rules(bench: Bench) -> None:
    with pytest.raises(ApiError, match="An execution role is required"):
        bench.call("CreateImagePipeline", name="nightly", **image_request(executionRole=None))


def test_ten_workflows_in_all_are_accepted(bench: Bench) -> None:
    arn = bench.bake(workflows=_many()[:10])
    assert bench.finish(arn) == "AVAILABLE"


@pytest.mark.skipif(not has_wildcards_of_recipes(), reason=NO_WILDCARDS)
def test_a_wildcard_recipe_means_the_newest_version(bench: Bench) -> None:
    for version in ("1.9.0", "1.10.0"):
        bench.call("CreateImageRecipe", name="other", semanticVersion=version, parentImage="ami-1")
    arn = bench.bake(imageRecipeArn=f"{HEAD}image-recipe/other/x.x.x")
    assert arn == f"{HEAD}image/other/1.10.0/1"


@pytest.mark.skipif(has_wildcards_of_recipes(), reason="botocore's pattern of recipe ARNs has wildcards")
def test_a_wildcard_recipe_is_refused_as_the_model_does_not_have_it(bench: Bench) -> None:
    with pytest.raises(ApiError, match="imageRecipeArn"):
        bench.bake(imageRecipeArn=f"{HEAD}image-recipe/golden-al2023/x.x.x")


def test_a_required_parameter_of_a_workflow_must_be_given(bench: Bench) -> None:
    head = "parameters: [{name: depth, type: integer}]\n"
    arn = bench.create_workflow("deep", [f"{{name: Run, {RUN}}}"], head=head)
    with pytest.raises(ApiError, match="needs a value for depth"):
        bench.bake(workflows=[BUILD, {"workflowArn": arn}])


def test_a_dry_run_creates_nothing(bench: Bench) -> None:
    with pytest.raises(ApiError) as caught:
        bench.call(
            "CreateInfrastructureConfiguration", name="dry", instanceProfileName="profile", dryRun=True
        )
    assert caught.value.code == "DryRunOperationException"
    listed = bench.call("ListInfrastructureConfigurations")["infrastructureConfigurationSummaryList"]
    assert [summary["name"] for summary in listed] == ["golden-build"]


def test_an_operation_that_is_not_here_is_named(bench: Bench) -> None:
    with pytest.raises(ApiError, match="CreateLater: the local Image Builder does not have") as caught:
        bench.engine.call("CreateLater", {})
    assert caught.value.status == 501
