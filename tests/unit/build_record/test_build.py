"""The record of an image: what it shows, what it keeps of the record before, and that it never grows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_imagebuilder.build_record.bounds import BUILD_BYTES, size
from airflow_imagebuilder.build_record.build import STAGES, Answers, build_record
from tests.support.arns import BOOT, BUILD, IMAGE, INFRASTRUCTURE, PIPELINE, RECIPE, USERS, workflow_arn
from tests.support.operators import execution

NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z
MEMBERS = {
    "schema", "arn", "name", "version", "type", "platform", "os_version", "recipe", "recipe_arn",
    "pipeline_arn", "status", "reason", "ended", "created_at", "ended_at", "observed_at", "written_at",
    "duration", "submitted", "try_number", "stages", "instance_types", "declared", "workflows",
    "tests_passed", "tests_failed", "tests_total", "amis", "containers", "scan", "failure", "truncated",
}  # fmt: skip


def image(status: str = "BUILDING", **more: Any) -> dict[str, Any]:
    """Return GetImage's ``image``."""
    whole = {
        "arn": IMAGE,
        "name": "Golden",
        "version": "1.0.0/1",
        "type": "AMI",
        "platform": "Linux",
        "osVersion": "Amazon Linux 2023",
        "dateCreated": "2026-01-01T11:00:00.000Z",
        "sourcePipelineArn": PIPELINE,
        "imageRecipe": {"arn": RECIPE, "name": "golden", "version": "1.0.0"},
        "infrastructureConfiguration": {"arn": INFRASTRUCTURE, "instanceTypes": ["t3.large"]},
        "workflows": [
            {"workflowArn": BUILD},
            {"workflowArn": BOOT, "parallelGroup": "f"},
            {"workflowArn": USERS, "parallelGroup": "f"},
        ],
        "state": {"status": status},
    }
    return {**whole, **more}


def listed(status: str) -> dict[str, Any]:
    """Return an image as a list of builds shows it."""
    names = ("arn", "name", "version", "type", "platform", "osVersion", "dateCreated")
    return {**{name: image()[name] for name in names}, "state": {"status": status}}


def record(found: dict[str, Any], at: float = NOON, **more: Any) -> dict[str, Any]:
    answers = {name: more.pop(name) for name in ("executions", "steps") if name in more}
    options = {"submitted": True, "try_number": 1, **more}
    return build_record(Answers(image=found, asked_at=at, **answers), now=at, **options)


def run(arn: str, status: str, number: str, start: str, end: str | None = None, **more: Any) -> Any:
    times = {"startTime": f"2026-01-01T{start}:00Z"} | ({"endTime": f"2026-01-01T{end}:00Z"} if end else {})
    return execution(arn, status, number, parallelGroup="f", **times, **more)


def test_a_record_has_all_its_members_and_is_json() -> None:
    found = record(image())
    assert set(found) == MEMBERS
    assert json.loads(json.dumps(found)) == found
    assert found["recipe"] == "golden/1.0.0"
    assert (found["ended"], found["ended_at"], found["duration"]) == (False, None, None)
    assert [item["name"] for item in found["declared"]] == ["golden-build", "boot", "users"]
    assert (found["tests_total"], found["tests_passed"]) == (2, 0)
    assert found["stages"] == [{"status": "BUILDING", "since": "2026-01-01T11:00:00.000Z"}]


def test_a_list_shows_less_than_getimage_and_the_record_keeps_what_it_knew() -> None:
    first = record(image())
    then = record(listed("TESTING"), NOON + 60, before=first)
    for member in ("recipe", "recipe_arn", "pipeline_arn", "instance_types", "declared", "created_at"):
        assert then[member] == first[member], member
    assert [stage["status"] for stage in then["stages"]] == ["BUILDING", "TESTING"]
    assert then["stages"][1]["since"] == "2026-01-01T12:01:00.000Z"


def test_a_record_of_another_image_is_not_continued() -> None:
    other = record(image(arn=IMAGE.replace("/1.0.0/1", "/1.0.0/7")))
    assert record(listed("TESTING"), before=other)["recipe"] is None


def test_an_older_answer_does_not_turn_the_time_back() -> None:
    """The clock of a service may be ahead of this machine's."""
    ahead = record(image(), executions=[run(BUILD, "COMPLETED", "wf-1", "15:00", "16:00")])
    assert ahead["observed_at"] == "2026-01-01T16:00:00.000Z"
    assert record(listed("TESTING"), before=ahead)["observed_at"] == ahead["observed_at"]


