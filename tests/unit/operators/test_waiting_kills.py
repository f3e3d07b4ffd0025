"""A waiting task that is killed or runs out of time: when and how often its image is cancelled."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.compat import AirflowTaskTimeout
from airflow_imagebuilder.operators.retry_policy import ImageBuilderRetryPolicy
from airflow_imagebuilder.operators.waiting import task_state as state
from airflow_imagebuilder.service.errors import (
    AwsError,
    DeadlineExceededError,
    ImageBuilderError,
    RefusedError,
    TransientError,
    WaitInterruptedError,
)
from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger
from tests.support.airflow_names import TaskDeferred
from tests.support.arns import IMAGE as ARN
from tests.support.fault_plan import ALWAYS
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import SUBMITTERS, TROUBLES, assert_defers, event, time_out
from tests.support.task import FakeTask, context


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "ASK_PATIENCE", 0.2)


@pytest.fixture(autouse=True, params=SUBMITTERS)
def submit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run each test over both operators that submit, and return the method of the hook that they call."""
    monkeypatch.setitem(globals(), "create", SUBMITTERS[request.param])
    return str(request.param)


def create(aws: FakeImageBuilder, **options: Any) -> Any:
    """Return the operator under test: the fixture ``submit`` replaces this."""
    raise NotImplementedError


# -- a killed task ---------------------------------------------------------------------------------------


def kill(operator: Any, state: str) -> None:
    """Let the task submit and defer, and then be sent SIGTERM while Airflow shows it in this state."""
    task = FakeTask()
    assert_defers(lambda: operator.execute(task.context))
    task.state = state
    operator.on_kill()


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "restarting", "removed"])
def test_a_killed_task_cancels_its_image(state: str) -> None:
    hook = FakeImageBuilder("BUILDING")
    kill(create(hook), state)
    assert hook.cancelled == [ARN]


@pytest.mark.parametrize("state", ["running", "up_for_retry", "scheduled", "queued", "deferred", "None"])
def test_a_worker_that_is_stopped_or_was_cut_off_cancels_nothing(state: str) -> None:
    hook = FakeImageBuilder("BUILDING")
    kill(create(hook), state)
    assert hook.cancelled == []


def test_with_cancel_on_kill_off_a_killed_task_cancels_nothing() -> None:
    hook = FakeImageBuilder("BUILDING")
    kill(create(hook, cancel_on_kill=False), "failed")
    assert hook.cancelled == []


def test_a_kill_before_anything_was_submitted_does_nothing() -> None:
    hook = FakeImageBuilder("BUILDING")
    create(hook).on_kill()
    assert hook.cancelled == []


def test_a_kill_during_the_submit_cancels_what_was_submitted(submit: str) -> None:
    def kill_it() -> None:
        task.state = "failed"
        operator.on_kill()

    hook, task = FakeImageBuilder("BUILDING"), FakeTask()
    operator = create(hook)
    hook.before(submit, kill_it)
    with pytest.raises(ImageBuilderError, match="killed while it submitted"):
        operator.execute(task.context)
    assert hook.cancelled == [ARN]


def test_a_refused_cancellation_does_not_raise() -> None:
    hook = FakeImageBuilder("AVAILABLE")
    refusal = RefusedError("CancelImageCreation", "InvalidRequestException", 400, "it has ended")
    hook.before("cancel_image", refusal)
    assert create(hook).cancel(ARN)["state"]["status"] == "AVAILABLE"


def test_only_the_outputs_of_a_cancelled_image_are_deleted() -> None:
    hook = FakeImageBuilder("BUILDING")
    create(hook, delete_outputs_on_kill=True).cancel(ARN)
    assert hook.deleted == [ARN]
    ready = FakeImageBuilder("AVAILABLE")
    create(ready, delete_outputs_on_kill=True).cancel(ARN)
    assert ready.deleted == []


# -- a kill during the submit ----------------------------------------------------------------------------


