"""Waiting operators that are killed or run out of time: when, how often, and what is left behind."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferred

from airflow_imagebuilder.operators import task_state as state
from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ImageBuilderError,
    RefusedError,
    TransientError,
)
from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "arn:aws:imagebuilder:us-east-1:123456789012"
ARN = f"{HERE}:image/golden/1.0.0/1"


class Aws:
    """An Image Builder with one image; ``during`` happens while CreateImage is on its way."""

    def __init__(self, status: str = "BUILDING", *, ends_as: str = "CANCELLED") -> None:
        self.status, self.ends_as = status, ends_as
        self.tokens: list[str] = []
        self.cancels: list[str] = []
        self.deleted: list[str] = []
        self.during: Callable[[], None] = lambda: None

    def create_image(self, _: Any, client_token: str) -> str:
        self.tokens.append(client_token)
        during, self.during = self.during, lambda: None
        during()
        return ARN

    def get_image(self, arn: str, **_: Any) -> dict[str, Any]:
        return {
            "arn": arn,
            "name": "golden",
            "version": "1.0.0/1",
            "type": "AMI",
            "state": {"status": self.status},
        }

    def cancel_image(self, arn: str, _: str) -> str:
        self.cancels.append(arn)
        if self.status == "AVAILABLE":
            raise RefusedError("CancelImageCreation", "InvalidRequestException", 400, "it has ended")
        self.status = self.ends_as
        return arn

    def list_workflow_executions(self, _: str) -> list[dict[str, Any]]:
        return []

    def delete_outputs(self, image: dict[str, Any]) -> list[str]:
        self.deleted.append(image["arn"])
        return []


class Airflow:
    """What a task asks Airflow: its state, a store between tries, XComs."""

    def __init__(self) -> None:
        self.state, self.busy = "running", threading.Lock()
        self.kept: dict[str, Any] = {}
        ti = SimpleNamespace(
            dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1, max_tries=0, id="uuid"
        )
        ti.start_date, ti.get_task_states, ti.xcom_push = None, self.states, lambda **_: None
        store = SimpleNamespace(get=self.kept.get, set=self.kept.__setitem__)
        self.context: Any = {"ti": ti, "task_state_store": store, "outlet_events": {}}

    def states(self, **_: Any) -> dict[str, dict[str, str]]:
        with self.busy:
            return {"r": {"t": self.state}}


def bake(aws: Aws, **options: Any) -> Any:
    operator: Any = ImageBuilderCreateImageOperator(
        task_id="t",
        image_recipe_arn=f"{HERE}:image-recipe/golden/1.0.0",
        infrastructure_configuration_arn=f"{HERE}:infrastructure-configuration/build",
        **options,
    )
    operator.__dict__["hook"] = aws
    return operator


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "ASK_PATIENCE", 0.2)


# -- a kill during the submit ------------------------------------------------------------------------------


def test_a_kill_while_the_answer_of_create_image_is_awaited_learns_the_image_and_cancels_it() -> None:
    aws, airflow = Aws(), Airflow()
    operator = bake(aws)
    cancelled_before_the_answer = []

    def kill() -> None:
        airflow.state = "failed"
        operator.on_kill()
        cancelled_before_the_answer.extend(aws.cancels)

    aws.during = kill
    with pytest.raises(ImageBuilderError, match="killed while it submitted"):
        operator.execute(airflow.context)
    assert cancelled_before_the_answer == [ARN]
    assert aws.cancels == [ARN], "once"
    assert len(set(aws.tokens)) == 1, "the same token, hence the same image"


def test_a_worker_that_is_stopped_while_it_submits_goes_on_and_cancels_nothing() -> None:
    aws, airflow = Aws(), Airflow()
    operator = bake(aws)
    aws.during = operator.on_kill
    with pytest.raises(TaskDeferred):
        operator.execute(airflow.context)
    assert aws.cancels == []


def test_a_kill_in_the_middle_of_a_call_to_airflow_is_seen_once_that_has_ended() -> None:
    aws, airflow = Aws(), Airflow()
    operator = bake(aws)

    def kill() -> None:
        airflow.state = "failed"
        with airflow.busy:  # the lock of the call that the signal has interrupted
            operator.on_kill()
        assert aws.cancels == []

    aws.during = kill
    with pytest.raises(ImageBuilderError, match="killed while it submitted"):
        operator.execute(airflow.context)
    assert aws.cancels == [ARN]


def test_a_kill_whose_image_cannot_be_learnt_ends_without_an_error_of_its_own() -> None:
    class Down(Aws):
        def create_image(self, request: Any, client_token: str) -> str:
            if self.tokens:
                raise TransientError("CreateImage", "ServiceUnavailableException", 503)
            return super().create_image(request, client_token)

    aws, airflow = Down(), Airflow()
    operator = bake(aws)

    def kill() -> None:
        airflow.state = "failed"
        operator.on_kill()

    aws.during = kill
    with pytest.raises(ImageBuilderError, match="killed while it submitted"):
        operator.execute(airflow.context)
    assert aws.cancels == [ARN], "the answer came after all"


# -- a kill during the wait --------------------------------------------------------------------------------


def waiting(aws: Aws, airflow: Airflow, **options: Any) -> Any:
    operator = bake(aws, **options)
    with pytest.raises(TaskDeferred):
        operator.execute(airflow.context)
    return operator


def test_a_second_signal_cancels_no_second_time() -> None:
    aws, airflow = Aws(), Airflow()
    operator = waiting(aws, airflow)
    airflow.state = "failed"
    operator.on_kill()
    operator.on_kill()
    assert aws.cancels == [ARN]


@pytest.mark.parametrize(("wanted", "deleted"), [(True, [ARN]), (False, [])])
def test_what_a_cancelled_build_leaves_behind_is_removed_on_demand(wanted: bool, deleted: list[str]) -> None:
    aws, airflow = Aws(), Airflow()
    operator = waiting(aws, airflow, delete_outputs_on_kill=wanted)
    airflow.state = "failed"
    operator.on_kill()
    assert aws.deleted == deleted


def test_the_outputs_of_a_build_that_finished_first_are_kept() -> None:
    aws, airflow = Aws(), Airflow()
    operator = waiting(aws, airflow, delete_outputs_on_kill=True)
    aws.status, airflow.state = "AVAILABLE", "failed"
    operator.on_kill()
    assert (aws.cancels, aws.deleted) == ([ARN], [])


# -- a wait that runs out of time --------------------------------------------------------------------------


def timed_out(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Any:
    async def wait(_: ImageBuilderImageTrigger) -> dict[str, Any]:
        raise AirflowTaskTimeout("execution_timeout")

    monkeypatch.setattr(ImageBuilderImageTrigger, "wait", wait)
    operator, airflow = bake(aws, deferrable=False), Airflow()
    return lambda: operator.execute(airflow.context)


def test_a_timeout_on_the_worker_cancels_the_image_and_tells_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws = Aws()
    with pytest.raises(DeadlineExceededError):
        timed_out(aws, monkeypatch)()
    assert aws.cancels == [ARN]


def test_a_timeout_while_the_answer_of_create_image_is_awaited_cancels_the_image() -> None:
    def run_out() -> None:
        raise AirflowTaskTimeout("execution_timeout")

    aws, airflow = Aws(), Airflow()
    aws.during = run_out
    with pytest.raises(DeadlineExceededError):
        bake(aws).execute(airflow.context)
    assert (aws.cancels, len(set(aws.tokens))) == ([ARN], 1)


def test_a_build_that_finished_before_the_timeout_could_cancel_it_is_reported_as_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Finishing(Aws):
        def cancel_image(self, arn: str, token: str) -> str:
            self.status = "AVAILABLE"
            return super().cancel_image(arn, token)

    aws = Finishing()
    assert timed_out(aws, monkeypatch)()["status"] == "AVAILABLE"
    assert aws.cancels == [ARN]


def test_at_the_deadline_a_deferred_wait_cancels_once() -> None:
    aws, airflow = Aws(), Airflow()
    operator = waiting(aws, airflow)
    event = {"image_build_version_arn": ARN, "outcome": "deadline", "status": None, "message": "late"}
    with pytest.raises(DeadlineExceededError):
        operator.execute_complete(airflow.context, event)
    assert aws.cancels == [ARN]
