"""Pipelines: their schedules on the virtual clock, what counts as an update, and their automatic end."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError, Failure
from airflow_imagebuilder.local.emulator.engine.simulation.schedules import ScheduleError, iso_of, parse
from tests.support.aws_model import is_older
from tests.support.bench import HEAD, Bench, image_request
from tests.support.documents import COMPONENT

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400.0
NIGHTLY = {
    "scheduleExpression": "cron(0 3 * * ? *)",
    "pipelineExecutionStartCondition": "EXPRESSION_MATCH_ONLY",
}
#: A Thursday.
START = datetime(2026, 11, 26, 6, 20, tzinfo=timezone.utc).timestamp()
_NEEDS_TODAYS_MODEL = pytest.mark.skipif(
    is_older(), reason="this model lacks autoDisablePolicy and imageTags"
)


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("cron(0 0 * * ? *)", None, "2026-11-27T00:00:00Z"),
        ("cron(0 0 * * SUN *)", None, "2026-11-29T00:00:00Z"),
        ("cron(0 0 ? * 1 *)", None, "2026-11-29T00:00:00Z"),
        ("cron(0/15 8-17 ? * MON-FRI *)", "Europe/Berlin", "2026-11-26T07:00:00Z"),
        ("cron(0 10 ? * 6#3 *)", None, "2026-12-18T10:00:00Z"),
        ("cron(0 2 LW * ? *)", None, "2026-11-30T02:00:00Z"),
        ("cron(0 2 15W JAN,FEB ? *)", None, "2027-01-15T02:00:00Z"),
        ("cron(0 2 L * ? *)", None, "2026-11-30T02:00:00Z"),
        ("cron(0 2 ? * FRIL *)", None, "2026-11-27T02:00:00Z"),
        ("cron(0 2 ? * FRI-MON *)", None, "2026-11-27T02:00:00Z"),
        ("cron(0 0 29 2 ? *)", None, "2028-02-29T00:00:00Z"),
        ("cron(0 0 1 1 ? 2030)", None, "2030-01-01T00:00:00Z"),
        ("rate(1 day)", None, "2026-11-27T00:00:00Z"),
        ("rate(5 minutes)", None, "2026-11-26T06:25:00Z"),
    ],
)
def test_the_next_moment_of_a_schedule(expression: str, zone: str | None, expected: str) -> None:
    found = parse(expression, zone).next(START)
    assert found is not None
    assert iso_of(found) == expected


@pytest.mark.parametrize("expression", ["cron(0 0 30 2 ? *)", "cron(0 0 1 1 ? 2020)"])
def test_a_schedule_without_a_next_moment(expression: str) -> None:
    assert parse(expression).next(START) is None


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("every day", None),
        ("cron(61 0 * * ? *)", None),
        ("cron(0 24 * * ? *)", None),
        ("cron(0 0 32 * ? *)", None),
        ("cron(0 0 * 13 ? *)", None),
        ("cron(0 0 ? * 8 *)", None),
        ("cron(0 0 ? * FUN *)", None),
        ("cron(0 0 * * ? 1969)", None),
        ("cron(0/0 0 * * ? *)", None),
        ("cron(0 0 * *)", None),
        ("cron(0 0 * * SUN)", None),
        ("cron(a b c d e f)", None),
        ("cron(0 0 * * ? *)", "Mars/Olympus"),
        ("rate(0 days)", None),
        ("rate(1 day)", "Mars/Olympus"),
        ("rate(1 year)", None),
    ],
)
def test_an_expression_that_aws_does_not_take(expression: str, zone: str | None) -> None:
    with pytest.raises(ScheduleError):
        parse(expression, zone)


def test_five_fields_are_refused_in_the_words_of_aws(bench: Bench) -> None:
    """Terraform's AWS provider, issue 17396: so it is since 2021."""
    with pytest.raises(ApiError) as caught:
        create(bench, schedule={"scheduleExpression": "cron(0 0 * * *)"})
    assert caught.value.message == (
        "The value supplied for parameter 'schedule.scheduleExpression' is not valid. Invalid schedule "
        "expression. Details: Invalid CRON expression: error at position 9, details: Unexpected end of "
        "expression."
    )


def create(bench: Bench, **more: Any) -> str:
    """Create a pipeline for the golden image."""
    answer = bench.call("CreateImagePipeline", name="nightly", **{**image_request(), **more})
    return str(answer["imagePipelineArn"])


def pipeline(bench: Bench, arn: str) -> dict[str, Any]:
    return dict(bench.call("GetImagePipeline", imagePipelineArn=arn)["imagePipeline"])


def runs(bench: Bench, arn: str) -> list[dict[str, Any]]:
    return list(bench.call("ListImagePipelineImages", imagePipelineArn=arn)["imageSummaryList"])


def days(bench: Bench, count: int) -> Iterator[int]:
    """Let days pass, in hours, so that builds of one day end before the next."""
    for day in range(count):
        for _ in range(24):
            bench.engine.clock.advance(DAY / 24)
            bench.engine.run_due()
        yield day