def test_a_kill_during_create_image_learns_the_image_and_cancels_it(submit: str) -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    operator = create(aws)
    cancelled_before_the_answer = []

    def kill() -> None:
        airflow.state = "failed"
        operator.on_kill()
        cancelled_before_the_answer.extend(aws.cancelled)

    aws.before(submit, kill)
    with pytest.raises(ImageBuilderError, match="killed while it submitted"):
        operator.execute(airflow.context)
    assert cancelled_before_the_answer == [ARN]
    assert aws.targets("cancel_image") == [ARN], "once"
    assert len(aws.tokens | aws.pipeline_tokens) == 1, "the same token, hence the same image"


def test_a_worker_that_is_stopped_while_it_submits_defers_and_cancels_nothing(submit: str) -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    operator = create(aws)
    aws.before(submit, operator.on_kill)
    with pytest.raises(TaskDeferred):
        operator.execute(airflow.context)
    assert aws.targets("cancel_image") == []


def test_a_kill_in_the_middle_of_a_call_to_airflow_is_seen_after_the_call(
    monkeypatch: pytest.MonkeyPatch, submit: str
) -> None:
    monkeypatch.setattr(state, "calls_have_a_lock", lambda: True)
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    operator = create(aws)

    def kill() -> None:
        airflow.state = "failed"
        with airflow.ti.busy:  # the lock of the call that the signal has interrupted
            operator.on_kill()
        assert aws.targets("cancel_image") == []

    aws.before(submit, kill)
    with pytest.raises(ImageBuilderError, match="killed while it submitted"):
        operator.execute(airflow.context)
    assert aws.targets("cancel_image") == [ARN]


def test_a_kill_in_the_middle_of_the_announcement_is_seen_before_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    operator = create(aws)

    def kill() -> None:  # during the push of an XCom, so that Airflow cannot be asked
        if not aws.requests:
            return  # the link to the pipelines comes before the submit
        airflow.ti.at_push = lambda: None
        airflow.state = "failed"
        with monkeypatch.context() as busy:
            busy.setattr(state, "can_ask_airflow", lambda: False)
            operator.on_kill()
        assert aws.targets("cancel_image") == []

    airflow.ti.at_push = kill
    with pytest.raises(ImageBuilderError, match="killed while it submitted"):
        operator.execute(airflow.context)
    assert aws.targets("cancel_image") == [ARN]


