"""PipelineRequest: what is refused before StartImagePipelineExecution, and what is sent."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.errors import InvalidRequestError
from airflow_imagebuilder.service.request import ImageRequest, PipelineRequest
from airflow_imagebuilder.service.request.pipeline_request import PIPELINE_MEMBERS
from tests.support.arns import IMAGE, INFRASTRUCTURE, PIPELINE, PREFIX, RECIPE
from tests.support.aws_model import known, model, pattern_of
from tests.support.image_builder import FakeImageBuilder


def line(**members: Any) -> str:
    """Return the one line of the one fault."""
    with pytest.raises(InvalidRequestError) as error:
        PipelineRequest(**{"pipeline_arn": PIPELINE, **members})
    (fault,) = error.value.faults
    return str(fault)


@pytest.mark.parametrize(
    ("arn", "remedy"),
    [
        (RECIPE, "this is an image recipe: give a pipeline, or build without one"),
        (IMAGE, "this is an image, which is what a recipe makes"),
        (INFRASTRUCTURE, "this is an infrastructure configuration: give a pipeline"),
        ("golden", "give the whole ARN, not a name"),
        (f"{PIPELINE}/1.0.0", f"an image pipeline has no version: write {PIPELINE!r}"),
        (PIPELINE.upper().replace("ARN:AWS:IMAGEBUILDER", "arn:aws:imagebuilder"), "lower case"),
        (f" {PIPELINE}", "white space around it"),
        ("None", "a template renders a missing value"),
        (7, "give the ARN as text"),
    ],
)
def test_an_arn_that_is_not_a_pipelines_is_refused_with_what_it_is(arn: Any, remedy: str) -> None:
    refused = line(pipeline_arn=arn)
    assert refused.startswith("pipeline_arn: got ")
    assert "allowed: the ARN of an image pipeline" in refused
    assert remedy in refused


@pytest.mark.parametrize("missing", [None, "", " "])
def test_the_pipeline_is_required(missing: Any) -> None:
    assert line(pipeline_arn=missing).startswith("pipeline_arn: not given")


@pytest.mark.parametrize("tags", [{}, {"aws:a": "b"}, {"a": 7}, {str(n): "" for n in range(51)}])
def test_tags_have_the_bounds_of_an_images_tags(tags: Any) -> None:
    assert line(tags=tags).startswith("tags")


def test_a_pipeline_takes_no_members_of_create_image() -> None:
    refused = line(image_recipe_arn=RECIPE)
    assert refused.startswith("image_recipe_arn: got ")
    assert "a pipeline takes no overrides" in refused
    assert "UpdateImagePipeline" in refused
    assert "ImageBuilderCreateImageOperator" in refused


def test_all_faults_are_reported_together() -> None:
    with pytest.raises(InvalidRequestError) as error:
        PipelineRequest(pipeline_arn=RECIPE, tags={})
    assert [fault.field for fault in error.value.faults] == ["pipeline_arn", "tags"]


def test_a_misspelt_member_is_refused_with_the_one_that_was_meant() -> None:
    assert "did you mean pipeline_arn?" in line(image_pipeline_arn=PIPELINE)


def test_a_pipeline_given_as_a_recipe_is_refused_with_the_operator_that_starts_it() -> None:
    with pytest.raises(InvalidRequestError, match="start it with ImageBuilderStartPipelineOperator"):
        ImageRequest(image_recipe_arn=PIPELINE, infrastructure_configuration_arn=INFRASTRUCTURE)


def test_templates_are_left_until_they_are_rendered() -> None:
    late = "{{ params.pipeline }}"
    assert PipelineRequest(pipeline_arn=late).to_api() == {"imagePipelineArn": late}
    tagged = PipelineRequest(pipeline_arn=late, tags="{{ params.tags }}")
    assert tagged.to_api()["tags"] == "{{ params.tags }}"


@pytest.mark.parametrize("tags", [None, "", {"team": "platform"}])
def test_a_stored_request_is_read_back(tags: Any) -> None:
    request = PipelineRequest(pipeline_arn=PIPELINE, tags=tags)
    assert request.to_api() == {"imagePipelineArn": PIPELINE, **({"tags": tags} if tags else {})}
    assert PipelineRequest.from_api(request.to_api()) == request


def test_a_request_is_sent_by_its_own_operation() -> None:
    aws = FakeImageBuilder()
    aws.pipelines[PIPELINE] = {"imageRecipeArn": RECIPE}
    PipelineRequest(pipeline_arn=PIPELINE).send(aws, "one")
    ImageRequest(image_recipe_arn=RECIPE, infrastructure_configuration_arn=INFRASTRUCTURE).send(aws, "two")
    assert [(call.method, call.token) for call in aws.calls] == [
        ("start_pipeline", "one"),
        ("create_image", "two"),
    ]


def test_the_members_are_those_of_awss_model() -> None:
    shape = model().operation_model("StartImagePipelineExecution").input_shape
    ours = {"imagePipelineArn": PIPELINE, "tags": {"a": "b"}}
    assert set(shape.members) - {"clientToken"} == set(known(shape, ours))
    assert len(PIPELINE_MEMBERS) == len(ours)
    kind: Any = PIPELINE_MEMBERS["pipeline_arn"]
    assert kind.kind.pattern == pattern_of(shape.members["imagePipelineArn"])


def test_a_pipeline_of_another_account_of_the_region_is_taken() -> None:
    shared = PREFIX.replace("123456789012", "210987654321") + ":image-pipeline/theirs"
    assert PipelineRequest(pipeline_arn=shared).pipeline_arn == shared
