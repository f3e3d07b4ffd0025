"""A wait never gives up on a build that lives: what the worker does when AWS, or its time, is in trouble."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferred

from airflow_imagebuilder.operators.await_image import ImageBuilderAwaitImageOperator
from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.operators.retry_policy import ImageBuilderRetryPolicy
from airflow_imagebuilder.operators.task_state import TaskStore
from airflow_imagebuilder.operators.waiting import MAX_RESUMES
from airflow_imagebuilder.service.errors import (
    AwsError,
    DeadlineExceededError,
    ForbiddenError,
    ImageFailedError,
    ImageNotFoundError,
    InvalidRequestError,
    MalformedAnswerError,
    NotFoundError,
    RefusedError,
    StateStoreError,
    ThrottledError,
    TransientError,
    WaitInterruptedError,
)
from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger
from airflow_imagebuilder.xcom import known_arn

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "arn:aws:imagebuilder:us-east-1:123456789012"
ARN = f"{HERE}:image/golden/1.0.0/1"
TROUBLES = [
    TransientError("GetImage", "ServiceUnavailableException", 503),
    ThrottledError("GetImage", "CallRateLimitExceededException", 429),
    ForbiddenError("GetImage", "NoCredentialsError"),
    NotFoundError("GetImage", "ResourceNotFoundException", 404),
    MalformedAnswerError("GetImage"),
]
NAMES = [type(trouble).__name__ for trouble in TROUBLES]
ON_HIS_OWN = {"status": "FAILED", "reason": "component X failed"}


class Aws:
    """An Image Builder with one image, and with trouble on demand."""

    def __init__(self, status: str = "BUILDING") -> None:
        self.state: dict[str, Any] = {"status": status}
        self.trouble: AwsError | None = None
        self.calls: list[str] = []
        self.at: dict[str, Callable[[], None]] = {}

    def _call(self, name: str) -> None:
        self.calls.append(name)
        self.at.pop(name, lambda: None)()
        if self.trouble and name != "create":
            raise self.trouble

    def create_image(self, *_: Any) -> str:
        self._call("create")
        return ARN

    def get_image(self, arn: str, **_: Any) -> dict[str, Any]:
        self._call("get")
        return {"arn": arn, "name": "golden", "version": "1.0.0/1", "type": "AMI", "state": self.state}

    def cancel_image(self, arn: str, _: str) -> str:
        self._call("cancel")
        if self.state["status"] != "BUILDING":
            raise RefusedError("CancelImageCreation", "InvalidRequestException", 400, "it has ended")
        self.state = {"status": "CANCELLED"}
        return arn

    def list_workflow_executions(self, _: str) -> list[dict[str, Any]]:
        self._call("list")
        return []


class Airflow:
    """A task's context."""

    def __init__(self, **ti: Any) -> None:
        self.kept: dict[str, Any] = {}
        self.xcoms: dict[str, Any] = {}
        self.at_push: Callable[[], None] = lambda: None
        identity = {
            "dag_id": "d",
            "run_id": "r",
            "task_id": "t",
            "map_index": -1,
            "try_number": 1,
            "id": "u1",
        }
        wanted = {**identity, "max_tries": 0, "start_date": datetime.now(timezone.utc), **ti}
        store = SimpleNamespace(get=self.kept.get, set=self.kept.__setitem__)
        task = SimpleNamespace(
            **wanted, xcom_push=self._push, get_task_states=lambda **_: {"r": {"t": "running"}}
        )
        self.context: Any = {"ti": task, "task_state_store": store, "outlet_events": {}}

    def _push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value
        self.at_push()

    def next_try(self) -> None:
        ti = self.context["ti"]
        ti.try_number, ti.id, ti.start_date = ti.try_number + 1, f"{ti.id}+", datetime.now(timezone.utc)


def bake(aws: Aws, **options: Any) -> Any:
    operator: Any = ImageBuilderCreateImageOperator(
        task_id="t",
        image_recipe_arn=f"{HERE}:image-recipe/golden/1.0.0",
        infrastructure_configuration_arn=f"{HERE}:infrastructure-configuration/build",
        **options,
    )
    operator.__dict__["hook"] = aws
    return operator


