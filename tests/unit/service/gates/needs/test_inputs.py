"""The recipe, its base image and its components, now and in the last image."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.service.errors import ForbiddenError
from tests.support.arns import IMAGE, RECIPE
from tests.support.fault_plan import ALWAYS
from tests.support.needs import BUILT_FROM, NEWER_PARENT, PARENT, PIPELINE, Scene, component, managed

AMI, OTHER_AMI = "ami-0123456789abcdef0", "ami-0123456789abcdef1"
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/base/web:stable"
FORBIDDEN = ForbiddenError("Get", "AccessDeniedException", 403)


def assert_reason(scene: Scene, *parts: str) -> None:
    answer = scene.ask()
    assert answer.needed
    for part in parts:
        assert part in " ".join(answer.reasons)


# -- the recipe --------------------------------------------------------------------------------------------


def test_a_pipeline_that_names_another_version_of_the_recipe_asks_for_a_build() -> None:
    scene = Scene()
    newer = RECIPE.replace("1.0.0", "1.0.1")
    scene.pipeline["imageRecipeArn"] = newer
    scene.aws.resources[newer] = {**scene.recipe, "arn": newer}
    answer = scene.ask(pipeline_arn=PIPELINE)
    assert answer.reasons == (
        "recipe: a build takes golden/1.0.1; the last image was built from golden/1.0.0",
    )


def test_a_newer_version_behind_the_x_of_a_recipe_asks_for_a_build() -> None:
    scene = Scene()
    newest = RECIPE.replace("1.0.0", "x.x.x")
    scene.aws.resources[newest] = {**scene.recipe, "arn": RECIPE.replace("1.0.0", "1.0.10")}
    assert scene.ask(recipe_arn=newest).needed


def test_an_image_that_records_no_recipe_is_unknown() -> None:
    scene = Scene()
    del scene.image["imageRecipe"]
    verdicts = scene.verdicts()
    assert (verdicts["recipe"], verdicts["base_image"]) == ("unknown", "unknown")


# -- the base image ----------------------------------------------------------------------------------------


def test_a_newer_managed_image_asks_for_a_build() -> None:
    scene = Scene()
    scene.aws.images[PARENT] = managed(NEWER_PARENT)
    assert_reason(scene, "amazon-linux-2023-x86 2026.10.14/1 is newer than 2026.9.30/1")


def test_a_managed_image_that_was_withdrawn_asks_for_a_build() -> None:
    scene = Scene(built_from=NEWER_PARENT)
    assert_reason(scene, "AWS now takes 2026.9.30/1", "2026.10.14/1", "withdrawn")


def test_an_image_of_another_account_that_cannot_be_read_is_unknown() -> None:
    shared = "arn:aws:imagebuilder:us-east-1:210987654321:image/base/x.x.x"
    scene = Scene(parent=shared, built_from=shared.replace("x.x.x", "1.0.0/1"))
    assert scene.verdicts()["base_image"] == "unknown"


def test_a_pinned_image_needs_no_call() -> None:
    scene = Scene(parent=BUILT_FROM)
    assert scene.verdicts()["base_image"] == "no"
    assert scene.aws.targets("get_image") == [IMAGE]


def test_an_image_that_records_a_wildcard_is_unknown() -> None:
    assert Scene(built_from=PARENT).verdicts()["base_image"] == "unknown"


def test_another_base_than_that_of_the_last_image_asks_for_a_build() -> None:
    assert_reason(Scene(built_from=AMI), f"the last image was built from {AMI}")


@pytest.mark.parametrize("name", ["/golden/base", "arn:aws:ssm:us-east-1:210987654321:parameter/golden"])
def test_a_parameter_is_compared_by_its_value(name: str) -> None:
    scene = Scene(parent=f"ssm:{name}", built_from=AMI)
    for held in (AMI, f"{AMI}\n"):
        scene.aws.parameters = {name: held}
        assert scene.verdicts()["base_image"] == "no"
    scene.aws.parameters = {name: f"{OTHER_AMI}\n"}
    assert_reason(scene, f"parameter {name} now holds {OTHER_AMI}", AMI)


def test_a_parameter_that_the_last_image_records_by_name_is_unknown() -> None:
    scene = Scene(parent="ssm:/golden/base", built_from="ssm:/golden/base")
    assert scene.verdicts()["base_image"] == "unknown"


def test_a_parameter_that_is_forbidden_is_unknown() -> None:
    scene = Scene(parent="ssm:/golden/base", built_from=AMI)
    scene.aws.before("get_parameter", FORBIDDEN, times=ALWAYS)
    assert scene.verdicts()["base_image"] == "unknown"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"ImageId": AMI}, "never changes"),
        ({"ImageId": AMI, "DeprecationTime": "2026-12-01T00:00:00Z"}, "2026-12-01"),
        (None, "a build would fail"),
    ],
)
def test_nothing_newer_exists_than_an_ami_but_its_end_is_said(
    found: dict[str, str] | None, text: str
) -> None:
    scene = Scene(parent=AMI, built_from=AMI)
    if found:
        scene.aws.resources[AMI] = found
    checked = scene.ask().to_xcom()["checked"]["base_image"]
    assert checked["verdict"] == "no"
    assert text in checked["text"]


def test_an_ami_that_ec2_does_not_describe_for_us_asks_for_nothing() -> None:
    scene = Scene(parent=AMI, built_from=AMI)
    scene.aws.before("describe_ami", FORBIDDEN, times=ALWAYS)
    assert scene.verdicts()["base_image"] == "no"


@pytest.mark.parametrize(
    ("pushed", "verdict"),
    [
        ("2026-09-01T00:00:00+00:00", "no"),
        ("2026-10-02T00:00:00+02:00", "build"),
        (None, "unknown"),
        ("yesterday", "unknown"),
    ],
)
def test_an_image_of_a_private_repository_is_compared_by_the_time_of_its_push(
    pushed: str | None, verdict: str
) -> None:
    scene = Scene(parent=ECR, built_from=ECR)
    scene.aws.resources["eu-west-1/123456789012/base/web:stable"] = {"imagePushedAt": pushed}
    assert scene.verdicts()["base_image"] == verdict


@pytest.mark.parametrize("parent", ["public.ecr.aws/amazonlinux/amazonlinux:2023", "docker.io/debian:12"])
def test_an_image_of_another_registry_is_not_compared(parent: str) -> None:
    scene = Scene(parent=parent, built_from=parent)
    answer = scene.ask()
    assert not answer.needed
    assert "max_age" in answer.to_xcom()["checked"]["base_image"]["text"]


def test_a_container_recipe_is_read_and_compared_as_one() -> None:
    scene = Scene()
    recipe = RECIPE.replace("image-recipe", "container-recipe")
    scene.aws.resources[recipe] = {**scene.recipe, "arn": recipe}
    scene.image["containerRecipe"] = {**scene.image.pop("imageRecipe"), "arn": recipe}
    answer = scene.ask(recipe_arn=recipe)
    assert not answer.needed
    assert scene.aws.targets("get_container_recipe") == [recipe]
    assert scene.aws.called("get_image_recipe") == []


# -- components --------------------------------------------------------------------------------------------


def test_a_newer_component_behind_an_x_asks_for_a_build() -> None:
    scene = Scene()
    scene.aws.resources[component("1.x.x")] = {"arn": component("1.0.10/1")}
    assert_reason(scene, "components: base 1.0.10/1 is newer than 1.0.9/1")


def test_a_newer_build_of_a_version_without_a_build_number_asks_for_a_build() -> None:
    scene = Scene(components={component("1.0.0"): component("1.0.0/9")})
    scene.aws.resources[component("1.0.0")] = {"arn": component("1.0.0/10")}
    assert_reason(scene, "base 1.0.0/10 is newer than 1.0.0/9")


def test_a_pinned_component_needs_no_call() -> None:
    scene = Scene(components={component("1.0.0/1"): component("1.0.0/1")})
    assert scene.verdicts()["components"] == "no"
    assert scene.aws.called("get_component") == []


@pytest.mark.parametrize("owner", ["aws", "aws-marketplace", "third-party", "210987654321"])
def test_components_of_other_owners_are_read_and_named_with_their_owner(owner: str) -> None:
    given = component("x.x.x", "cis", owner)
    scene = Scene(components={given: component("1.0.0/1", "cis", owner)})
    answer = scene.ask()
    assert answer.unknown
    assert "cis" in answer.unknown[0].text
    scene.aws.resources[given] = {"arn": component("2.0.0/1", "cis", owner)}
    assert_reason(scene, "cis", "2.0.0/1 is newer than 1.0.0/1")


def test_components_that_were_added_or_removed_ask_for_a_build() -> None:
    scene = Scene(components={component("1.0.0/1"): component("1.0.0/1", "old")})
    assert_reason(scene, "base is in the recipe", "old is in the last image")


def test_a_component_that_asks_for_a_build_counts_more_than_one_that_cannot_be_read() -> None:
    unreadable = component("x.x.x", "cis", "third-party")
    given = {component("2.0.0/1"): component("1.0.0/1"), unreadable: unreadable.replace("x.x.x", "1.0.0/1")}
    scene = Scene(components=given)
    assert [one.verdict.value for one in scene.ask().statements if one.check == "components"] == [
        "build",
        "unknown",
    ]
    assert scene.verdicts()["components"] == "build"


def test_a_component_whose_build_the_last_image_does_not_record_is_unknown() -> None:
    scene = Scene(components={component("1.x.x"): component("1.x.x")})
    assert scene.verdicts()["components"] == "unknown"


def test_a_recipe_without_components_has_nothing_to_compare() -> None:
    assert Scene(components={}).verdicts()["components"] == "no"


def test_a_component_of_the_same_name_in_another_account_is_another_component() -> None:
    ours, theirs = component("1.0.0/1"), component("1.0.0/1", owner="210987654321")
    assert_reason(Scene(components={ours: theirs}), "is in the recipe", "is in the last image")