def test_a_repaired_image_has_both_attempts_of_a_test() -> None:
    runs = [
        run(BUILD, "COMPLETED", "wf-b", "11:00", "11:10"),
        run(BOOT, "FAILED", "wf-1", "11:10", "11:20", retried=True, message="no route"),
        run(BOOT, "COMPLETED", "wf-2", "11:30", "11:40"),
    ]
    found = record(image("TESTING"), executions=runs)
    assert [(item["execution_id"], item["attempt"], item["retried"]) for item in found["workflows"]] == [
        ("wf-b", 1, False),
        ("wf-1", 1, True),
        ("wf-2", 2, False),
    ]
    assert (found["tests_passed"], found["tests_failed"]) == (1, 0)


def test_equal_tests_of_one_group_are_both_first_attempts() -> None:
    twice = [{"workflowArn": BOOT, "parallelGroup": "f"}] * 2
    runs = [run(BOOT, "COMPLETED", f"wf-{n}", f"11:0{n}", "11:20") for n in range(2)]
    found = record(image("TESTING", workflows=twice), executions=runs)
    assert [item["attempt"] for item in found["workflows"]] == [1, 1]


def test_a_cancelled_test_has_not_failed() -> None:
    runs = [run(BOOT, "FAILED", "wf-1", "11:10", "11:20"), run(USERS, "CANCELLED", "wf-2", "11:10", "11:20")]
    assert record(image("FAILED"), executions=runs)["tests_failed"] == 1


def test_what_was_in_progress_is_not_repeated_from_an_older_record() -> None:
    """A monitor may have seen it end since: an old state with a new time would win over the monitor's."""
    runs = [run(BUILD, "COMPLETED", "wf-b", "11:00", "11:10"), run(BOOT, "RUNNING", "wf-1", "11:10")]
    first = record(image("TESTING"), executions=runs)
    then = record(listed("DISTRIBUTING"), NOON + 60, before=first)
    assert [item["execution_id"] for item in then["workflows"]] == ["wf-b"]


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_an_image_that_failed_ended_with_its_last_workflow(status: str) -> None:
    runs = [run(BUILD, "COMPLETED", "wf-b", "11:00", "11:10"), run(BOOT, "FAILED", "wf-1", "11:10", "11:20")]
    found = record(image(status), NOON, executions=runs)
    assert (found["ended_at"], found["duration"]) == ("2026-01-01T11:20:00.000Z", 1200.0)


def test_a_distribution_without_a_workflow_ends_when_a_task_sees_it() -> None:
    runs = [run(BUILD, "COMPLETED", "wf-b", "11:00", "11:10")]
    before = record(image("DISTRIBUTING"), NOON - 60)
    found = record(image("AVAILABLE"), NOON, executions=runs, before=before)
    assert found["ended_at"] == "2026-01-01T12:00:00.000Z"


def test_an_image_does_not_end_before_its_last_workflow() -> None:
    """Where the clock of a service is ahead, a record without executions shows an older time."""
    before = record(listed("AVAILABLE"), NOON, before=record(image("TESTING"), NOON - 60))
    runs = [run(BOOT, "COMPLETED", "wf-1", "14:00", "15:00")]
    found = record(image("AVAILABLE"), NOON, executions=runs, before=before)
    assert found["ended_at"] == found["stages"][-1]["since"] == "2026-01-01T15:00:00.000Z"


def test_the_final_record_keeps_the_end_that_the_trigger_saw() -> None:
    """The worker that resumes may come hours later."""
    before = record(image("DISTRIBUTING"), NOON - 60)
    seen = record(listed("AVAILABLE"), NOON, before=before)
    final = record(image("AVAILABLE"), NOON + 7200, before=seen, executions=[])
    assert final["ended_at"] == "2026-01-01T12:00:00.000Z"


def test_a_task_that_sees_only_the_end_of_an_image_does_not_guess_when_it_came() -> None:
    assert record(image("AVAILABLE"))["ended_at"] is None


def test_a_failure_has_the_advice_and_the_text_of_the_error() -> None:
    failed = run(BOOT, "FAILED", "wf-1", "11:10", "11:20", message="no route to host")
    steps = [{"stepExecutionId": "s", "name": "RunTests", "action": "ExecuteComponents", "status": "FAILED"}]
    found = record(image("FAILED"), executions=[failed], steps=steps)["failure"]
    assert (found["stage"], found["workflow"], found["step"]) == ("TESTING", "boot", "RunTests")
    assert found["message"] == "no route to host"
    assert found["advice"]
    assert "no route to host" in found["text"]
    assert record(image("CANCELLED"))["failure"] is None


def test_golden_amis_come_with_the_one_of_the_build_first() -> None:
    amis = [
        {"region": region, "accountId": "123456789012", "image": f"ami-{region}", "name": "golden"}
        for region in ("eu-west-1", "us-east-1")
    ]
    found = record(image("AVAILABLE", outputResources={"amis": amis}))
    assert [ami["image"] for ami in found["amis"]] == ["ami-us-east-1", "ami-eu-west-1"]
    assert record(image("FAILED", outputResources={"amis": amis}))["amis"] == []