def event(outcome: str, deadline: float | None = None, resumes: int = 0) -> dict[str, Any]:
    return {
        "image_build_version_arn": ARN,
        "outcome": outcome,
        "message": "GetImage: 403 AccessDenied",
        "deadline": time.time() + 9999 if deadline is None else deadline,
        "resumes": resumes,
    }


def deferred(work: Callable[[], Any]) -> Any:
    with pytest.raises(TaskDeferred) as raised:
        work()
    return raised.value.trigger


def time_out() -> None:
    raise AirflowTaskTimeout("execution_timeout")


# -- right after the submit --------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", TROUBLES, ids=NAMES)
def test_trouble_right_after_the_submit_does_not_keep_a_task_from_deferring(trouble: AwsError) -> None:
    aws, airflow = Aws(), Airflow()
    aws.trouble = trouble
    assert deferred(lambda: bake(aws).execute(airflow.context)).image_build_version_arn == ARN
    assert airflow.xcoms["image_build_version_arn"] == ARN


# -- after a wait ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", TROUBLES, ids=NAMES)
@pytest.mark.parametrize("outcome", ["ended", "error", "deadline"])
def test_trouble_after_a_wait_is_waited_through_with_the_same_deadline(
    outcome: str, trouble: AwsError
) -> None:
    aws = Aws()
    aws.trouble = trouble
    trigger = deferred(lambda: bake(aws).execute_complete(Airflow().context, event(outcome, deadline=7.0)))
    assert (trigger.deadline, trigger.resumes) == (7.0, 1)


def test_a_watcher_that_failed_on_a_build_that_lives_is_asked_again() -> None:
    aws = Aws("BUILDING")
    trigger = deferred(lambda: bake(aws).execute_complete(Airflow().context, event("error", 7.0, resumes=4)))
    assert (trigger.deadline, trigger.resumes, "cancel" in aws.calls) == (7.0, 5, False)


def test_a_wait_is_begun_again_so_many_times_and_no_more() -> None:
    with pytest.raises(WaitInterruptedError, match="AccessDenied") as raised:
        bake(Aws()).execute_complete(Airflow().context, event("error", resumes=MAX_RESUMES))
    assert ARN in str(raised.value)


def test_an_image_that_is_still_not_found_is_named() -> None:
    aws = Aws()
    aws.trouble = NotFoundError("GetImage", "ResourceNotFoundException", 404)
    trigger = deferred(lambda: bake(aws).execute_complete(Airflow().context, event("error")))
    with pytest.raises(ImageNotFoundError, match="region of the ARN"):
        bake(aws).execute_complete(Airflow().context, event("error", resumes=trigger.resumes))


@pytest.mark.parametrize(
    "met",
    [event("ended"), event("deadline"), {**event("error"), "missing": False}],
    ids=["ended", "deadline", "error"],
)
def test_one_not_found_after_other_trouble_does_not_end_a_wait(met: dict[str, Any]) -> None:
    aws = Aws()
    aws.trouble = NotFoundError("GetImage", "ResourceNotFoundException", 404)
    trigger = deferred(lambda: bake(aws).execute_complete(Airflow().context, {**met, "resumes": 1}))
    assert trigger.resumes == 2


def test_a_deadline_whose_cancel_came_through_is_told_though_aws_does_not_show_the_image() -> None:
    aws = Aws()

    def trouble() -> None:
        raise TROUBLES[1]

    aws.at["get"] = trouble
    with pytest.raises(DeadlineExceededError, match="status after that: unknown"):
        bake(aws).execute_complete(Airflow().context, event("deadline", deadline=7.0))
    assert aws.state["status"] == "CANCELLED"


