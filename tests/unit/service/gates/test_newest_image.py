"""Which image is the newest: by its date, whatever the order of the lists, and not a withdrawn one."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_imagebuilder.service.errors import (
    Fault,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    OutdatedBoto3Error,
)
from airflow_imagebuilder.service.gates.newest_image import MOST_VERSIONS, Source, Wanted, described, moment
from airflow_imagebuilder.service.gates.search import read_now
from tests.support.arns import PREFIX
from tests.support.image_builder import FakeImageBuilder
from tests.support.listed import PIPELINE, at, listed

OF_PIPELINE = Source(pipeline_arn=PIPELINE)


def wanted(source: Source = OF_PIPELINE, since: int = 6, **more: Any) -> Wanted:
    return Wanted(source=source, since=moment(at(since)), **more)


def test_the_newest_by_date_counts_whatever_the_order() -> None:
    images = [listed(number, hour=number) for number in range(7, 13)]
    for seed in range(10):
        random.Random(seed).shuffle(images)
        assert wanted().newest(images) == listed(12)["arn"]


def test_of_the_same_date_the_higher_build_counts_as_a_number() -> None:
    assert wanted().newest([listed(9, hour=7), listed(10, hour=7)]) == listed(10)["arn"]


def test_an_image_that_was_created_before_since_does_not_count_even_in_progress() -> None:
    old = listed(1, "BUILDING", hour=5)
    assert wanted().newest([old]) is None
    assert wanted(since=5).newest([old]) == old["arn"]


def test_without_since_one_in_progress_counts_and_an_older_finished_one_does_not() -> None:
    finished, running = listed(2, "AVAILABLE", hour=5), listed(1, "TESTING", hour=4)
    assert wanted(in_progress=True).newest([finished, running]) == running["arn"]
    assert wanted(in_progress=True).newest([finished]) is None


@pytest.mark.parametrize("status", ["DEPRECATED", "DISABLED", "DELETED"])
def test_a_withdrawn_image_is_not_the_newest(status: str) -> None:
    assert wanted().newest([listed(2, status, hour=8), listed(1, hour=7)]) == listed(1)["arn"]


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "BUILDING", "A_NEW_STATUS"])
def test_any_other_image_is_the_newest_though_an_older_one_is_available(status: str) -> None:
    assert wanted().newest([listed(2, status, hour=8), listed(1, hour=7)]) == listed(2)["arn"]


@pytest.mark.parametrize(
    "odd", [None, "x", {}, {"arn": "x"}, {**listed(9), "dateCreated": "soon"}, {**listed(9), "state": None}]
)
def test_a_record_that_cannot_be_read_counts_as_not_there(odd: Any) -> None:
    assert wanted().newest([odd, listed(1, hour=7)]) == listed(1)["arn"]
    assert described([odd])


def test_a_name_and_a_version_choose_among_the_images() -> None:
    images = [
        listed(1, name="golden-web", version="1.2.3", hour=7),
        listed(1, name="golden-web", version="1.10.0", hour=8),
        listed(1, name="golden-web", version="2.0.0", hour=9),
        listed(1, name="golden-web-2", version="1.2.3", hour=10),
    ]
    for version, newest in [(None, 2), ("1.x.x", 1), ("1.2.x", 0), ("1.10.0", 1), ("3.x.x", None)]:
        found = wanted(Source(image_name="Golden Web", version=version)).newest(images)
        assert found == (None if newest is None else images[newest]["arn"])


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=timezone.utc)),
        ("2026-01-31T06:00:00.123Z", datetime(2026, 1, 31, 6, 0, 0, 123000, tzinfo=timezone.utc)),
        ("2026-01-31 06:00:00+02:00", datetime(2026, 1, 31, 4, tzinfo=timezone.utc)),
        ("2026-01-31T06:00", datetime(2026, 1, 31, 6, tzinfo=timezone.utc)),
    ],
)
def test_a_time_is_read_as_aws_and_airflow_write_it(text: str, time: datetime) -> None:
    assert moment(text) == time


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "31.01.2026", "2026-01-31T25:00:00"])
def test_any_other_text_is_not_a_time(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (any message)
        moment(text)


# -- reading -----------------------------------------------------------------------------------------------


def test_a_pipeline_without_images_is_asked_for_so_that_a_misspelt_one_is_an_error() -> None:
    aws = FakeImageBuilder()
    aws.pipelines[PIPELINE] = {"arn": PIPELINE}
    assert read_now(aws, OF_PIPELINE, patience=0) == []
    assert aws.targets("get_image_pipeline") == [PIPELINE]
    aws.before("get_image_pipeline", NotFoundError("GetImagePipeline"), times=2)
    with pytest.raises(NotFoundError):
        read_now(aws, OF_PIPELINE, patience=0)
    aws.listed = [listed(1)]
    assert read_now(aws, OF_PIPELINE, patience=0) == [listed(1)]


def test_a_role_that_may_not_read_the_pipeline_waits_for_its_images() -> None:
    aws = FakeImageBuilder()
    aws.before("get_image_pipeline", ForbiddenError("GetImagePipeline"))
    assert read_now(aws, OF_PIPELINE, patience=0) == []


def test_the_images_of_a_name_are_one_list_under_both_ways_to_write_it() -> None:
    aws = FakeImageBuilder()
    aws.listed = [listed(1)]
    assert read_now(aws, Source(image_name="Golden Web"), patience=0) == aws.listed
    assert [call.target for call in aws.calls] == ["Golden Web,golden-web"]


def lacking() -> InvalidRequestError:
    return OutdatedBoto3Error([Fault("ListImageBuildVersions", None, "boto3 1.40.36", "upgrade")])


def test_an_older_boto3_reads_the_builds_of_each_fitting_version() -> None:
    aws = FakeImageBuilder()
    aws.before("list_image_build_versions", lacking())
    numbers = ("1.0.0", "1.10.0", "2.0.0")
    aws.versions = [{"arn": f"{PREFIX}:image/golden-web/{number}"} for number in numbers]
    odd: Any = None
    aws.versions += [{"arn": f"{PREFIX}:image/other/1.0.0"}, odd]
    aws.listed = [listed(1, name="golden-web", version=number) for number in numbers]
    source = Source(image_name="golden-web", version="1.x.x")
    assert read_now(aws, source, patience=0) == [aws.listed[1], aws.listed[0]]


def test_an_older_boto3_reads_a_bounded_number_of_versions_the_highest_first() -> None:
    aws = FakeImageBuilder()
    aws.before("list_image_build_versions", lacking())
    aws.versions = [{"arn": f"{PREFIX}:image/golden-web/1.0.{number}"} for number in range(50)]
    read_now(aws, Source(image_name="golden-web"), patience=0)
    read = aws.targets("list_image_build_versions")[1:]
    assert read == [f"{PREFIX}:image/golden-web/1.0.{number}" for number in range(49, 49 - MOST_VERSIONS, -1)]
