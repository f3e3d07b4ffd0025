"""What workers record of their images, and that it never fails a task."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetXCom

from airflow_imagebuilder import compat
from airflow_imagebuilder.compat import AirflowFailException
from airflow_imagebuilder.operators.waiting.recording import Recording
from airflow_imagebuilder.service.errors import DeadlineExceededError, ImageFailedError, TestsFailedError
from airflow_imagebuilder.xcom import BUILD_KEY, FINDINGS_KEY, LIVE_BUILD_KEY, WORKFLOW_KEY
from tests.support.arns import BOOT, IMAGE
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import assert_defers, create, event, execution, guard, monitor
from tests.support.supervisor import TaskSupervisor, install_for_task
from tests.support.task import FakeTask


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> TaskSupervisor:
    return install_for_task(monkeypatch)


def test_the_image_is_recorded_before_the_task_defers_and_when_it_has_ended(airflow: TaskSupervisor) -> None:
    aws, task = FakeImageBuilder(), FakeTask()
    operator = create(aws)
    trigger = assert_defers(lambda: operator.execute(task.context))
    assert airflow.keys == [LIVE_BUILD_KEY]
    arn = trigger.image_build_version_arn
    aws.finish(arn, "AVAILABLE")
    aws.executions = [execution(BOOT, "FAILED", "wf-0", retried=True), execution(BOOT, "COMPLETED")]
    resumed = create(aws)
    resumed.execute_complete(task.context, {**event(), "image_build_version_arn": arn})
    assert airflow.keys == [LIVE_BUILD_KEY, BUILD_KEY]
    assert list(airflow.kept) == [BUILD_KEY]
    record = airflow.kept[BUILD_KEY]
    assert (record["arn"], record["status"], record["ended"], record["submitted"]) == (
        arn,
        "AVAILABLE",
        True,
        True,
    )
    assert [item["attempt"] for item in record["workflows"]] == [1, 2]
    assert [stage["status"] for stage in record["stages"]][-1] == "AVAILABLE"
    assert len(record["stages"]) == 2


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "DELETED"])
def test_an_image_that_ended_badly_is_recorded(status: str, airflow: TaskSupervisor) -> None:
    aws = FakeImageBuilder(status, reason="no route")
    with pytest.raises(Exception, match="golden"):
        guard(aws).execute_complete(FakeTask().context, event())
    record = airflow.kept[BUILD_KEY]
    assert (record["status"], record["reason"]) == (status, "no route")
    assert (record["failure"] is not None) is (status == "FAILED")


def test_an_image_whose_tests_failed_is_recorded(airflow: TaskSupervisor) -> None:
    aws = FakeImageBuilder("AVAILABLE")
    aws.executions = [execution(BOOT, "FAILED")]
    with pytest.raises(TestsFailedError):
        guard(aws, fail_on_test_failure=True).execute_complete(FakeTask().context, event())
    assert airflow.kept[BUILD_KEY]["tests_failed"] == 1


def test_an_image_that_is_cancelled_at_the_deadline_is_recorded(airflow: TaskSupervisor) -> None:
    aws = FakeImageBuilder("BUILDING")
    with pytest.raises(DeadlineExceededError):
        guard(aws).execute_complete(FakeTask().context, event("deadline"))
    assert airflow.kept[BUILD_KEY]["status"] == "CANCELLED"


def test_a_cancel_that_takes_time_has_not_ended_the_image(airflow: TaskSupervisor) -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.cancel_takes = 60.0
    with pytest.raises(DeadlineExceededError):
        guard(aws).execute_complete(FakeTask().context, event("deadline"))
    assert airflow.keys == [LIVE_BUILD_KEY]
    assert airflow.kept[LIVE_BUILD_KEY]["ended"] is False


def test_a_record_in_progress_that_cannot_be_removed_costs_nothing(airflow: TaskSupervisor) -> None:
    airflow.refuses_removal = True
    operator = create(FakeImageBuilder("AVAILABLE"))
    operator.execute_complete(FakeTask().context, event())
    assert airflow.kept[BUILD_KEY]["status"] == "AVAILABLE"


def test_a_backend_that_may_fail_on_a_record_gets_none(
    airflow: TaskSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_imagebuilder.operators.waiting.recording.keeps_plain_xcoms", lambda: False)
    create(FakeImageBuilder("AVAILABLE")).execute_complete(FakeTask().context, event())
    assert airflow.keys == []


def test_a_submitter_that_does_not_wait_records_once(airflow: TaskSupervisor) -> None:
    create(FakeImageBuilder(), wait_for_completion=False).execute(FakeTask().context)
    assert airflow.keys == [LIVE_BUILD_KEY]


def test_the_submitter_of_a_task_group_leaves_the_record_to_the_task_that_waits(
    airflow: TaskSupervisor,
) -> None:
    operator = create(FakeImageBuilder(), wait_for_completion=False)
    operator.records_image = False
    operator.execute(FakeTask().context)
    assert airflow.written == []


def test_a_task_group_records_its_image_in_one_task() -> None:
    from airflow.sdk import DAG

    from airflow_imagebuilder import ImageBuilderTaskGroup
    from tests.support.operators import TESTS

    with DAG("d", schedule=None):
        group = ImageBuilderTaskGroup("g", request=TESTS)
    assert not group.create_image.records_image
    assert group.image.records_image


@pytest.mark.parametrize("error", [RuntimeError("the backend is full"), TimeoutError(), AttributeError("no")])
def test_an_airflow_that_takes_no_record_fails_no_task(error: Exception, airflow: TaskSupervisor) -> None:
    airflow.error = error
    result = guard(FakeImageBuilder("AVAILABLE")).execute_complete(FakeTask().context, event())
    assert result["status"] == "AVAILABLE"


def test_an_airflow_that_takes_no_record_is_logged_once(
    airflow: TaskSupervisor, caplog: pytest.LogCaptureFixture
) -> None:
    airflow.error = RuntimeError("the backend is full")
    recording = Recording(FakeTask().context, logging.getLogger("task"))
    for _ in range(3):
        recording.seen({"arn": IMAGE, "state": {"status": "BUILDING"}})
    (warning,) = caplog.records
    assert "the backend is full" in warning.getMessage()


def test_a_record_before_that_cannot_be_read_costs_only_what_it_had(
    airflow: TaskSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_reading(message: Any) -> Any:
        if isinstance(message, GetXCom):
            raise TimeoutError
        return TaskSupervisor.send(airflow, message)

    monkeypatch.setattr(airflow, "send", no_reading)
    guard(FakeImageBuilder("AVAILABLE")).execute_complete(FakeTask().context, event())
    assert airflow.keys == [BUILD_KEY]


def test_an_answer_that_no_record_can_be_made_of_fails_no_task(
    airflow: TaskSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("a fault of the builder")

    monkeypatch.setattr("airflow_imagebuilder.build_record.build.build_record", broken)
    aws = FakeImageBuilder("FAILED")
    with pytest.raises(ImageFailedError):
        guard(aws).execute_complete(FakeTask().context, event())
    assert airflow.written == []


def test_outside_of_a_running_task_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(task_runner, "SUPERVISOR_COMMS", raising=False)
    assert guard(FakeImageBuilder("AVAILABLE")).execute_complete(FakeTask().context, event())


def test_a_signal_in_the_middle_of_a_call_to_airflow_writes_nothing(
    airflow: TaskSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler runs in the thread that waits for an answer: its own call would never get one."""
    monkeypatch.setattr(compat, "_is_in_a_call", lambda _: True)
    Recording(FakeTask().context, logging.getLogger("task")).seen(
        {"arn": IMAGE, "state": {"status": "BUILDING"}}
    )
    assert airflow.written == []