def test_a_schedule_builds_once_a_day_and_says_when_next(bench: Bench) -> None:
    arn = create(bench, schedule=NIGHTLY)
    before = pipeline(bench, arn)
    for _ in days(bench, 3):
        pass
    after = pipeline(bench, arn)
    assert [image["buildType"] for image in runs(bench, arn)] == ["SCHEDULED"] * 3
    assert before["dateNextRun"].endswith("T03:00:00Z")
    assert after["dateNextRun"] > after["dateLastRun"] > before["dateNextRun"][:10]
    assert (after["platform"], after["lastRunStatus"], after["consecutiveFailures"]) == (
        "Linux",
        "AVAILABLE",
        0,
    )
    assert after["imageTestsConfiguration"] == {"imageTestsEnabled": True, "timeoutMinutes": 720}


def test_a_pipeline_that_is_disabled_or_changed_keeps_no_old_schedule(bench: Bench) -> None:
    arn = create(bench, schedule=NIGHTLY)
    request = {**image_request(), "imagePipelineArn": arn}
    bench.call("UpdateImagePipeline", **request, status="DISABLED", schedule=NIGHTLY)
    assert "dateNextRun" not in pipeline(bench, arn)
    bench.call("UpdateImagePipeline", **request)
    assert pipeline(bench, arn)["status"] == "ENABLED"
    for _ in days(bench, 2):
        pass
    assert runs(bench, arn) == []


def test_without_updates_nothing_is_built(bench: Bench) -> None:
    def component(version: str) -> None:
        bench.call("CreateComponent", name="own", semanticVersion=version, platform="Linux", data=COMPONENT)

    component("1.0.0")
    recipe = bench.call(
        "CreateImageRecipe",
        name="open",
        semanticVersion="1.0.0",
        parentImage="ami-1",
        components=[{"componentArn": f"{HEAD}component/own/x.x.x"}],
    )["imageRecipeArn"]
    arn = create(bench, imageRecipeArn=recipe, schedule={"scheduleExpression": "rate(1 day)"})
    counts = []
    for day in days(bench, 5):
        counts.append(len(runs(bench, arn)))
        if day == 2:
            component("1.1.0")
    assert counts == [1, 1, 1, 2, 2]


def test_a_recipe_whose_references_are_all_pinned_is_never_built_for_updates(bench: Bench) -> None:
    recipe = bench.call("CreateImageRecipe", name="pinned", semanticVersion="1.0.0", parentImage="ami-1")
    schedule = {"scheduleExpression": "rate(1 day)"}
    arn = create(bench, imageRecipeArn=recipe["imageRecipeArn"], schedule=schedule)
    for _ in days(bench, 2):
        pass
    assert runs(bench, arn) == []


@_NEEDS_TODAYS_MODEL
def test_scheduled_failures_in_a_row_disable_a_pipeline(bench: Bench) -> None:
    bench.behaviour.failures.append(Failure(workflow="golden-build"))
    arn = create(bench, schedule={**NIGHTLY, "autoDisablePolicy": {"failureCount": 2}})
    by_hand = bench.call("StartImagePipelineExecution", imagePipelineArn=arn)["imageBuildVersionArn"]
    bench.finish(by_hand)
    assert pipeline(bench, arn)["consecutiveFailures"] == 0
    for _ in days(bench, 4):
        pass
    found = pipeline(bench, arn)
    assert (found["status"], found["consecutiveFailures"], len(runs(bench, arn))) == ("DISABLED", 2, 3)
    event = bench.world.of("event")[-1].data
    assert event["type"] == "EC2 Image Builder Image Pipeline Automatically Disabled"
    assert (event["resources"], event["detail"]) == ([arn], {"consecutive-failures": "2"})
    bench.call("UpdateImagePipeline", **image_request(), imagePipelineArn=arn, schedule=NIGHTLY)
    assert pipeline(bench, arn)["consecutiveFailures"] == 0


@_NEEDS_TODAYS_MODEL
def test_a_disabled_pipeline_can_be_started_by_hand(bench: Bench) -> None:
    arn = create(bench, status="DISABLED", imageTags={"from": "schedule"})
    image = bench.call("StartImagePipelineExecution", imagePipelineArn=arn, tags={"from": "hand"})
    found = bench.image(image["imageBuildVersionArn"])
    assert (found["sourcePipelineName"], found["tags"]) == ("nightly", {"from": "hand"})
    assert found["buildType"] == "USER_INITIATED"


@pytest.mark.parametrize(
    "schedule", [{"scheduleExpression": "daily"}, {**NIGHTLY, "timezone": "Mars/Olympus"}]
)
def test_a_bad_schedule_is_refused(bench: Bench, schedule: dict[str, str]) -> None:
    with pytest.raises(ApiError) as caught:
        create(bench, schedule=schedule)
    assert caught.value.code == "InvalidParameterValueException"