def test_a_wait_on_the_worker_is_begun_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[ImageBuilderImageTrigger] = []

    async def wait(self: ImageBuilderImageTrigger) -> dict[str, Any]:
        waits.append(self)
        aws.state = {"status": "BUILDING" if len(waits) < 3 else "AVAILABLE"}
        return event("error", self.deadline, self.resumes)

    aws = Aws()
    monkeypatch.setattr(ImageBuilderImageTrigger, "wait", wait)
    assert bake(aws, deferrable=False).execute(Airflow().context)["status"] == "AVAILABLE"
    assert [trigger.resumes for trigger in waits] == [0, 1, 2]
    assert len({trigger.deadline for trigger in waits}) == 1


@pytest.mark.parametrize("error", [WaitInterruptedError(ARN, "403"), StateStoreError("503")])
def test_trouble_of_a_wait_is_worth_another_try(error: Exception) -> None:
    decision = ImageBuilderRetryPolicy().evaluate(error, 1, 3)
    assert decision.action.value == "retry"


# -- deadlines ---------------------------------------------------------------------------------------------


def test_at_its_deadline_an_image_is_cancelled_before_anything_is_asked() -> None:
    aws = Aws()
    with pytest.raises(DeadlineExceededError):
        bake(aws).execute_complete(Airflow().context, event("deadline", 7.0))
    assert aws.calls[0] == "cancel"


def test_an_image_that_failed_by_itself_before_the_cancel_is_reported_with_its_failure() -> None:
    aws = Aws()
    aws.at["cancel"] = lambda: aws.__setattr__("state", ON_HIS_OWN)
    with pytest.raises(ImageFailedError, match="component X failed"):
        bake(aws).execute_complete(Airflow().context, event("deadline", 7.0))


def test_a_cancelled_image_found_at_the_deadline_is_not_called_cancelled_by_us() -> None:
    with pytest.raises(Exception, match="CANCELLED") as raised:
        bake(Aws("CANCELLED")).execute_complete(Airflow().context, event("deadline", 7.0))
    assert not isinstance(raised.value, DeadlineExceededError)


def test_timeout_counts_from_the_submit_through_all_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    aws, airflow = Aws(), Airflow()
    operator = bake(aws, timeout=timedelta(hours=1))
    first = deferred(lambda: operator.execute(airflow.context)).deadline
    now = time.time
    monkeypatch.setattr("airflow_imagebuilder.operators.waiting.time.time", lambda: now() + 3000)
    airflow.next_try()
    again = deferred(lambda: operator.execute(airflow.context)).deadline
    assert (again, aws.calls.count("create")) == (first, 1)


def test_a_guards_timeout_counts_from_the_submit_of_the_other_task() -> None:
    operator: Any = ImageBuilderAwaitImageOperator(
        task_id="t", image_build_version_arn=ARN, submitted_at="1000.5", timeout=timedelta(hours=1)
    )
    operator.__dict__["hook"] = Aws()
    assert deferred(lambda: operator.execute(Airflow().context)).deadline == 4600.5


# -- execution_timeout -------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["create", "get"])
def test_an_execution_timeout_anywhere_between_submit_and_wait_cancels_the_image(call: str) -> None:
    aws, airflow = Aws(), Airflow()
    aws.at[call] = time_out
    operator = bake(aws)
    with pytest.raises(DeadlineExceededError):
        operator.execute(airflow.context)
    operator.on_kill()  # as Airflow does after a timeout
    assert aws.calls.count("cancel") == 1


def test_an_execution_timeout_while_the_arn_is_published_cancels_the_image() -> None:
    aws, airflow = Aws(), Airflow()
    airflow.at_push = time_out
    with pytest.raises(DeadlineExceededError):
        bake(aws, wait_for_completion=False).execute(airflow.context)
    assert aws.calls.count("cancel") == 1


def test_an_execution_timeout_cancels_nothing_where_nothing_may_cancel() -> None:
    aws, airflow = Aws(), Airflow()
    aws.at["get"] = time_out
    with pytest.raises(DeadlineExceededError, match="still BUILDING"):
        bake(aws, cancel_on_kill=False).execute(airflow.context)
    assert "cancel" not in aws.calls


def test_an_execution_timeout_before_anything_was_submitted_is_airflows_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws = Aws()
    monkeypatch.setattr(TaskStore, "get", lambda *_: time_out())
    with pytest.raises(AirflowTaskTimeout):
        bake(aws).execute(Airflow().context)
    assert aws.calls == []