def test_a_record_of_an_earlier_try_is_replaced_with_the_present_number(airflow: TaskSupervisor) -> None:
    """Airflow 3.0 keeps the XComs of a mapped task through its tries."""
    task = FakeTask()
    airflow.kept[LIVE_BUILD_KEY] = {"schema": 1, "arn": IMAGE, "try_number": 1, "status": "TESTING"}
    task.next_try()
    guard(FakeImageBuilder("AVAILABLE")).execute_complete(task.context, {**event(), "try_number": 2})
    assert airflow.kept[BUILD_KEY]["try_number"] == 2


def test_a_secret_in_a_reason_is_masked(airflow: TaskSupervisor) -> None:
    compat.secrets_masker()._secrets_masker().add_mask("correct-horse-battery")
    aws = FakeImageBuilder("FAILED", reason="key correct-horse-battery refused")
    with pytest.raises(ImageFailedError):
        guard(aws).execute_complete(FakeTask().context, event())
    assert "correct-horse" not in str(airflow.written)
    assert airflow.kept[BUILD_KEY]["reason"] == "key *** refused"


# -- workflows and findings --------------------------------------------------------------------------------


def test_a_monitor_that_fails_records_the_steps(airflow: TaskSupervisor) -> None:
    aws = FakeImageBuilder("FAILED")
    aws.executions = [
        execution(BOOT, "FAILED", "wf-0", parallelGroup="f", retried=True, startTime="2026-01-01T00:00:00Z"),
        execution(BOOT, "FAILED", "wf-1", parallelGroup="f", startTime="2026-01-01T01:00:00Z"),
    ]
    aws.steps = [{"stepExecutionId": "s", "name": "RunTests", "action": "RunCommand", "status": "FAILED"}]
    with pytest.raises(AirflowFailException):
        monitor(aws).execute_complete(FakeTask().context, event("failed"))
    record = airflow.kept[WORKFLOW_KEY]
    assert (record["status"], record["attempt"], record["execution_id"]) == ("FAILED", 2, "wf-1")
    assert [step["name"] for step in record["steps"]] == ["RunTests"]
    assert len(aws.called("list_workflow_step_executions")) == 1


def test_what_the_trigger_has_recorded_is_not_read_a_second_time(airflow: TaskSupervisor) -> None:
    aws = FakeImageBuilder("AVAILABLE")
    aws.executions = [execution(BOOT, "COMPLETED", parallelGroup="f")]
    with suppress(AirflowFailException):
        monitor(aws).execute_complete(FakeTask().context, {**event("error"), "supervised": True})
    assert airflow.written == []
    assert not aws.called("list_workflow_step_executions")


def test_findings_are_counted_by_severity(airflow: TaskSupervisor) -> None:
    recording = Recording(FakeTask().context, logging.getLogger("task"))
    recording.findings(IMAGE, {"CRITICAL": 1, "HIGH": 0})
    assert airflow.written == [
        (FINDINGS_KEY, {"schema": 1, "arn": IMAGE, "counts": {"critical": 1, "high": 0}})
    ]


def test_a_secret_in_the_name_of_an_image_is_masked_in_its_findings(airflow: TaskSupervisor) -> None:
    compat.secrets_masker()._secrets_masker().add_mask("zebra-in-a-name")
    arn = IMAGE.replace("golden", "zebra-in-a-name")
    Recording(FakeTask().context, logging.getLogger("task")).findings(arn, {"HIGH": 1})
    assert airflow.kept[FINDINGS_KEY]["arn"] == IMAGE.replace("golden", "***")