@pytest.mark.parametrize("lock", [True, False])
def test_a_question_without_an_answer_is_left_alone_only_where_calls_have_a_lock(
    lock: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a lock a later call would get the answer to this question.
    airflow = FakeTask("failed")
    waited: list[float | None] = []
    join = state._StateQuery.join

    def joined(query: Any, timeout: float | None = None) -> None:
        waited.append(timeout)
        join(query, timeout)

    monkeypatch.setattr(state, "calls_have_a_lock", lambda: lock)
    monkeypatch.setattr(state._StateQuery, "join", joined)
    assert state.was_killed(airflow.context) is True
    assert waited == [state.ASK_PATIENCE if lock else None]


def test_a_kill_that_cannot_learn_its_image_raises_nothing_itself(submit: str) -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    down = TransientError("CreateImage", "ServiceUnavailableException", 503)
    aws.before(submit, down, nth=2, times=ALWAYS)
    operator = create(aws)

    def kill() -> None:
        airflow.state = "failed"
        operator.on_kill()

    aws.before(submit, kill)
    with pytest.raises(ImageBuilderError, match="killed while it submitted"):
        operator.execute(airflow.context)
    assert aws.targets("cancel_image") == [ARN], "the answer came after all"


# -- a kill during the wait ------------------------------------------------------------------------------


def waiting(aws: FakeImageBuilder, airflow: FakeTask, **options: Any) -> Any:
    operator = create(aws, **options)
    assert_defers(lambda: operator.execute(airflow.context))
    return operator


def test_a_second_signal_does_not_cancel_again() -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    operator = waiting(aws, airflow)
    airflow.state = "failed"
    operator.on_kill()
    operator.on_kill()
    assert aws.targets("cancel_image") == [ARN]


@pytest.mark.parametrize(("wanted", "deleted"), [(True, [ARN]), (False, [])])
def test_the_outputs_of_a_cancelled_build_are_removed_on_demand(wanted: bool, deleted: list[str]) -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    operator = waiting(aws, airflow, delete_outputs_on_kill=wanted)
    airflow.state = "failed"
    operator.on_kill()
    assert aws.deleted == deleted


def test_the_outputs_of_a_build_that_finished_first_are_kept() -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    operator = waiting(aws, airflow, delete_outputs_on_kill=True)
    aws.finish(ARN, "AVAILABLE")
    airflow.state = "failed"
    operator.on_kill()
    assert (aws.targets("cancel_image"), aws.deleted) == ([ARN], [])


# -- execution_timeout -----------------------------------------------------------------------------------


def timed_out(aws: FakeImageBuilder, monkeypatch: pytest.MonkeyPatch) -> Any:
    async def wait(_: ImageBuilderImageTrigger) -> dict[str, Any]:
        raise AirflowTaskTimeout("execution_timeout")

    monkeypatch.setattr(ImageBuilderImageTrigger, "wait", wait)
    operator, airflow = create(aws, deferrable=False), FakeTask()
    return lambda: operator.execute(airflow.context)


def test_a_timeout_on_the_worker_cancels_the_image_and_reports_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws = FakeImageBuilder("BUILDING")
    with pytest.raises(DeadlineExceededError):
        timed_out(aws, monkeypatch)()
    assert aws.targets("cancel_image") == [ARN]


def test_a_timeout_during_create_image_cancels_the_image(submit: str) -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    aws.before(submit, time_out)
    with pytest.raises(DeadlineExceededError):
        create(aws).execute(airflow.context)
    assert (aws.targets("cancel_image"), len(aws.tokens | aws.pipeline_tokens)) == (
        [ARN],
        1,
    )


def test_a_build_that_finished_before_the_timeout_could_cancel_it_is_reported_as_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.before("cancel_image", lambda: aws.finish(ARN, "AVAILABLE"))
    assert timed_out(aws, monkeypatch)()["status"] == "AVAILABLE"
    assert aws.targets("cancel_image") == [ARN]


def test_at_the_deadline_a_deferred_wait_cancels_once() -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    operator = waiting(aws, airflow)
    with pytest.raises(DeadlineExceededError):
        operator.execute_complete(airflow.context, event("deadline", "late"))
    assert aws.targets("cancel_image") == [ARN]


@pytest.mark.parametrize("call", ["the submit", "get_image"])
def test_an_execution_timeout_anywhere_between_submit_and_wait_cancels_the_image(
    call: str, submit: str
) -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    aws.before(submit if call == "the submit" else call, time_out)
    operator = create(aws)
    with pytest.raises(DeadlineExceededError):
        operator.execute(airflow.context)
    operator.on_kill()  # as Airflow does after a timeout
    assert len(aws.called("cancel_image")) == 1


def test_an_execution_timeout_while_the_arn_is_published_cancels_the_image() -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    airflow.ti.at_push = lambda: time_out() if aws.requests else None
    with pytest.raises(DeadlineExceededError):
        create(aws, wait_for_completion=False).execute(airflow.context)
    assert len(aws.called("cancel_image")) == 1


def test_with_cancel_on_kill_off_an_execution_timeout_cancels_nothing() -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    aws.before("get_image", time_out)
    with pytest.raises(DeadlineExceededError, match="still BUILDING"):
        create(aws, cancel_on_kill=False).execute(airflow.context)
    assert not aws.called("cancel_image")


def test_an_execution_timeout_before_anything_was_submitted_is_airflows_own() -> None:
    aws, airflow = FakeImageBuilder("BUILDING"), FakeTask()
    airflow.store.before("get", time_out)
    with pytest.raises(AirflowTaskTimeout):
        create(aws).execute(airflow.context)
    assert aws.calls == []


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: type(error).__name__)
def test_an_execution_timeout_whose_cancel_fails_is_worth_another_try(
    trouble: AwsError,
) -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.before("get_image", time_out)
    aws.fail_after_create(trouble)
    with pytest.raises(WaitInterruptedError) as raised:
        create(aws).execute(context())
    assert ImageBuilderRetryPolicy().evaluate(raised.value, 1, 1).action.value == "retry"
