"""ARN kinds: AWS's patterns, the faults of wrong ARNs, and reading and writing."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_imagebuilder.service.arns.arns import (
    Arn,
    ComponentArn,
    ContainerRecipeArn,
    DistributionConfigurationArn,
    ImageBuildVersionArn,
    ImagePipelineArn,
    ImageRecipeArn,
    ImageVersionArn,
    InfrastructureConfigurationArn,
    WorkflowArn,
)
from airflow_imagebuilder.service.arns.grammar import image_version_in, region_in
from airflow_imagebuilder.service.arns.hints import fault_in_arn
from airflow_imagebuilder.service.errors import InvalidRequestError
from tests.support.aws_model import model, pattern_of

HERE = "arn:aws:imagebuilder:us-east-1:123456789012:"

SHAPES: dict[type[Arn], str] = {
    InfrastructureConfigurationArn: "InfrastructureConfigurationArn",
    DistributionConfigurationArn: "DistributionConfigurationArn",
    ImagePipelineArn: "ImagePipelineArn",
    ImageRecipeArn: "ImageRecipeArn",
    ContainerRecipeArn: "ContainerRecipeArn",
    ImageBuildVersionArn: "ImageBuildVersionArn",
    ComponentArn: "ComponentVersionArnOrBuildVersionArn",
    WorkflowArn: "WorkflowVersionArnOrBuildVersionArn",
}
KINDS: list[type[Arn]] = [*SHAPES, ImageVersionArn]


def pattern(shape: str) -> str:
    return str(pattern_of(model().shape_for(shape)))


@pytest.mark.parametrize(("kind", "shape"), SHAPES.items())
def test_patterns_are_letter_by_letter_those_of_aws(kind: type[Arn], shape: str) -> None:
    assert pattern(shape) == kind.KIND.pattern


def test_an_image_version_is_what_get_image_takes_besides_builds() -> None:
    either = pattern("ImageVersionArnOrBuildVersionArn")
    for text in (f"{HERE}image/golden/1.0.0", f"{HERE}image/golden/x.x.x", f"{HERE}image/golden/1.0.0/1"):
        assert re.fullmatch(either, text)
        assert ImageVersionArn.accepts(text) != ImageBuildVersionArn.accepts(text)


ALLOWED = [
    "arn:aws-cn:imagebuilder:cn-north-1:123456789012:image-recipe/golden/1.0.0",
    "arn:aws-us-gov:imagebuilder:us-gov-west-1:aws:image-recipe/golden/1.0.0",
    "arn:aws-iso:imagebuilder:us-iso-east-1:123456789012:image-recipe/golden/x.x.x",
    "arn:aws-iso-b:imagebuilder:us-isob-east-1:123456789012:image-recipe/golden/1.x.x",
    f"{HERE}image-recipe/golden_2-a/1.2.x",
    f"{HERE}image-recipe/golden/{2**30 - 1}.0.0",
    f"{HERE}container-recipe/golden/x.x.x",
    f"{HERE}infrastructure-configuration/golden",
    f"{HERE}distribution-configuration/golden",
    f"{HERE}image-pipeline/golden",
    f"{HERE}image/golden/1.0.0/12",
    f"{HERE}image/golden/1.x.x",
    "arn:aws:imagebuilder:us-east-1:third-party:component/harden/1.0.0/1",
    "arn:aws:imagebuilder:us-east-1:aws-marketplace:component/harden/1.0.0",
    "arn:aws:imagebuilder:us-east-1:aws:workflow/build/build-image/x.x.x",
    "arn:aws-cn:imagebuilder:cn-north-1:123456789012:workflow/distribution/send/1.0.0/3",
]


@pytest.mark.parametrize("text", ALLOWED)
def test_what_aws_allows_is_read_and_written_back(text: str) -> None:
    (kind,) = [kind for kind in KINDS if kind.accepts(text)]
    arn = kind.parse(text)
    assert str(arn) == text
    assert pickle.loads(pickle.dumps(arn)) == arn


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_kind_is_one(kind: type[Arn]) -> None:
    assert kind.accepts(kind.KIND.example())


def test_the_parts_of_a_workflow() -> None:
    arn = WorkflowArn.parse("arn:aws-cn:imagebuilder:cn-north-1:123456789012:workflow/test/boot/1.2.0/7")
    assert (arn.partition, arn.region, arn.account) == ("aws-cn", "cn-north-1", "123456789012")
    assert (arn.type, arn.name, arn.version, arn.build) == ("test", "boot", "1.2.0", 7)
    assert not arn.is_managed


def test_a_workflow_of_amazon_is_managed_and_may_have_no_build() -> None:
    arn = WorkflowArn.parse("arn:aws:imagebuilder:us-east-1:aws:workflow/test/test-image/x.x.x")
    assert arn.is_managed
    assert arn.build is None


def test_the_log_stream_of_an_image() -> None:
    assert ImageBuildVersionArn.parse(f"{HERE}image/golden/1.0.0/1").log_stream == "1.0.0/1"


def test_the_newest_version_of_a_workflow() -> None:
    newest = WorkflowArn.parse(f"{HERE}workflow/test/boot/1.2.0/7").newest
    assert str(newest) == f"{HERE}workflow/test/boot/x.x.x"
    assert newest == newest.newest


def test_the_image_version_of_a_build_is_the_one_that_its_class_reads() -> None:
    version = ImageVersionArn.parse(image_version_in(f"{HERE}image/golden/1.0.0/12"))
    assert str(version) == f"{HERE}image/golden/1.0.0"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        (f"{HERE}image/golden/1.0.0/1", "us-east-1"),
        ("arn:aws-cn:imagebuilder:cn-north-1:{{ x }}:image-recipe/{{ y }}", "cn-north-1"),
        ("arn:aws:imagebuilder:{{ region }}:123456789012:image-recipe/golden/1.0.0", None),
        ("arn:aws:iam::123456789012:role/x", None),
        ("{{ x }}", None),
        (None, None),
    ],
)
def test_the_region_is_read_although_the_rest_is_a_template(text: object, region: str | None) -> None:
    assert region_in(text) == region


def test_made_from_keywords() -> None:
    arn = ImageBuildVersionArn(
        partition="aws-us-gov",
        region="us-gov-west-1",
        account="123456789012",
        name="golden",
        version="1.0.0",
        build=2,
    )
    assert str(arn) == "arn:aws-us-gov:imagebuilder:us-gov-west-1:123456789012:image/golden/1.0.0/2"


def test_a_text_that_is_not_an_arn_cannot_be_made_into_one() -> None:
    with pytest.raises(InvalidRequestError, match="image-pipeline/golden'"):
        ImagePipelineArn(region="us-east-1", account="123456789012", name="Golden")


def test_a_wrong_arn_is_a_value_error_with_value_and_remedy() -> None:
    with pytest.raises(
        ValueError, match=r"got '.*container-recipe/golden/1.0.0'.*give it as container_recipe_arn"
    ):
        ImageRecipeArn.parse(f"{HERE}container-recipe/golden/1.0.0")


WRONG: list[tuple[type[Arn], object, str]] = [
    (ImageRecipeArn, f"{HERE}image-recipe/Golden/1.0.0", f"write '{HERE}image-recipe/golden/1.0.0'"),
    (
        ImageRecipeArn,
        f"{HERE}image-recipe/Golden Image/1.0.0",
        f"write '{HERE}image-recipe/golden-image/1.0.0'",
    ),
    (ImageRecipeArn, f" {HERE}image-recipe/golden/1.0.0\n", f"write '{HERE}image-recipe/golden/1.0.0'"),
    (ImageRecipeArn, f"{HERE}image-recipe/golden/1.0.0/1", "has no build number: write"),
    (ImageRecipeArn, f"{HERE}image-recipe/golden", f"write '{HERE}image-recipe/golden/x.x.x'"),
    (ImageRecipeArn, f"{HERE}image-recipe/golden/latest", f"write '{HERE}image-recipe/golden/x.x.x'"),
    (ImageRecipeArn, f"{HERE}image-recipe/golden/1.0", "three numbers"),
    (ImageRecipeArn, f"{HERE}image-recipe/golden/x.1.x", "rightmost"),
    (ImageRecipeArn, f"{HERE}image-recipe/golden/1.x.8", "rightmost"),
    (ImageRecipeArn, f"{HERE}image-recipe/golden/x.x.9", "rightmost"),
    (ImageRecipeArn, f"{HERE}image-recipe/golden/{2**30}.0.0", "at most 1073741823"),
    (ImageRecipeArn, f"{HERE}image-recipe/golden/{'9' * 5000}.0.0", "at most 1073741823"),
    (ImageRecipeArn, f"{HERE}image-recipe/golden!/1.0.0", "a-z, 0-9"),
    (ImageRecipeArn, f"{HERE}image-recipes/golden/1.0.0", "Image Builder has no 'image-recipes'"),
    (ImageRecipeArn, f"{HERE}workflow/test/boot/1.0.0/1", "list it in workflows"),
    (ImageRecipeArn, f"{HERE}image-pipeline/golden", "names a recipe and configurations of its own"),
    (ImageRecipeArn, f"{HERE}component/harden/1.0.0/1", "list it in a recipe"),
    (ImageRecipeArn, f"{HERE}image/golden/1.0.0/1", "what a recipe makes"),
    (ImageRecipeArn, "golden", "give the whole ARN"),
    (ImageRecipeArn, "", "give the whole ARN"),
    (ImageRecipeArn, "ami-0123456789abcdef0", "parent image"),
    (ImageRecipeArn, "arn:aws:imagebuilder:us-east-1", "six parts"),
    (ImageRecipeArn, "arn:aws:iam::123456789012:role/x", "ARN of iam"),
    (ImageRecipeArn, "arn:aws:imagebuilder::123456789012:image-recipe/golden/1.0.0", "region is missing"),
    (ImageRecipeArn, "arn:aws:imagebuilder:us-east-1:1234:image-recipe/golden/1.0.0", "twelve digits"),
    (ImageRecipeArn, 7, "not as int"),
    (ContainerRecipeArn, f"{HERE}image-recipe/golden/1.0.0", "give it as image_recipe_arn"),
    (
        ContainerRecipeArn,
        f"{HERE}infrastructure-configuration/a",
        "give it as infrastructure_configuration_arn",
    ),
    (
        InfrastructureConfigurationArn,
        f"{HERE}infrastructure-configuration/golden/1.0.0",
        "has no version: write",
    ),
    (
        InfrastructureConfigurationArn,
        f"{HERE}distribution-configuration/a",
        "give it as distribution_configuration_arn",
    ),
    (DistributionConfigurationArn, f"{HERE}lifecycle-policy/golden", "applies to finished images"),
    (ImageBuildVersionArn, f"{HERE}image/golden/1.0.0", "build number is missing"),
    (ImageBuildVersionArn, f"{HERE}image/golden/x.x.x/1", "by its numbers alone"),
    (WorkflowArn, f"{HERE}workflow/boot/1.0.0/1", "stage is missing"),
    (WorkflowArn, f"{HERE}workflow/test/boot", f"write '{HERE}workflow/test/boot/x.x.x'"),
    (WorkflowArn, f"{HERE}workflow/test/boot/1.x.x/1", f"write '{HERE}workflow/test/boot/1.x.x'"),
    (WorkflowArn, "arn:aws:imagebuilder:nowhere:aws:workflow/test/boot/x.x.x", "compare it with"),
]


@pytest.mark.parametrize(("kind", "text", "message"), WRONG)
def test_a_wrong_arn_is_a_fault_with_the_remedy(kind: type[Arn], text: object, message: str) -> None:
    fault = fault_in_arn(kind.KIND, text, "the_field")
    assert fault is not None
    assert (fault.field, fault.value) == ("the_field", text)
    assert kind.KIND.noun in fault.allowed
    assert message in fault.remedy


near_misses = st.text("arnwsimgbuld:/-xX.0123 \n{", max_size=40).map(lambda tail: HERE + tail) | st.text()


@given(st.sampled_from(KINDS), near_misses)
@example(ImageRecipeArn, HERE)
@example(WorkflowArn, "arn:::::")
@example(ImageRecipeArn, f"{HERE}image-recipe/golden/..")
@example(ImageRecipeArn, f"{HERE}image-recipe/golden/\u0661.\u0660.\u0660")
def test_any_text_is_a_fault_exactly_if_aws_would_refuse_it(kind: type[Arn], text: str) -> None:
    fault = fault_in_arn(kind.KIND, text, "arn")
    assert (fault is None) == kind.accepts(text)
    assert fault is None or fault.remedy
