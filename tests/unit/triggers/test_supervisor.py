"""What Airflow says of a cancelled wait: killed, or watched by another process. The decision table."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_imagebuilder.triggers import supervisor
from airflow_imagebuilder.triggers.supervisor import NoAnswerError, check_kill, warm_up
from airflow_imagebuilder.xcom import ARN_KEY, SUBMISSION_KEY
from tests.support.arns import IMAGE as ARN
from tests.support.supervisor import TI, Supervisor, eventually, install
from tests.support.task import GONE

OTHER = ARN[:-1] + "2"
UNREADABLE = "s3://bucket/xcom/1"
ENDED = ("failed", "success", "skipped", "removed", "upstream_failed", GONE)
TO_COME = (None, "restarting", "up_for_reschedule")
OWN, SUBMITTER = ("bake", ARN_KEY), ("create_image", SUBMISSION_KEY)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    answers = Supervisor()
    install(monkeypatch, answers)
    return answers


# -- the table ---------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("announced", [ARN, OTHER, None, UNREADABLE])
@pytest.mark.parametrize("state", [*ENDED, *TO_COME])
async def test_a_task_that_neither_waits_nor_runs_was_killed_whatever_it_announced(
    state: str | None, announced: str | None, airflow: Supervisor
) -> None:
    airflow.state, airflow.xcoms[OWN] = state, announced
    assert (await check_kill(TI, ARN)).killed
    assert airflow.asked == ["GetTaskStates"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("state", "announced", "killed"),
    [
        ("running", ARN, False),
        ("running", OTHER, True),
        ("running", None, True),
        ("running", UNREADABLE, True),
        # Resumed by the triggerer that took over, and waiting for a slot; or cleared, where the state stays.
        ("scheduled", ARN, True),
        ("queued", ARN, True),
        ("scheduled", None, True),
        ("queued", OTHER, True),
        # A wait that stopped after failed calls, its build in progress; after a clear the new try cancels.
        ("up_for_retry", ARN, False),
        ("up_for_retry", None, False),
        ("up_for_retry", OTHER, True),
        ("deferred", ARN, False),
        ("deferred", OTHER, True),
        ("deferred", None, False),
        ("deferred", UNREADABLE, False),
    ],
)
async def test_a_task_that_waits_or_runs_was_killed_where_it_has_another_image(
    state: str, announced: str | None, killed: bool, airflow: Supervisor
) -> None:
    airflow.state, airflow.xcoms[OWN] = state, announced
    assert (await check_kill(TI, ARN)).killed is killed


@pytest.mark.asyncio
async def test_an_xcom_of_the_previous_try_does_not_count_for_the_running_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The state becomes running first; the task's process removes the XComs of the previous try seconds later.
    class Starting(Supervisor):
        def answer(self, question: Any) -> Any:
            if len(self.asked) > 4:
                self.xcoms.clear()
            return super().answer(question)

    install(monkeypatch, Starting("running", {OWN: ARN}))
    monkeypatch.setattr(supervisor, "XCOM_LAG", 60.0)
    assert (await check_kill(TI, ARN)).killed


@pytest.mark.asyncio
@pytest.mark.parametrize("becomes", ["running", "deferred"])
@pytest.mark.parametrize("state", ["scheduled", "queued"])
async def test_a_task_that_waits_for_a_slot_to_resume_was_not_killed(
    state: str, becomes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another triggerer took over, and its wait fired while the image was in progress: a call had failed.
    class Resuming(Supervisor):
        def answer(self, question: Any) -> Any:
            if len(self.asked) > 4:
                self.state = becomes
            return super().answer(question)

    install(monkeypatch, Resuming(state, {OWN: ARN}))
    monkeypatch.setattr(supervisor, "XCOM_LAG", 0.5)
    assert not (await check_kill(TI, ARN)).killed


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("submission", "killed"),
    [
        ({"arn": ARN, "submitted_by": "try-2"}, False),
        ({"arn": ARN, "submitted_by": "try-1"}, True),
        ({"arn": OTHER, "submitted_by": "try-2"}, True),
        ({"arn": ARN}, True),
        (None, True),
        (UNREADABLE, True),
    ],
    ids=["repaired", "ours", "another image", "no try", "nothing announced", "unreadable"],
)
@pytest.mark.parametrize("state", [None, "queued", "running", "upstream_failed"])
async def test_a_guard_leaves_an_image_to_a_later_try_of_the_task_that_submitted_it(
    state: str | None, submission: Any, killed: bool, airflow: Supervisor
) -> None:
    airflow.state, airflow.xcoms[SUBMITTER] = state, submission
    found = await check_kill(TI, ARN, submitter="create_image", submitted_by="try-1")
    assert found.killed is killed


@pytest.mark.asyncio
async def test_a_guard_that_does_not_know_its_submission_goes_by_its_own_task(airflow: Supervisor) -> None:
    airflow.state, airflow.xcoms[SUBMITTER] = "failed", {"arn": ARN, "submitted_by": "try-2"}
    assert (await check_kill(TI, ARN, submitter="create_image")).killed


# -- asking ------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_question_that_fails_is_asked_again(airflow: Supervisor) -> None:
    airflow.state, airflow.error, airflow.errors = "failed", RuntimeError("database is locked"), 2
    assert (await check_kill(TI, ARN)).killed
    assert airflow.asked == ["GetTaskStates"] * 3


@pytest.mark.asyncio
async def test_without_an_answer_there_is_no_verdict(airflow: Supervisor) -> None:
    airflow.error, airflow.errors = RuntimeError("API_SERVER_ERROR"), 100
    with pytest.raises(NoAnswerError, match="API_SERVER_ERROR"):
        await check_kill(TI, ARN)


@pytest.mark.asyncio
async def test_a_question_without_an_answer_in_time_gives_no_verdict_and_is_not_repeated(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "ASK_PATIENCE", 0.01)
    airflow.open.clear()
    with pytest.raises(NoAnswerError, match="TimeoutError"):
        await check_kill(TI, ARN)
    assert airflow.asked == ["GetTaskStates"]


@pytest.mark.asyncio
async def test_a_question_survives_the_cancellation_of_its_asker(airflow: Supervisor) -> None:
    airflow.open.clear()
    asking = asyncio.create_task(check_kill(TI, ARN))
    await eventually(lambda: airflow.at_once == 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert airflow.asked == ["GetTaskStates"]  # nor repeated
    airflow.open.set()
    await eventually(lambda: airflow.answered == 1)


@pytest.mark.asyncio
async def test_a_thousand_lost_waits_do_not_keep_the_supervisor_from_its_heartbeat(
    airflow: Supervisor,
) -> None:
    found = await asyncio.gather(*(check_kill(TI, ARN) for _ in range(100)))
    assert not any(one.killed for one in found)
    assert airflow.most_at_once <= 4


# -- the first question ------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_first_question_is_asked_once_per_process(airflow: Supervisor) -> None:
    for _ in range(3):
        warm_up(TI)
    await eventually(lambda: airflow.answered == 1)
    warm_up(TI)
    await asyncio.sleep(0)
    assert airflow.asked == ["GetTaskStates"]


@pytest.mark.asyncio
async def test_an_error_of_the_first_question_fails_nothing(airflow: Supervisor) -> None:
    airflow.error, airflow.errors = RuntimeError("API_SERVER_ERROR"), 1
    warm_up(TI)
    (asking,) = supervisor._warm
    await asking
    assert airflow.errors == 0


@pytest.mark.asyncio
async def test_where_no_triggerer_runs_nothing_is_asked(airflow: Supervisor) -> None:
    warm_up(None)
    await asyncio.sleep(0)
    assert (airflow.asked, supervisor._warm) == ([], [])
