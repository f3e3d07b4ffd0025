"""ImageResult: read from AWS's answers, JSON-safe, and readable by every later version."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_imagebuilder.service.results.image import (
    Ami,
    Container,
    ImageResult,
    TestResult,
    WorkflowResult,
    log_location,
)
from tests.support import answers

ANSWERS: dict[str, list[Any]] = {
    "Image": [
        answers.image(),
        answers.container_image(),
        answers.failed_in_component(),
        answers.failed_in_integration(),
        answers.failed_without_context(),
    ],
    "WorkflowExecutionsList": [answers.executions()],
    "WorkflowStepExecutionsList": [answers.steps()],
}


@pytest.mark.parametrize(
    ("shape", "value"), [(shape, value) for shape, values in ANSWERS.items() for value in values]
)
def test_the_answers_of_these_tests_are_of_aws_s_shape(shape: str, value: Any) -> None:
    assert answers.misfits(shape, value) == []


def built() -> ImageResult:
    return ImageResult.from_api(answers.image(), answers.executions())


def test_an_image_that_is_available() -> None:
    result = built()
    assert (result.arn, result.name, result.version) == (answers.ARN, "Golden-AL2023", "1.0.0/3")
    assert (result.status, result.type, result.platform) == ("AVAILABLE", "AMI", "Linux")
    assert result.os_version == "Amazon Linux 2023"
    assert result.amis == (
        Ami(
            region="us-east-1",
            account_id="123456789012",
            image="ami-0aaaaaaaaaaaaaaa1",
            name="golden-al2023 2026-09-09",
            status="AVAILABLE",
            golden=True,
        ),
        Ami(
            region="eu-west-1",
            account_id="123456789012",
            image="ami-0aaaaaaaaaaaaaaa2",
            name="golden-al2023 2026-09-09",
            status="AVAILABLE",
            golden=True,
        ),
    )
    assert result.containers == ()
    assert result.tags == {"team": "platform"}
    assert result.scan == {"status": "COMPLETED"}
    assert result.failure is None


def test_a_container() -> None:
    result = ImageResult.from_api(answers.container_image())
    uris = ("123456789012.dkr.ecr.us-east-1.amazonaws.com/golden:1.0.0-3",)
    assert result.type == "DOCKER"
    assert result.amis == ()
    assert result.containers == (Container(region="us-east-1", image_uris=uris),)
    assert result.scan == {"status": "FAILED", "reason": "Inspector is not enabled"}


def test_executions_are_in_the_order_in_which_they_ran_without_superseded_ones() -> None:
    assert [item.name for item in built().workflows] == ["golden-build", "boot", "cis-level-1", "send"]
    assert [item.execution_id for item in built().tests] == [answers.BOOT_ID, answers.CIS_ID]


def test_a_failed_test_of_an_image_that_is_available() -> None:
    boot, cis = built().tests
    assert not boot.passed
    assert cis.passed
    assert boot == TestResult(
        name="boot",
        arn=f"{answers.HERE}:workflow/test/boot/1.0.0/1",
        type="TEST",
        status="FAILED",
        parallel_group=None,
        execution_id=answers.BOOT_ID,
        start="2026-09-09T19:12:10.000Z",
        end="2026-09-09T19:14:10.000Z",
        duration=120.0,
        steps_total=4,
        steps_succeeded=2,
        steps_failed=1,
        steps_skipped=0,
        message="Step RunBoot failed",
    )
    assert cis.parallel_group == "security"


def test_only_tests_are_test_results() -> None:
    assert [type(item) for item in built().workflows] == [
        WorkflowResult,
        TestResult,
        TestResult,
        WorkflowResult,
    ]


def test_a_skipped_test_did_not_pass() -> None:
    skipped = answers.boot(status="SKIPPED")
    del skipped["startTime"], skipped["endTime"]
    (test,) = ImageResult.from_api(answers.image(), [skipped]).tests
    assert not test.passed
    assert test.duration is None


def test_a_duration_is_from_the_first_start_to_the_last_end_of_a_phase() -> None:
    assert built().duration == {"build": 403.5, "test": 240.0, "distribution": 240.0, "total": 900.0}


def test_a_phase_that_has_not_finished_has_no_duration() -> None:
    running = answers.cis(status="RUNNING")
    del running["endTime"]
    result = ImageResult.from_api(answers.image("TESTING"), [answers.boot(), running])
    assert result.duration == {}
    assert [test.duration for test in result.tests] == [120.0, None]


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("2026-09-09T19:12:10Z", "2026-09-09T19:12:10.25Z", 0.25),
        ("2026-09-09T19:12:10.123456789Z", "2026-09-09T19:12:11.123456789Z", 1.0),
        ("2026-09-09T19:12:10+00:00", "2026-09-09T20:12:10+01:00", 0.0),
        ("2026-09-09T19:12:10", "2026-09-09T19:13:10", 60.0),
        ("2026-09-09T19:12:10Z", "2026-09-09T19:12:09Z", 0.0),
        ("Sep 9, 2026 7:12 PM", "2026-09-09T19:12:09Z", None),
    ],
)
def test_times_in_any_iso_form_are_read_and_others_ignored(
    start: str, end: str, seconds: float | None
) -> None:
    (test,) = ImageResult.from_api(answers.image(), [answers.boot(startTime=start, endTime=end)]).tests
    assert test.duration == pytest.approx(seconds)


def test_the_smallest_possible_answer_of_aws() -> None:
    result = ImageResult.from_api({"arn": answers.ARN, "state": {"status": "PENDING"}})
    assert (result.name, result.version, result.type) == ("golden-al2023", "1.0.0/3", "AMI")
    assert result.to_dict()["amis"] == []


def test_a_failed_image_has_its_failure() -> None:
    result = ImageResult.from_api(answers.failed_in_component(), answers.executions())
    assert result.failure is not None
    assert result.failure.component.arn == answers.COMPONENT


RESULTS = [
    built(),
    ImageResult.from_api(answers.container_image()),
    ImageResult.from_api(answers.failed_in_component(), answers.executions()),
    ImageResult.from_api(answers.failed_in_integration()),
    ImageResult.from_api({"arn": answers.ARN, "state": {"status": "CANCELLED"}}),
]


@pytest.mark.parametrize("result", RESULTS)
def test_a_result_is_the_same_after_a_round_trip_through_json(result: ImageResult) -> None:
    stored = json.loads(json.dumps(result.to_dict()))
    assert stored == result.to_dict()
    assert ImageResult.from_dict(stored) == result
    assert pickle.loads(pickle.dumps(result)) == result


def test_the_members_that_a_template_reads_from_the_xcom() -> None:
    stored = built().to_dict()
    assert stored["schema"] == 1
    assert stored["amis"][1]["image"] == "ami-0aaaaaaaaaaaaaaa2"
    assert [item["passed"] for item in stored["workflows"]] == [True, False, True, True]
    assert stored["duration"]["total"] == 900.0


def test_a_record_of_schema_1_with_more_in_it_is_read() -> None:
    stored = ImageResult.from_api(answers.failed_in_component(), answers.executions()).to_dict()
    failure = stored["failure"]
    nested = [failure[name] for name in ("workflow", "step", "component", "log")]
    for part in (stored, *stored["amis"], *stored["workflows"], failure, *nested):
        part["added_later"] = {"by": "another version"}
    expected = ImageResult.from_api(answers.failed_in_component(), answers.executions())
    assert ImageResult.from_dict(stored) == expected


# The record of the first version. It never changes.
FIRST = {
    "schema": 1,
    "arn": answers.ARN,
    "name": "Golden-AL2023",
    "version": "1.0.0/3",
    "status": "AVAILABLE",
    "amis": [
        {
            "region": "us-east-1",
            "account_id": "123456789012",
            "image": "ami-1",
            "name": "a",
            "status": "AVAILABLE",
        }
    ],
    "containers": [{"region": "us-east-1", "image_uris": ["a/b:1"]}],
    "workflows": [
        {"name": "boot", "arn": "arn", "type": "TEST", "status": "COMPLETED", "duration": 1.5, "passed": True}
    ],
    "tags": {},
}


def test_a_record_of_the_first_version_is_read() -> None:
    result = ImageResult.from_dict(FIRST)
    assert result.amis[0].image == "ami-1"
    assert result.containers[0].image_uris == ("a/b:1",)
    assert result.tests[0].passed


def test_a_record_of_a_later_schema_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has schema 2.*upgrade"):
        ImageResult.from_dict({**FIRST, "schema": 2})


@given(st.permutations(answers.executions()))
def test_the_order_of_aws_s_answer_does_not_matter(shuffled: list[dict[str, Any]]) -> None:
    assert ImageResult.from_api(answers.image(), shuffled) == built()


def test_the_log_is_named_by_the_image_s_name_with_its_case() -> None:
    assert log_location(answers.image()) == ("/aws/imagebuilder/Golden-AL2023", "1.0.0/3")


def test_an_own_log_group_keeps_the_stream() -> None:
    own = answers.image(loggingConfiguration={"logGroupName": "/team/images"})
    assert log_location(own) == ("/team/images", "1.0.0/3")


def test_the_arn_alone_gives_the_log_of_a_lower_case_name() -> None:
    assert log_location({"arn": answers.ARN}) == ("/aws/imagebuilder/golden-al2023", "1.0.0/3")