def test_a_container_image_has_its_addresses() -> None:
    outputs = {"containers": [{"region": "us-east-1", "imageUris": ["repo:1"]}]}
    found = record(image("AVAILABLE", type="DOCKER", outputResources=outputs))
    assert found["containers"] == [{"region": "us-east-1", "image_uris": ["repo:1"]}]


def test_an_answer_without_almost_everything_gives_a_record() -> None:
    found = record({"arn": IMAGE, "state": {"status": "PENDING"}})
    assert set(found) == MEMBERS
    assert (found["name"], found["version"], found["type"]) == ("golden", "1.0.0/1", "AMI")
    assert found["observed_at"] == "2026-01-01T12:00:00.000Z"


def test_unreadable_times_are_left_out() -> None:
    found = record(image(dateCreated="yesterday"), executions=[execution(BOOT, "RUNNING", startTime="soon")])
    assert found["created_at"] is None
    assert found["workflows"][0]["start"] is None


def test_a_thousand_changes_keep_the_newest() -> None:
    found = record(image("BUILDING"))
    for number in range(STAGES + 10):
        status = ("TESTING", "FAILED")[number % 2]
        found = record(listed(status), NOON + number, before=found)
    assert len(found["stages"]) == STAGES
    assert found["stages"][-1]["status"] == "FAILED"
    assert "stages" in found["truncated"]


def test_a_reason_of_a_megabyte_is_cut() -> None:
    found = record(image("FAILED", state={"status": "FAILED", "reason": "x" * 1_000_000}))
    assert size(found) <= BUILD_BYTES
    assert found["reason"].endswith("(1000000 characters)")


def test_text_that_no_database_takes_is_made_plain() -> None:
    found = record(image("FAILED", state={"status": "FAILED", "reason": "a\x00b\ud800c\x1b[31md"}))
    assert found["reason"] == "a?b?cd"
    json.dumps(found, ensure_ascii=False).encode()


def test_messages_are_cut_first_and_amis_last() -> None:
    runs = [
        run(BOOT, "FAILED", f"wf-{n}", "11:10", "11:20", message="m" * 900, retried=n < 20) for n in range(25)
    ]
    amis = [{"region": f"eu-{n}", "accountId": "1", "image": f"ami-{n}", "name": "g"} for n in range(10)]
    found = record(image("AVAILABLE", outputResources={"amis": amis}), executions=runs)
    assert size(found) <= BUILD_BYTES
    assert found["truncated"] == ["workflows.message"]
    assert (len(found["workflows"]), len(found["amis"])) == (25, 10)


def test_superseded_executions_go_before_those_of_the_present_life() -> None:
    runs = [
        run(
            workflow_arn(f"test-{n:02d}-{'n' * 90}"), "COMPLETED", f"wf-{n}", "11:10", "11:20", retried=n < 50
        )
        for n in range(60)
    ]
    found = record(image("TESTING"), executions=runs)
    assert size(found) <= BUILD_BYTES
    assert "workflows" in found["truncated"]
    assert len(found["workflows"]) == 10
    assert not any(item["retried"] for item in found["workflows"])


hostile = st.one_of(
    st.text(max_size=50),
    st.sampled_from(
        ["\U0001f600" * 1500, '"\\' * 1500, "\x00" * 1500, "\ud800" * 400, "", "&<script>" * 999]
    ),
)
TEXTS = (
    "workflowBuildVersionArn", "workflowExecutionId", "type", "status", "parallelGroup", "startTime",
    "endTime", "message",
)  # fmt: skip
executions = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(TEXTS, hostile), "totalStepCount": st.integers(), "retried": st.booleans()}
)
states = st.sampled_from(["BUILDING", "FAILED", "AVAILABLE", "CANCELLED", "SOMETHING_NEW" * 99])


@settings(max_examples=25, deadline=None)
@given(
    text=st.tuples(hostile, hostile),
    status=states,
    runs=st.lists(executions, max_size=4),
    times=st.integers(1, 60),
    places=st.lists(hostile, max_size=4),
)
def test_no_answer_makes_a_record_that_is_too_large_or_no_json(
    text: tuple[str, str], status: str, runs: list[Any], times: int, places: list[str]
) -> None:
    name, reason = text
    outputs = {
        "amis": [
            {"region": place, "image": name, "name": name, "accountId": name} for place in places * times
        ],
        "containers": [{"region": place, "imageUris": places * 9} for place in places * times],
    }
    found = record(
        image(
            name=name,
            osVersion=name,
            version=name,
            sourcePipelineArn=name,
            state={"status": status, "reason": reason},
            outputResources=outputs,
            scanState={"status": reason, "reason": reason},
        ),
        executions=runs * times,
    )
    assert size(found) <= BUILD_BYTES
    assert size(record(listed(status), before=found)) <= BUILD_BYTES
    assert json.loads(json.dumps(found, ensure_ascii=False).encode()) == found
    assert set(found) == MEMBERS
