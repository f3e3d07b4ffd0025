"""The sensor: which image it waits for, how it ends, and that it never cancels."""

from __future__ import annotations

import functools
import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset

from airflow_imagebuilder.compat import AirflowSensorTimeout, AirflowSkipException
from airflow_imagebuilder.operators.waiting.operator import MAX_RESUMES
from airflow_imagebuilder.sensors import ImageBuilderImageSensor
from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageCancelledError,
    ImageFailedError,
    ImageNotFoundError,
    InvalidRequestError,
    NotFoundError,
    SearchInterruptedError,
    StateStoreError,
    TestsFailedError,
    ThrottledError,
)
from airflow_imagebuilder.triggers import ImageBuilderFindImageTrigger, ImageBuilderImageTrigger
from airflow_imagebuilder.xcom import BUILD_KEY, LIVE_BUILD_KEY
from tests.support.arns import BOOT, IMAGE, image_arn
from tests.support.image_builder import FakeImageBuilder
from tests.support.listed import PIPELINE, at, listed
from tests.support.operators import TROUBLES, assert_defers, event, execution, with_hook
from tests.support.supervisor import install_for_task
from tests.support.task import FakeTask

DUE = datetime(2026, 1, 1, 6, tzinfo=timezone.utc)
NEWER = image_arn(2)
CANCELS = ("cancel_image", "acancel_image", "create_image", "retry_image", "delete_outputs")


def sensor(aws: FakeImageBuilder, **options: Any) -> Any:
    wanted = (
        options
        if options.keys() & {"pipeline_arn", "image_name", "image_build_version_arn"}
        else {
            "pipeline_arn": PIPELINE,
            **options,
        }
    )
    return with_hook(ImageBuilderImageSensor(task_id="t", **wanted), aws)


def task_of_run(**ti: Any) -> FakeTask:
    task = FakeTask(**ti)
    task.context["dag_run"] = SimpleNamespace(run_after=DUE, clear_number=0, start_date=DUE)
    return task


@pytest.fixture
def task() -> FakeTask:
    return task_of_run()


@pytest.fixture
def aws() -> FakeImageBuilder:
    """An image that was created at 7, after the run was due; AWS does not list it yet."""
    fake = FakeImageBuilder("BUILDING")
    fake.image["dateCreated"] = at(7)
    return fake


def show(aws: FakeImageBuilder, arn: str = IMAGE, status: str = "BUILDING", hour: float = 7) -> None:
    """Let the lists and GetImage show an image."""
    aws.images[arn] = {
        "arn": arn, "name": "golden", "version": f"1.0.0/{arn[-1]}", "type": "AMI",
        "state": {"status": status}, "dateCreated": at(hour),
    }  # fmt: skip
    number = int(arn[-1])
    others = [one for one in aws.listed if one["arn"] != arn]
    aws.listed = [*others, listed(number, status, hour=hour)]


def found(arn: str = IMAGE, **more: Any) -> dict[str, Any]:
    known = {"deadline": time.time() + 60, "resumes": 0, "missing": False, **more}
    return event("found", **known) | {"image_build_version_arn": arn}


def ended(outcome: str = "ended", arn: str | None = IMAGE, **more: Any) -> dict[str, Any]:
    known = {"deadline": time.time() + 60, "resumes": 0, "missing": False, **more}
    return event(outcome, **known) | {"image_build_version_arn": arn}


# -- which image -------------------------------------------------------------------------------------------


