"""A deferred task is killed: which image is cancelled, which one is left alone, and what the log says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from airflow.jobs import triggerer_job_runner
from airflow.jobs.triggerer_job_runner import TriggerRunner

from airflow_imagebuilder.compat import trigger_has_on_kill
from airflow_imagebuilder.service.errors import RefusedError, ThrottledError
from tests.support.arns import IMAGE as ARN
from tests.support.image_builder import FakeImageBuilder
from tests.support.supervisor import eventually
from tests.support.task import GONE
from tests.support.triggers import deferred_trigger, image_trigger, install_endless_watcher, install_hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.triggers import ImageBuilderImageTrigger
    from tests.support.supervisor import Supervisor

KILL = getattr(triggerer_job_runner, "_USER_ACTION_CANCEL_MSG", None)
"""Airflow's message with the cancel of a trigger that is killed; before 3.3 there is none."""
THROTTLED = ThrottledError("CancelImageCreation", "CallRateLimitExceededException", 429)
BY_HAND = f"aws imagebuilder cancel-image-creation --image-build-version-arn {ARN} --region us-east-1"


@pytest.mark.asyncio
async def test_a_killed_wait_cancels_the_image(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    await deferred_trigger().on_kill()
    hook.retry_image(ARN, "a repair")
    await deferred_trigger().on_kill()
    assert hook.cancelled == [ARN, ARN]
    assert len({call.token for call in hook.called("acancel_image")}) == 2, "each kill has a token of its own"
    assert hook.deleted == []
    first, last = caplog.messages[:2]
    assert first == (
        f"Airflow has ended this task (its state is failed now): cancelling image {ARN}, if it still builds. "
        "If a person did it, Airflow's audit log names them."
    )
    assert last.startswith("The image is CANCELLED. For a new try, clear")


@pytest.mark.asyncio
async def test_a_wait_that_another_triggerer_took_over_cancels_nothing(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    airflow.state, airflow.xcoms["bake", "image_build_version_arn"] = "deferred", ARN
    await deferred_trigger().on_kill()
    assert hook.cancelled == []
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert "another triggerer watches it now" in record.message
    assert "killed" not in record.message


@pytest.mark.asyncio
async def test_a_wait_is_left_alone_where_airflow_does_not_answer(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    airflow.error, airflow.errors = RuntimeError("API_SERVER_ERROR"), 100
    await deferred_trigger().on_kill()
    assert hook.cancelled == []
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "Airflow does not answer: API_SERVER_ERROR" in record.message
    assert record.message.endswith(f"If the task was killed, cancel it by hand: {BY_HAND}")


@pytest.mark.asyncio
async def test_a_wait_without_a_task_is_left_alone(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    await image_trigger().on_kill()
    assert hook.cancelled == []


@pytest.mark.asyncio
async def test_a_guard_whose_group_was_cleared_leaves_the_repaired_image_alone(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    airflow.state = "scheduled"
    airflow.xcoms["bake.create_image", "image_submission"] = {"arn": ARN, "submitted_by": "try-2"}
    guard = {"submitter": "bake.create_image", "submitted_by": "try-1"}
    await deferred_trigger(**guard).on_kill()
    assert hook.cancelled == []
    airflow.state = "failed"
    await deferred_trigger(submitter="bake.create_image", submitted_by="try-2").on_kill()
    assert hook.cancelled == [ARN]


@pytest.mark.asyncio
async def test_a_cancel_belongs_to_one_life_of_the_image(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def new_try_takes_over() -> None:  # it has cancelled the image, announced and repaired it
        airflow.state = "running"
        airflow.xcoms["bake", "image_build_version_arn"] = ARN
        raise THROTTLED

    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    hook.before("acancel_image", THROTTLED, times=2)
    hook.before("acancel_image", new_try_takes_over, nth=3)
    airflow.state = "queued"
    await deferred_trigger().on_kill()
    assert (hook.cancelled, len(hook.called("acancel_image"))) == ([], 3)
    assert caplog.messages[-1].startswith(
        f"This task was killed, but a new try took image {ARN} over before AWS accepted the cancel."
    )
    assert "given up after 3 attempts" in caplog.messages[-1]
    assert caplog.text.count("Airflow has ended this task (") == 1


@pytest.mark.asyncio
async def test_with_cancel_on_kill_off_a_killed_wait_leaves_the_image_alone(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    await deferred_trigger(cancel_on_kill=False).on_kill()
    assert (hook.cancelled, airflow.asked) == ([], [])


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "deleted"), [("CANCELLED", [ARN]), ("AVAILABLE", []), ("CANCELLING", [])])
async def test_outputs_are_removed_only_from_a_cancelled_image(
    status: str, deleted: list[str], airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    hook.cancelled_state = {"status": status}
    await deferred_trigger(delete_outputs_on_kill=True).on_kill()
    assert hook.deleted == deleted


@pytest.mark.asyncio
async def test_outputs_of_an_image_that_was_repaired_in_the_meantime_are_kept(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def new_try_repairs() -> None:
        airflow.state, airflow.xcoms["bake", "image_build_version_arn"] = "running", ARN

    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    hook.after("acancel_image", new_try_repairs)
    await deferred_trigger(delete_outputs_on_kill=True).on_kill()
    assert (hook.cancelled, hook.deleted) == ([ARN], [])
    assert f"The outputs of image {ARN} are kept" in caplog.messages[-1]


@pytest.mark.asyncio
@pytest.mark.parametrize("state", [None, "scheduled", "queued", "restarting", "running"])
async def test_outputs_are_kept_for_the_new_try_of_a_task_that_was_cleared(
    state: str | None, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    airflow.state = state
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    await deferred_trigger(delete_outputs_on_kill=True).on_kill()
    assert (hook.cancelled, hook.deleted) == ([ARN], [])
    assert f"The outputs of image {ARN} are kept for a repair" in caplog.messages[-1]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("state", "said"),
    [
        (("FAILED", "no disk"), "The image is not CANCELLED: it FAILED by itself (no disk). "),
        (("FAILED", None), "The image is not CANCELLED: it FAILED by itself (AWS gives no reason). "),
        (("AVAILABLE", None), "The image is not CANCELLED: it was AVAILABLE before the cancel came. "),
        (("BUILDING", None), "The image is being cancelled: AWS accepted CancelImageCreation while it was "),
    ],
)
async def test_the_log_says_what_became_of_the_image(
    state: tuple[str, str | None],
    said: str,
    airflow: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    hook.cancelled_state = {"status": state[0], "reason": state[1]}
    await deferred_trigger().on_kill()
    assert said in caplog.messages[-1]


@pytest.mark.asyncio
async def test_the_log_names_an_image_that_cannot_be_cancelled_and_the_remedy(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    hook.before("acancel_image", RefusedError("CancelImageCreation", "InvalidRequestException", 400, "no"))
    await deferred_trigger().on_kill()
    assert "This task was killed, but whether image" in caplog.messages[-1]
    assert caplog.messages[-1].endswith(f"To end it, cancel it by hand: {BY_HAND}")


async def assert_killed(
    airflow: Supervisor,
    trigger: ImageBuilderImageTrigger,
    *,
    times: int,
    then: Callable[[], None] = lambda: None,
) -> None:
    """Run a trigger as Airflow's triggerer does, kill it so often (0: stop it), and see it cancelled."""
    runner = TriggerRunner()
    runner.triggers[1] = {"task": None, "is_watcher": False, "name": "wait", "events": 0}  # type: ignore[typeddict-item]
    trigger.timeout_after = None  # type: ignore[attr-defined]  # 3.0 sets it
    task = asyncio.create_task(runner.run_trigger(1, trigger))
    # It asks a first question as it begins. A kill on a busy machine must not come before that.
    await eventually(lambda: bool(airflow.asked))
    await asyncio.sleep(0.01)
    for _ in range(times):
        task.cancel(KILL)
        await asyncio.sleep(0.01)
    then()
    if not times:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_a_cancellation_survives_repeated_kills(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = asyncio.Event()
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    hook.before("acancel_image", often.wait)
    install_endless_watcher(monkeypatch)
    await assert_killed(airflow, deferred_trigger(), times=5, then=often.set)
    assert hook.cancelled == [ARN]


@pytest.mark.asyncio
async def test_a_question_survives_repeated_kills(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    install_endless_watcher(monkeypatch)
    airflow.open.clear()  # the first question of a process takes seconds
    await assert_killed(airflow, deferred_trigger(), times=5, then=airflow.open.set)
    assert hook.cancelled == [ARN]
    assert airflow.asked.count("GetTaskStates") == 2  # the first question of the process, and the kill's


@pytest.mark.asyncio
async def test_a_stop_of_the_triggerer_cancels_nothing(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    install_endless_watcher(monkeypatch)
    if not trigger_has_on_kill():  # then a stop is known by the state that it leaves
        airflow.state, airflow.xcoms["bake", "image_build_version_arn"] = "deferred", ARN
    await assert_killed(airflow, deferred_trigger(), times=0)
    assert hook.cancelled == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (True, "This task was killed, but whether image"),
        (False, "Airflow did not say whether this task was killed"),
    ],
    ids=["killed", "not known"],
)
def test_a_stop_of_the_triggerer_in_the_middle_of_a_cancellation_is_logged(
    answers: bool,
    said: str,
    airflow: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stuck = []

    async def get_stuck() -> None:
        stuck.append("in the call")
        await asyncio.sleep(3600)

    async def triggerer() -> None:
        kill = asyncio.create_task(assert_killed(airflow, deferred_trigger(), times=3))
        await eventually(lambda: bool(stuck if answers else airflow.asked[1:]))
        # The first question of a process comes before a kill, the second one is the kill's.
        assert not kill.done()  # now the triggerer stops, and its loop with it

    install_hook(monkeypatch, FakeImageBuilder("BUILDING")).before("acancel_image", get_stuck)
    install_endless_watcher(monkeypatch)
    if not answers:
        airflow.open.clear()
    asyncio.run(triggerer())
    assert said in caplog.messages[-1]
    assert "the triggerer is being stopped" in caplog.messages[-1]


# -- before Airflow 3.3 a stop, a take-over and a kill cancel a trigger in the same way ---------------------


@pytest.fixture
def unnamed_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel triggers as Airflow before 3.3 does: without a message, and without a call of ``on_kill``."""
    monkeypatch.setattr(f"{__name__}.KILL", None)
    monkeypatch.setattr("airflow_imagebuilder.triggers.image.trigger_has_on_kill", lambda: False)


@pytest.mark.usefixtures("unnamed_kill")
@pytest.mark.asyncio
@pytest.mark.parametrize("state", ["failed", "success", "skipped", "scheduled", None, GONE])
async def test_a_cancelled_wait_whose_task_was_killed_cancels_the_image(
    state: str | None, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = asyncio.Event()
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    hook.before("acancel_image", often.wait)
    install_endless_watcher(monkeypatch)
    airflow.state = state
    await assert_killed(airflow, deferred_trigger(), times=5, then=often.set)
    assert hook.cancelled == [ARN]


@pytest.mark.usefixtures("unnamed_kill")
@pytest.mark.asyncio
@pytest.mark.parametrize("state", ["deferred", "running"])
async def test_a_cancelled_wait_that_continues_elsewhere_cancels_nothing(
    state: str, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    install_endless_watcher(monkeypatch)
    airflow.state, airflow.xcoms["bake", "image_build_version_arn"] = state, ARN
    await assert_killed(airflow, deferred_trigger(), times=2)
    assert hook.cancelled == []
    assert airflow.asked[-2:].count("GetXCom") >= 1


@pytest.mark.usefixtures("unnamed_kill")
@pytest.mark.asyncio
async def test_a_cancelled_wait_of_a_task_that_was_cleared_cancels_the_image(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    install_endless_watcher(monkeypatch)
    airflow.state = "running"  # the new try, which has announced nothing yet
    await assert_killed(airflow, deferred_trigger(), times=1)
    assert hook.cancelled == [ARN]


@pytest.mark.usefixtures("unnamed_kill")
@pytest.mark.asyncio
async def test_a_cancelled_wait_with_cancel_on_kill_off_asks_nothing(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    install_endless_watcher(monkeypatch)
    trigger = deferred_trigger(cancel_on_kill=False)
    task = asyncio.create_task(anext(trigger.run()))  # type: ignore[arg-type, var-annotated]
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await trigger.cleanup()
    assert (hook.cancelled, airflow.asked) == ([], [])


@pytest.mark.usefixtures("unnamed_kill")
@pytest.mark.asyncio
async def test_a_wait_that_was_cancelled_before_airflow_answers_waits_for_the_answer(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    install_endless_watcher(monkeypatch)
    airflow.open.clear()
    await assert_killed(airflow, deferred_trigger(), times=5, then=airflow.open.set)
    assert hook.cancelled == [ARN]
    assert airflow.asked.count("GetTaskStates") == 2, (
        "the first question of the process, and the kill's: none is cancelled"
    )
