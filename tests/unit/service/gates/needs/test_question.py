"""Whether a build is needed: the last image, images in progress, age, and what could not be read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_imagebuilder.service.errors import (
    Fault,
    ForbiddenError,
    NotFoundError,
    OutdatedBoto3Error,
    TransientError,
    UndecidedError,
)
from airflow_imagebuilder.service.gates.needs.question import CHECKS, IfBuilding, Question, WhenUnknown
from tests.support.arns import IMAGE, RECIPE, image_arn
from tests.support.fault_plan import ALWAYS
from tests.support.needs import (
    BUILT_FROM,
    NEWER_PARENT,
    PARENT,
    PIPELINE,
    Scene,
    another,
    managed,
    summary,
)

FORBIDDEN = ForbiddenError("GetComponent", "AccessDeniedException", 403, "not allowed")
READING = ("get_", "list_", "describe_")


def test_nothing_has_changed_so_no_build_is_needed_and_each_check_says_why() -> None:
    answer = Scene().ask(pipeline_arn=PIPELINE)
    assert not answer.needed
    assert answer.reasons == (f"nothing has changed since {IMAGE}",)
    checked = answer.to_xcom()["checked"]
    assert {name for name, one in checked.items() if one["verdict"] == "no"} >= {*CHECKS, "in_progress"}
    assert checked["base_image"]["text"] == "amazon-linux-2023-x86 2026.9.30/1 is the newest"


def test_every_call_reads() -> None:
    scene = Scene()
    scene.ask(pipeline_arn=PIPELINE)
    scene.ask()
    methods = {call.method for call in scene.aws.calls}
    assert {"get_image_pipeline", "get_image", "get_component", "list_image_pipeline_images"} <= methods
    assert {method for method in methods if not method.startswith(READING)} == set()


def test_the_number_of_calls_is_bounded() -> None:
    scene = Scene()
    scene.ask(pipeline_arn=PIPELINE)
    # Pipeline, recipe, list, image, parent, one open component, distribution, infrastructure.
    assert len(scene.aws.calls) == 8


@pytest.mark.parametrize("target", [{}, {"pipeline_arn": PIPELINE}])
@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "DELETED", "DEPRECATED", "DISABLED"])
def test_without_an_available_image_a_build_is_needed(status: str, target: dict[str, Any]) -> None:
    scene = Scene()
    scene.aws.listed = [summary(status=status)]
    answer = scene.ask(**target)
    assert answer.needed
    assert "no AVAILABLE image" in answer.reasons[0]


def test_the_newest_image_is_that_of_the_latest_date_in_any_order_of_the_list() -> None:
    scene = Scene()
    older = another(2, "AVAILABLE", "2026-08-01T00:00:00.000Z")
    failed = another(3, "FAILED", "2026-10-20T00:00:00.000Z")
    for other in (older, failed):
        scene.aws.images[other["arn"]] = {**scene.image, **other}
    for listed in ([older, summary(), failed], [failed, summary(), older]):
        scene.aws.listed = listed
        assert scene.ask().last_image == IMAGE


def test_an_image_of_the_other_kind_with_the_same_name_is_another_image() -> None:
    scene = Scene()
    scene.aws.listed = [
        {**summary(), "type": "AMI"},
        {**another(2, "AVAILABLE", "2026-10-05T00:00:00Z"), "type": "DOCKER"},
        {**another(3, "BUILDING", "2026-10-06T00:00:00Z"), "type": "DOCKER"},
    ]
    answer = scene.ask()
    assert (answer.last_image, answer.in_progress) == (IMAGE, ())


def test_an_image_that_was_deprecated_or_deleted_since_the_list_is_not_the_last_one() -> None:
    scene = Scene()
    scene.aws.listed = [
        summary(),
        another(2, "AVAILABLE", "2026-10-02T00:00:00Z"),
        another(3, "AVAILABLE", "2026-10-03T00:00:00Z"),
    ]
    scene.aws.images[image_arn(2)] = {**scene.image, "arn": image_arn(2), "state": {"status": "DEPRECATED"}}
    assert scene.ask().last_image == IMAGE  # the third one does not exist any longer


def test_an_image_in_progress_means_that_no_second_build_is_needed() -> None:
    scene = Scene()
    scene.aws.listed = [another(2, "TESTING", "2026-10-05T00:00:00Z")]
    answer = scene.ask()
    assert not answer.needed
    assert answer.in_progress == (image_arn(2),)
    assert image_arn(2) in answer.reasons[0]
    forced = scene.ask(if_building=IfBuilding.BUILD)
    assert forced.needed
    assert image_arn(2) in forced.to_xcom()["checked"]["in_progress"]["text"]


@pytest.mark.parametrize(("days", "needed"), [(29, False), (31, True)])
def test_an_image_older_than_max_age_asks_for_a_build(days: int, needed: bool) -> None:
    scene = Scene()
    now = datetime(2026, 10, 1, 10, tzinfo=timezone.utc) + timedelta(days=days)
    answer = Question(recipe_arn=RECIPE, max_age=timedelta(days=30)).ask(scene.aws, now)
    assert answer.needed is needed
    assert f"{days} days" in answer.to_xcom()["checked"]["max_age"]["text"]


def test_an_image_without_a_date_is_of_unknown_age() -> None:
    scene = Scene()
    scene.image["dateCreated"] = None
    assert scene.verdicts(max_age=timedelta(days=1))["max_age"] == "unknown"


@pytest.mark.parametrize("word", list(WhenUnknown))
def test_when_unknown_decides_about_what_cannot_be_read(word: WhenUnknown) -> None:
    scene = Scene()
    scene.aws.before("get_component", FORBIDDEN, times=ALWAYS)
    if word is WhenUnknown.FAIL:
        with pytest.raises(UndecidedError, match=r"component base 1\.x\.x could not be read .*AccessDenied"):
            scene.ask(when_unknown=word)
        return
    answer = scene.ask(when_unknown=word)
    assert answer.needed is (word is WhenUnknown.BUILD)
    assert "AccessDeniedException" in answer.reasons[0]
    assert [one.check for one in answer.unknown] == ["components"]


def test_a_known_reason_counts_whatever_else_is_unknown() -> None:
    scene = Scene()
    scene.aws.before("get_component", FORBIDDEN, times=ALWAYS)
    scene.aws.images[PARENT] = managed(NEWER_PARENT)
    answer = scene.ask(when_unknown=WhenUnknown.FAIL)
    assert answer.needed
    assert "2026.10.14/1 is newer than 2026.9.30/1" in answer.reasons[0]
    assert "AccessDenied" in answer.reasons[1]


@pytest.mark.parametrize(
    "method", ["get_image_pipeline", "get_image_recipe", "list_image_pipeline_images", "get_image"]
)
def test_what_cannot_be_read_of_the_target_is_unknown_too(method: str) -> None:
    scene = Scene()
    scene.aws.before(method, FORBIDDEN, times=ALWAYS)
    answer = scene.ask(pipeline_arn=PIPELINE, when_unknown=WhenUnknown.SKIP)
    assert not answer.needed
    assert "could not be read" in answer.reasons[0]


@pytest.mark.parametrize(("target", "gone"), [({}, RECIPE), ({"pipeline_arn": PIPELINE}, PIPELINE)])
def test_a_target_that_does_not_exist_is_an_error(target: dict[str, Any], gone: str) -> None:
    scene = Scene()
    del scene.aws.resources[gone]
    with pytest.raises(NotFoundError):
        scene.ask(**target)


def test_a_pipeline_without_a_recipe_is_said_and_not_guessed() -> None:
    scene = Scene()
    del scene.pipeline["imageRecipeArn"]
    answer = scene.ask(pipeline_arn=PIPELINE, when_unknown=WhenUnknown.SKIP)
    assert "names no recipe" in answer.reasons[0]


def test_an_outage_is_left_to_the_next_try() -> None:
    scene = Scene()
    scene.aws.before("get_component", TransientError("GetComponent", "ServiceUnavailable", 503), times=ALWAYS)
    with pytest.raises(TransientError):
        scene.ask(when_unknown=WhenUnknown.SKIP)


def test_an_older_boto3_lists_the_builds_of_each_version() -> None:
    scene = Scene()
    outdated = OutdatedBoto3Error([Fault("ListImageBuildVersions", "1.39", "1.40", "upgrade")])

    def refuse() -> None:
        if not scene.aws.called("list_image_build_versions")[-1].target.startswith("arn:"):
            raise outdated

    scene.aws.before("list_image_build_versions", refuse, times=ALWAYS)
    scene.aws.versions = [{"arn": IMAGE.rpartition("/")[0]}]
    assert scene.ask().last_image == IMAGE
    assert scene.aws.targets("list_image_build_versions") == ["golden", IMAGE.rpartition("/")[0]]


def test_images_are_listed_by_the_name_of_the_recipe_and_by_that_in_arns() -> None:
    scene = Scene()
    scene.recipe["name"] = "Golden Web"
    scene.ask()
    assert scene.aws.targets("list_image_build_versions") == ["Golden Web,golden-web"]


def test_a_check_that_is_left_out_makes_no_call_and_counts_for_nothing() -> None:
    scene = Scene()
    scene.aws.images[PARENT] = managed(NEWER_PARENT)
    answer = scene.ask(checks=("recipe",))
    assert not answer.needed
    assert answer.to_xcom()["checked"]["base_image"]["verdict"] == "not compared"
    assert scene.aws.called("get_component") == []


def test_the_answer_as_text_has_the_reasons_and_everything_that_was_checked() -> None:
    scene = Scene(built_from=BUILT_FROM)
    lines = str(scene.ask()).splitlines()
    assert lines[0] == "No build is needed:"
    assert any(line.startswith("  no ") and "base_image" in line for line in lines)