@pytest.mark.parametrize("trouble", TROUBLES, ids=NAMES)
def test_an_execution_timeout_whose_cancel_meets_trouble_is_tried_again(trouble: AwsError) -> None:
    aws = Aws()
    aws.trouble = trouble
    aws.at["get"] = time_out
    with pytest.raises(WaitInterruptedError) as raised:
        bake(aws).execute(Airflow().context)
    assert ImageBuilderRetryPolicy().evaluate(raised.value, 1, 1).action.value == "retry"


def test_an_execution_timeout_of_a_guard_cancels_the_image() -> None:
    aws = Aws()
    aws.at["get"] = time_out
    operator: Any = ImageBuilderAwaitImageOperator(task_id="t", image_build_version_arn=ARN)
    operator.__dict__["hook"] = aws
    with pytest.raises(DeadlineExceededError):
        operator.execute(Airflow().context)
    assert aws.calls.count("cancel") == 1


# -- the submitter and its guard ---------------------------------------------------------------------------


def test_a_repair_is_published_before_it_is_made() -> None:
    aws, airflow = Aws(), Airflow()
    operator = bake(aws, wait_for_completion=False)
    operator.execute(airflow.context)
    aws.state = {"status": "FAILED", "failureContext": {"imageStatus": "TESTING"}}
    airflow.next_try()
    airflow.xcoms.clear()
    seen: list[dict[str, Any]] = []

    def retry_image(*_: Any) -> str:
        seen.append(dict(airflow.xcoms))
        return ARN

    aws.retry_image = retry_image  # type: ignore[attr-defined]
    operator.execute(airflow.context)
    assert seen[0]["image_build_version_arn"] == ARN
    assert seen[0]["image_submission"]["submitted_by"] == "u1+"


@pytest.mark.parametrize(("failed", "known"), [("wf-9", "wf-9"), (None, "")])
def test_a_repairs_trigger_knows_which_failure_is_the_old_one(failed: str | None, known: str) -> None:
    aws, airflow = Aws(), Airflow()
    deferred(lambda: bake(aws).execute(airflow.context))
    context = {"imageStatus": "TESTING", **({"workflowExecutionId": failed} if failed else {})}
    aws.state = {"status": "FAILED", "failureContext": context}
    aws.retry_image = lambda *_: ARN  # type: ignore[attr-defined]
    airflow.next_try()
    assert deferred(lambda: bake(aws).execute(airflow.context)).stale_failure == known


def test_trouble_soon_after_a_repair_does_not_make_the_old_failure_count() -> None:
    aws = Aws()
    aws.state = {
        "status": "FAILED",
        "failureContext": {"imageStatus": "TESTING", "workflowExecutionId": "wf-1"},
    }
    old = {"stale_until": time.time() + 60, "stale_failure": "wf-1"}
    trigger = deferred(lambda: bake(aws).execute_complete(Airflow().context, {**event("error"), **old}))
    assert {"stale_until": trigger.stale_until, "stale_failure": trigger.stale_failure} == old
    aws.state["failureContext"]["workflowExecutionId"] = "wf-2"
    with pytest.raises(ImageFailedError):
        bake(aws).execute_complete(Airflow().context, {**event("error"), **old})


@pytest.mark.parametrize("rendered", [{"arn": ARN}, [ARN], "golden/1.0.0", 7])
def test_a_guard_that_gets_no_arn_does_not_skip_in_silence(rendered: Any) -> None:
    with pytest.raises(InvalidRequestError, match="image_build_version_arn"):
        known_arn(rendered)


def test_a_guards_trigger_knows_who_submitted_the_image() -> None:
    operator: Any = ImageBuilderAwaitImageOperator(
        task_id="t", image_build_version_arn=ARN, submitter="golden.create_image", submitted_by="u1"
    )
    operator.__dict__["hook"] = Aws()
    trigger = deferred(lambda: operator.execute(Airflow().context))
    assert (trigger.submitter, trigger.submitted_by) == ("golden.create_image", "u1")