def test_a_known_image_in_progress_is_watched_and_its_arn_is_published(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    trigger = assert_defers(lambda: sensor(aws, image_build_version_arn=IMAGE).execute(task.context))
    assert isinstance(trigger, ImageBuilderImageTrigger)
    assert trigger.image_build_version_arn == IMAGE
    assert trigger.cancel_on_kill is False
    assert task.xcoms["image_build_version_arn"] == IMAGE
    assert task.xcoms["imagebuilder_images_link"]["region_name"] == "us-east-1"


def test_an_image_that_has_ended_since_is_returned_without_a_wait(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    show(aws, status="AVAILABLE")
    assert sensor(aws).execute(task.context)["arn"] == IMAGE
    assert task.xcoms["image_build_version_arn"] == IMAGE


def test_without_an_image_the_task_waits_for_one_since_its_run_was_due(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    show(aws, status="AVAILABLE", hour=5)
    trigger = assert_defers(lambda: sensor(aws, poll_interval=timedelta(seconds=5)).execute(task.context))
    assert isinstance(trigger, ImageBuilderFindImageTrigger)
    assert (trigger.since, trigger.in_progress) == (DUE.isoformat(), True)
    assert (trigger.pipeline_arn, trigger.poll_interval) == (PIPELINE, 5.0)
    assert "image_build_version_arn" not in task.xcoms


def test_one_that_began_before_the_run_and_is_in_progress_counts_unless_since_is_given(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    show(aws, hour=5)
    watching = assert_defers(lambda: sensor(aws).execute(task.context))
    assert isinstance(watching, ImageBuilderImageTrigger)
    waiting = assert_defers(lambda: sensor(aws, since=DUE).execute(task.context))
    assert isinstance(waiting, ImageBuilderFindImageTrigger)
    assert waiting.in_progress is False


@pytest.mark.parametrize(
    "since",
    [
        DUE.replace(hour=4),
        DUE.replace(hour=4, tzinfo=None),
        "2026-01-01T04:00:00Z",
        "2026-01-01 05:00:00+01:00",
        "2026-01-01T04:00",
    ],
)
def test_since_is_a_time_or_text_and_utc_without_a_zone(
    aws: FakeImageBuilder, task: FakeTask, since: Any
) -> None:
    trigger = assert_defers(lambda: sensor(aws, since=since).execute(task.context))
    assert trigger.since == "2026-01-01T04:00:00+00:00"


@pytest.mark.parametrize("since", ["", "None"])
def test_a_since_that_renders_nothing_is_the_default(
    aws: FakeImageBuilder, task: FakeTask, since: str
) -> None:
    trigger = assert_defers(lambda: sensor(aws, since=since).execute(task.context))
    assert (trigger.since, trigger.in_progress) == (DUE.isoformat(), True)


def test_the_newest_of_a_name_and_version_is_watched(aws: FakeImageBuilder, task: FakeTask) -> None:
    show(aws)
    trigger = assert_defers(lambda: sensor(aws, image_name="Golden", version="1.x.x").execute(task.context))
    assert trigger.image_build_version_arn == IMAGE
    assert aws.targets("list_image_build_versions") == ["Golden,golden"]
    other = assert_defers(lambda: sensor(aws, image_name="golden", version="2.x.x").execute(task.context))
    assert (other.image_name, other.version) == ("golden", "2.x.x")


def test_the_found_image_is_published_and_then_watched(aws: FakeImageBuilder, task: FakeTask) -> None:
    operator, resumed = sensor(aws), found()
    trigger = assert_defers(lambda: operator.execute_complete(task.context, resumed))
    assert (trigger.image_build_version_arn, trigger.deadline) == (IMAGE, resumed["deadline"])
    assert task.xcoms["image_build_version_arn"] == IMAGE


def test_a_newer_image_does_not_replace_the_one_that_is_watched(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    show(aws, status="AVAILABLE")
    show(aws, NEWER, hour=8)
    assert sensor(aws).execute_complete(task.context, ended())["arn"] == IMAGE


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_where_the_image_ends_badly_a_newer_one_is_watched_until_the_same_deadline(
    aws: FakeImageBuilder, task: FakeTask, status: str
) -> None:
    show(aws, status=status)
    show(aws, NEWER, hour=8)
    resumed = ended()
    trigger = assert_defers(lambda: sensor(aws).execute_complete(task.context, resumed))
    assert (trigger.image_build_version_arn, trigger.deadline) == (NEWER, resumed["deadline"])
    assert task.xcoms["image_build_version_arn"] == NEWER


def test_an_older_image_never_replaces_one_that_failed(aws: FakeImageBuilder, task: FakeTask) -> None:
    show(aws, NEWER, "AVAILABLE", hour=6.5)
    show(aws, status="FAILED")
    with pytest.raises(ImageFailedError, match="only observes"):
        sensor(aws).execute(task.context)


def test_a_known_image_that_failed_is_not_replaced(aws: FakeImageBuilder, task: FakeTask) -> None:
    show(aws, status="FAILED")
    show(aws, NEWER, hour=8)
    with pytest.raises(ImageFailedError) as caught:
        sensor(aws, image_build_version_arn=IMAGE).execute(task.context)
    assert "clear the task" not in str(caught.value)
    assert "RetryImage" in str(caught.value)


def test_trouble_of_the_search_for_a_newer_image_does_not_hide_the_failure(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    show(aws, status="CANCELLED")
    aws.before("list_image_pipeline_images", ThrottledError("ListImagePipelineImages"))
    with pytest.raises(ImageCancelledError):
        sensor(aws).execute_complete(task.context, ended())


def test_an_image_that_was_repaired_meanwhile_is_watched_on(aws: FakeImageBuilder, task: FakeTask) -> None:
    show(aws, status="TESTING")
    trigger = assert_defers(lambda: sensor(aws).execute_complete(task.context, ended()))
    assert (trigger.image_build_version_arn, trigger.resumes) == (IMAGE, 1)


def test_a_new_try_decides_again(aws: FakeImageBuilder) -> None:
    show(aws, status="FAILED")
    show(aws, NEWER, hour=8)
    second = task_of_run(try_number=2)
    trigger = assert_defers(lambda: sensor(aws).execute_complete(second.context, ended(try_number=1)))
    assert trigger.image_build_version_arn == NEWER


@pytest.mark.parametrize("status", ["BUILDING", "AVAILABLE", "FAILED"])
def test_without_waiting_the_arn_is_returned_as_soon_as_there_is_an_image(
    aws: FakeImageBuilder, task: FakeTask, status: str
) -> None:
    submitted = assert_defers(lambda: sensor(aws, wait_for_completion=False).execute(task.context))
    assert isinstance(submitted, ImageBuilderFindImageTrigger)
    show(aws, status=status)
    assert sensor(aws, wait_for_completion=False).execute(task.context) == IMAGE
    assert sensor(aws, wait_for_completion=False).execute_complete(task.context, found()) == IMAGE
    assert rescheduled(aws, wait_for_completion=False).poke(task.context).xcom_value == IMAGE
    assert task.xcoms["image_build_version_arn"] == IMAGE


# -- the end -----------------------------------------------------------------------------------------------


def test_the_outlets_get_the_image_as_asset_events(aws: FakeImageBuilder, task: FakeTask) -> None:
    show(aws, status="AVAILABLE")
    asset = Asset("golden")
    sensor(aws, outlets=[asset]).execute(task.context)
    assert task.context["outlet_events"][asset].extra["image_arn"] == IMAGE


def test_failed_tests_fail_the_task_only_where_asked_for(aws: FakeImageBuilder, task: FakeTask) -> None:
    show(aws, status="AVAILABLE")
    aws.executions = [execution(BOOT, "FAILED")]
    assert sensor(aws).execute(task.context)["status"] == "AVAILABLE"
    with pytest.raises(TestsFailedError):
        sensor(aws, fail_on_test_failure=True).execute(task.context)
    with pytest.raises(AirflowSkipException):
        sensor(aws, fail_on_test_failure=True, soft_fail=True).execute(task.context)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "DELETED"])
@pytest.mark.parametrize("deferrable", [True, False])
def test_with_soft_fail_an_image_that_ended_badly_skips_with_the_reason(
    aws: FakeImageBuilder, task: FakeTask, status: str, deferrable: bool
) -> None:
    show(aws, status=status)
    options: dict[str, Any] = {"image_build_version_arn": IMAGE, "deferrable": deferrable}
    with pytest.raises((ImageFailedError, ImageCancelledError)):
        sensor(aws, **options).execute(task.context)
    with pytest.raises(AirflowSkipException, match=f"(?i){status}"):
        sensor(aws, soft_fail=True, **options).execute(task.context)
    resumed = sensor(aws, soft_fail=True, **options)
    with pytest.raises(AirflowSkipException, match=f"(?i){status}"):
        resumed.resume_execution("execute_complete", {"event": ended()}, task.context)


def test_soft_fail_does_not_hide_that_aws_refuses_but_never_fail_does(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    refused = ended("error", None, resumes=MAX_RESUMES)
    aws.before("list_image_pipeline_images", ForbiddenError("ListImagePipelineImages"), times=2)
    with pytest.raises(SearchInterruptedError, match="policy"):
        sensor(aws, soft_fail=True).execute_complete(task.context, refused)
    with pytest.raises(AirflowSkipException):
        sensor(aws, never_fail=True).execute_complete(task.context, refused)


def test_the_timeout_counts_from_the_start_of_the_try_and_takes_seconds(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    before = time.time()
    for timeout in (100, timedelta(seconds=100)):
        operator = sensor(aws, timeout=timeout)
        trigger = assert_defers(functools.partial(operator.execute, task.context))
        assert before + 100 <= trigger.deadline <= time.time() + 100


@pytest.mark.parametrize("soft_fail", [True, False])
def test_an_image_in_progress_at_the_deadline_times_out_and_keeps_building(
    aws: FakeImageBuilder, task: FakeTask, soft_fail: bool
) -> None:
    expected = AirflowSkipException if soft_fail else AirflowSensorTimeout
    with pytest.raises(expected, match="still BUILDING"):
        sensor(aws, soft_fail=soft_fail).execute_complete(task.context, ended("deadline"))
    assert aws.in_progress() == [IMAGE]


def test_an_image_that_finished_at_the_deadline_is_returned(aws: FakeImageBuilder, task: FakeTask) -> None:
    show(aws, status="AVAILABLE")
    assert sensor(aws).execute_complete(task.context, ended("deadline"))["arn"] == IMAGE
    assert sensor(aws).execute_complete(task.context, ended("deadline", None))["arn"] == IMAGE


def test_no_image_at_the_deadline_times_out_with_what_aws_shows(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    show(aws, status="AVAILABLE", hour=5)
    with pytest.raises(AirflowSensorTimeout, match=r"golden 1\.0\.0/1 \(AVAILABLE, 2026-01-01T05"):
        sensor(aws).execute_complete(task.context, ended("deadline", None))


# -- trouble -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: type(error).__name__)
def test_trouble_of_the_first_call_leaves_the_search_to_the_trigger(
    aws: FakeImageBuilder, task: FakeTask, trouble: Exception
) -> None:
    aws.before("list_image_pipeline_images", trouble)
    trigger = assert_defers(lambda: sensor(aws).execute(task.context))
    assert isinstance(trigger, ImageBuilderFindImageTrigger)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: type(error).__name__)
def test_trouble_after_a_wait_begins_it_again_a_bounded_number_of_times(
    aws: FakeImageBuilder, task: FakeTask, trouble: Exception
) -> None:
    aws.before("get_image", trouble, times=10**6)
    trigger = assert_defers(lambda: sensor(aws).execute_complete(task.context, ended("error")))
    assert (trigger.image_build_version_arn, trigger.resumes) == (IMAGE, 1)
    with pytest.raises((SearchInterruptedError, ImageNotFoundError)):
        sensor(aws).execute_complete(task.context, ended("error", resumes=MAX_RESUMES))


def test_a_pipeline_that_is_missing_for_the_grace_is_an_error_that_names_it(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    aws.before("get_image_pipeline", NotFoundError("GetImagePipeline"), times=10**6)
    trigger = assert_defers(lambda: sensor(aws).execute(task.context))
    assert isinstance(trigger, ImageBuilderFindImageTrigger)
    with pytest.raises(SearchInterruptedError, match=PIPELINE):
        sensor(aws, soft_fail=True).execute_complete(task.context, ended("error", None, missing=True))


def test_trouble_that_is_over_goes_unnoticed(aws: FakeImageBuilder, task: FakeTask) -> None:
    show(aws)
    trigger = assert_defers(lambda: sensor(aws).execute_complete(task.context, ended("error", None)))
    assert trigger.image_build_version_arn == IMAGE


@pytest.mark.parametrize("before_3_3", [True, False])
def test_a_retry_after_the_exception_of_a_trigger_begins_at_execute(
    aws: FakeImageBuilder, task: FakeTask, monkeypatch: pytest.MonkeyPatch, before_3_3: bool
) -> None:
    states = "airflow_imagebuilder.operators.waiting.task_state.stores_in_variables"
    monkeypatch.setattr(states, lambda: before_3_3)
    failure = {"error": "Trigger failure", "traceback": ["TypeError: no"]}
    assert_defers(lambda: sensor(aws).execute(task.context))
    with pytest.raises(Exception, match="Trigger failure"):
        sensor(aws).resume_execution("__fail__", dict(failure), task.context)
    with pytest.raises(AirflowSkipException):
        sensor(aws, soft_fail=True).resume_execution("__fail__", dict(failure), task.context)
    task.next_try()  # Airflow 3.0 keeps the method, and the XComs with it
    if before_3_3:
        assert_defers(lambda: sensor(aws).resume_execution("__fail__", dict(failure), task.context))


# -- the sensor never cancels ------------------------------------------------------------------------------


def test_nothing_that_ends_the_task_changes_an_image(
    aws: FakeImageBuilder, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(aws)
    operator = sensor(aws)
    assert_defers(lambda: operator.execute(task.context))
    task.state = "failed"
    operator.on_kill()
    with pytest.raises(AirflowSensorTimeout):
        operator.execute_complete(task.context, ended("deadline"))
    show(aws, status="FAILED")
    with pytest.raises(ImageFailedError):
        operator.execute_complete(task.context, ended())
    assert [call for call in aws.calls if call.method in CANCELS] == []


# -- on the worker -----------------------------------------------------------------------------------------


def test_in_mode_poke_the_worker_waits_as_the_triggerer_would(
    aws: FakeImageBuilder, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []

    def end(kind: type[Any], fired: dict[str, Any], status: str) -> None:
        async def wait(trigger: Any) -> dict[str, Any]:
            begun.append(type(trigger))
            show(aws, NEWER, status)
            return fired

        monkeypatch.setattr(kind, "wait", wait)

    show(aws, hour=5, status="AVAILABLE")
    end(ImageBuilderFindImageTrigger, found(NEWER), "BUILDING")
    end(ImageBuilderImageTrigger, ended(arn=NEWER), "AVAILABLE")
    assert sensor(aws, deferrable=False).execute(task.context)["arn"] == NEWER
    assert begun == [ImageBuilderFindImageTrigger, ImageBuilderImageTrigger]


def rescheduled(aws: FakeImageBuilder, **options: Any) -> Any:
    return sensor(aws, deferrable=False, mode="reschedule", **options)


def test_rescheduled_polls_keep_the_image_of_the_first_and_publish_it_each_time(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    assert rescheduled(aws).poke(task.context) is False
    show(aws)
    assert rescheduled(aws).poke(task.context) is False
    show(aws, NEWER, hour=8)
    task.xcoms.clear()  # Airflow does, each time
    assert rescheduled(aws).poke(task.context) is False
    assert task.xcoms["image_build_version_arn"] == IMAGE
    show(aws, status="AVAILABLE")
    done = rescheduled(aws).poke(task.context)
    assert done.is_done
    assert done.xcom_value["arn"] == IMAGE


def test_a_rescheduled_sensor_takes_a_newer_image_where_the_first_one_failed(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    show(aws)
    rescheduled(aws).poke(task.context)
    show(aws, status="FAILED")
    show(aws, NEWER, hour=8)
    assert rescheduled(aws).poke(task.context) is False
    show(aws, NEWER, "AVAILABLE", hour=8)
    assert rescheduled(aws).poke(task.context).xcom_value["arn"] == NEWER


def test_another_try_of_a_rescheduled_sensor_decides_again(aws: FakeImageBuilder, task: FakeTask) -> None:
    show(aws)
    rescheduled(aws).poke(task.context)
    show(aws, NEWER, hour=8)
    task.next_try()
    rescheduled(aws).poke(task.context)
    assert task.xcoms["image_build_version_arn"] == NEWER


def test_a_rescheduled_sensor_tolerates_throttling_always_and_a_refusal_for_the_grace(
    aws: FakeImageBuilder, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("airflow_imagebuilder.operators.waiting.observation.time.time", lambda: clock[0])
    aws.pipelines[PIPELINE] = {"arn": PIPELINE}
    lists = "list_image_pipeline_images"
    aws.before(lists, ThrottledError("ListImagePipelineImages"), times=3)
    for _ in range(3):
        clock[0] += 60
        assert rescheduled(aws).poke(task.context) is False
    aws.before(lists, ForbiddenError("ListImagePipelineImages"), times=3)
    for seconds in (60, 20):
        clock[0] += seconds
        assert rescheduled(aws).poke(task.context) is False
    clock[0] += 20
    with pytest.raises(SearchInterruptedError, match=PIPELINE):
        rescheduled(aws).poke(task.context)
    for _ in range(2):  # trouble that is over does not count towards the next one
        assert rescheduled(aws).poke(task.context) is False
        clock[0] += 60
        aws.before(lists, ForbiddenError("ListImagePipelineImages"))
        assert rescheduled(aws).poke(task.context) is False


def test_a_store_that_does_not_answer_costs_the_choice_and_not_the_task(
    aws: FakeImageBuilder, task: FakeTask
) -> None:
    show(aws, status="AVAILABLE")
    task.store.before("get", StateStoreError("down"))
    task.store.before("set", StateStoreError("down"))
    assert rescheduled(aws).poke(task.context).is_done


@pytest.mark.parametrize("soft_fail", [True, False])
def test_a_rescheduled_sensor_fails_or_skips_with_the_reason(
    aws: FakeImageBuilder, task: FakeTask, soft_fail: bool
) -> None:
    show(aws, status="FAILED")
    with pytest.raises(AirflowSkipException if soft_fail else ImageFailedError, match="Image golden"):
        rescheduled(aws, soft_fail=soft_fail).execute(task.context)


# -- arguments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["exactly one of"]),
        ({"pipeline_arn": PIPELINE, "image_name": "golden"}, ["exactly one of"]),
        ({"pipeline_arn": IMAGE}, ["an image pipeline"]),
        ({"pipeline_arn": PIPELINE, "version": "1.0.0"}, ["version", "image_name only"]),
        ({"image_build_version_arn": IMAGE, "since": DUE}, ["since", "names one image"]),
        ({"image_name": "golden", "version": "x.1.1", "since": "soon"}, ["version: got", "since: got"]),
        ({"image_name": IMAGE}, ["image_name: got", "as image_build_version_arn"]),
        ({"image_name": "golden-*"}, ["image_name: got", "take out '*'"]),
        ({"image_name": "golden", "since": "0001-01-01T00:00:00+01:00"}, ["since: got"]),
        (
            {"image_name": "golden", "since": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))},
            ["since: got"],
        ),
        ({"image_name": "golden", "version": "1.0.0/2"}, ["without a build number"]),
        ({"image_name": "golden", "deferrable": "yes", "poll_interval": 0}, ["deferrable", "poll_interval"]),
        ({"image_name": "golden", "cancel_on_kill": True}, ["cancel_on_kill"]),
    ],
)
def test_wrong_arguments_are_refused_at_parse_with_what_to_do(
    options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InvalidRequestError, match="task 't'") as caught:
        ImageBuilderImageSensor(task_id="t", **options)
    for word in words:
        assert word in str(caught.value)


def test_templates_are_checked_when_they_are_rendered(aws: FakeImageBuilder, task: FakeTask) -> None:
    operator = sensor(aws, image_name="{{ params.name }}", since="{{ data_interval_start }}")
    operator.image_name, operator.since = "golden", "yesterday"
    with pytest.raises(InvalidRequestError, match="since: got 'yesterday'"):
        operator.execute(task.context)


@pytest.mark.parametrize("rendered", ["", "None"])
def test_an_arn_that_renders_nothing_skips(aws: FakeImageBuilder, task: FakeTask, rendered: str) -> None:
    operator = sensor(aws, image_build_version_arn="{{ ti.xcom_pull('other') }}")
    operator.image_build_version_arn = rendered
    with pytest.raises(AirflowSkipException):
        operator.execute(task.context)


def test_a_name_that_renders_nothing_is_refused(aws: FakeImageBuilder, task: FakeTask) -> None:
    operator = sensor(aws, image_name="{{ params.name }}")
    operator.image_name = ""
    with pytest.raises(InvalidRequestError, match="exactly one of"):
        operator.execute(task.context)


def test_it_is_mapped_with_seconds_as_timeout_and_a_wrong_part_is_refused_at_parse() -> None:
    ImageBuilderImageSensor.partial(task_id="t", timeout=60, soft_fail=True).expand(pipeline_arn=[PIPELINE])
    with pytest.raises(InvalidRequestError, match="since"):
        ImageBuilderImageSensor.partial(task_id="t", since="soon")


# -- what is recorded --------------------------------------------------------------------------------------


def test_a_sensor_records_an_image_that_it_has_not_submitted(
    aws: FakeImageBuilder, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = install_for_task(monkeypatch)
    assert_defers(lambda: sensor(aws, image_build_version_arn=IMAGE).execute(task.context))
    aws.finish(IMAGE, "AVAILABLE")
    sensor(aws, image_build_version_arn=IMAGE).execute_complete(task.context, ended())
    assert airflow.keys == [LIVE_BUILD_KEY, BUILD_KEY]
    assert [record["submitted"] for _, record in airflow.written] == [False, False]


def test_an_image_that_a_newer_one_replaces_is_not_recorded_as_the_end(
    aws: FakeImageBuilder, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A final record counts before a live one, so that of the newer image would not be seen."""
    airflow = install_for_task(monkeypatch)
    show(aws, status="FAILED")
    show(aws, NEWER, hour=8)
    assert_defers(lambda: sensor(aws).execute_complete(task.context, ended()))
    assert [(key, record["arn"]) for key, record in airflow.written] == [(LIVE_BUILD_KEY, NEWER)]


def test_a_sensor_records_the_image_that_fails_it(
    aws: FakeImageBuilder, task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = install_for_task(monkeypatch)
    show(aws, status="FAILED")
    with pytest.raises(ImageFailedError):
        sensor(aws).execute_complete(task.context, ended())
    assert airflow.kept[BUILD_KEY]["failure"]["text"]
