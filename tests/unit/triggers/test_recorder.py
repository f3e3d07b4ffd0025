"""The records that triggers write: what is in them, and that nothing ever waits for them."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder import compat
from airflow_imagebuilder.build_record.build import Answers, build_record
from airflow_imagebuilder.service.errors import ForbiddenError
from airflow_imagebuilder.triggers import ImageBuilderWorkflowTrigger, recorder
from airflow_imagebuilder.triggers.supervisor import check_kill
from airflow_imagebuilder.xcom import ARN_KEY, LIVE_BUILD_KEY, WORKFLOW_KEY
from tests.support.arns import BOOT, IMAGE
from tests.support.operators import execution
from tests.support.supervisor import TI, eventually
from tests.support.triggers import (
    FakeWatcher,
    boot,
    deferred_trigger,
    events,
    image,
    image_trigger,
    install_watcher,
    monitor,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
    from tests.support.supervisor import Supervisor

OWN = ("bake", LIVE_BUILD_KEY)


class Paced(FakeWatcher):
    """Shows the next snapshot when the record of the last one was written."""

    def __init__(self, airflow: Supervisor, *snapshots: ImageSnapshot) -> None:
        super().__init__(snapshots)
        self.airflow = airflow

    async def watch(self, arn: str, **options: Any) -> AsyncIterator[ImageSnapshot]:
        for number, snapshot in enumerate(self.snapshots, 1):
            yield snapshot
            await eventually(lambda wanted=number: len(self.airflow.written) >= wanted)  # type: ignore[misc]


def statuses(airflow: Supervisor) -> list[str]:
    return [value["status"] for key, value in airflow.written if key == LIVE_BUILD_KEY]


def by_worker(status: str = "BUILDING", **options: Any) -> dict[str, Any]:
    """Return the record that the worker has written before it deferred."""
    found = {"arn": IMAGE, "state": {"status": status}, "imageRecipe": {"name": "golden", "version": "1.0.0"}}
    return build_record(Answers(image=found, asked_at=0.0), **{"submitted": True, "try_number": 1, **options})


def monitored() -> ImageBuilderWorkflowTrigger:
    trigger = monitor()
    trigger.task_instance = TI  # type: ignore[assignment]
    return trigger


@pytest.mark.asyncio
async def test_each_change_of_the_status_is_written(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [image(status) for status in ("BUILDING", "TESTING", "AVAILABLE")]
    install_watcher(monkeypatch, Paced(airflow, *shown))
    await events(deferred_trigger())
    assert statuses(airflow) == ["BUILDING", "TESTING", "AVAILABLE"]
    stages = [stage["status"] for stage in airflow.written[-1][1]["stages"]]
    assert stages == ["BUILDING", "TESTING", "AVAILABLE"]


@pytest.mark.asyncio
async def test_a_backend_that_may_fail_on_a_record_gets_none(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_imagebuilder.triggers.recorder.keeps_plain_xcoms", lambda: False)
    install_watcher(monkeypatch, FakeWatcher([image("AVAILABLE")]))
    await events(deferred_trigger())
    assert airflow.written == []


@pytest.mark.asyncio
async def test_what_the_worker_has_written_is_continued_and_not_repeated(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.xcoms[OWN] = by_worker(submitted=False)
    install_watcher(monkeypatch, FakeWatcher([image("BUILDING")])).error = ForbiddenError("GetImage", "no")
    await events(deferred_trigger())
    install_watcher(monkeypatch, FakeWatcher([image("AVAILABLE")]))
    await events(deferred_trigger())
    ((_, record),) = airflow.written
    assert (record["recipe"], record["submitted"]) == ("golden/1.0.0", False)


@pytest.mark.asyncio
async def test_the_newest_record_replaces_those_that_wait(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LAST_PATIENCE", 20.0)
    shown = [image(status) for status in ("BUILDING", "TESTING", "DISTRIBUTING", "AVAILABLE")]
    install_watcher(monkeypatch, FakeWatcher(shown))
    await events(deferred_trigger())
    assert statuses(airflow) == ["AVAILABLE"]


@pytest.mark.asyncio
async def test_an_airflow_that_never_answers_delays_no_event(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LAST_PATIENCE", 0.0)
    airflow.open.clear()
    install_watcher(monkeypatch, FakeWatcher([image("BUILDING"), image("AVAILABLE")]))
    (event,) = await events(deferred_trigger())
    assert event.payload["status"] == "AVAILABLE"
    airflow.open.set()
    await eventually(lambda: airflow.at_once == 0)
    assert airflow.written == []


@pytest.mark.asyncio
async def test_an_airflow_that_refuses_is_logged_once(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    airflow.error, airflow.errors = RuntimeError("the backend is full"), 99

    class Each(FakeWatcher):
        async def watch(self, arn: str, **options: Any) -> AsyncIterator[ImageSnapshot]:
            for number, status in enumerate(("BUILDING", "TESTING", "AVAILABLE"), 1):
                yield image(status)
                await eventually(lambda wanted=number: len(airflow.asked) > wanted)  # type: ignore[misc]

    install_watcher(monkeypatch, Each())
    (event,) = await events(deferred_trigger())
    assert event.payload["outcome"] == "ended"
    warnings = [found.getMessage() for found in caplog.records if found.levelno == logging.WARNING]
    assert len([text for text in warnings if "the backend is full" in text]) == 1


@pytest.mark.asyncio
async def test_what_aws_showed_before_this_process_was_suspended_is_not_written(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("BUILDING")])).answered_at = time.time() - 3600
    await events(deferred_trigger())
    assert airflow.written == []


@pytest.mark.asyncio
async def test_a_triggerer_that_comes_back_keeps_the_stages_that_another_one_saw(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "TAKEN_OVER_AFTER", 0.0)

    class TakenOver(Paced):
        async def watch(self, arn: str, **options: Any) -> AsyncIterator[ImageSnapshot]:
            async for snapshot in super().watch(arn, **options):
                yield snapshot
                if snapshot.status == "BUILDING":  # now this process is suspended
                    await eventually(lambda: len(airflow.written) == 1)
                    airflow.xcoms[OWN] = by_worker("TESTING", before=airflow.xcoms[OWN])

    install_watcher(monkeypatch, TakenOver(airflow, image("BUILDING"), image("DISTRIBUTING")))
    await events(deferred_trigger())
    stages = [stage["status"] for stage in airflow.written[-1][1]["stages"]]
    assert stages == ["BUILDING", "TESTING", "DISTRIBUTING"]


@pytest.mark.asyncio
async def test_changes_in_quick_succession_are_written_without_a_question(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [image(status) for status in ("BUILDING", "TESTING", "AVAILABLE")]
    install_watcher(monkeypatch, Paced(airflow, *shown))
    await events(deferred_trigger())
    assert airflow.asked.count("GetXCom") == 1
    assert airflow.asked.count("SetXCom") == 3


@pytest.mark.asyncio
async def test_a_triggerer_that_comes_back_leaves_the_record_of_a_later_try_alone(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.xcoms[OWN] = by_worker("BUILDING", try_number=2)
    install_watcher(monkeypatch, FakeWatcher([image("TESTING")]))
    await events(deferred_trigger())
    assert airflow.written == []


@pytest.mark.asyncio
async def test_a_cancel_does_not_wait_for_a_write_and_does_not_interrupt_it(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = install_watcher(monkeypatch, FakeWatcher([image("BUILDING")]))
    watcher.endless = True
    airflow.open.clear()
    run = asyncio.ensure_future(deferred_trigger(cancel_on_kill=False).wait())
    await eventually(lambda: "GetXCom" in airflow.asked)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    airflow.open.set()
    await eventually(lambda: airflow.answered == 1)


@pytest.mark.asyncio
async def test_a_question_about_a_kill_does_not_wait_behind_records(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LAST_PATIENCE", 0.0)
    airflow.open.clear()
    install_watcher(monkeypatch, FakeWatcher([image("BUILDING")])).endless = True
    waits = [asyncio.ensure_future(deferred_trigger(cancel_on_kill=False).wait()) for _ in range(50)]
    await eventually(lambda: "GetXCom" in airflow.asked)
    question = asyncio.ensure_future(check_kill(TI, IMAGE))
    await eventually(lambda: "GetTaskStates" in airflow.asked)
    assert airflow.asked.count("GetXCom") == 1
    airflow.open.set()
    assert (await question).killed
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


@pytest.mark.asyncio
async def test_two_triggers_of_one_wait_write_the_same(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("TESTING")]))
    await asyncio.gather(events(deferred_trigger()), events(deferred_trigger()))
    first, *others = [value for _, value in airflow.written]
    for other in others:
        assert {**other, "written_at": 0, "observed_at": 0, "stages": 0} == {
            **first, "written_at": 0, "observed_at": 0, "stages": 0
        }  # fmt: skip


@pytest.mark.asyncio
async def test_a_wait_without_a_triggerer_writes_nothing(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("BUILDING", boot("RUNNING")), image("AVAILABLE")]))
    await events(image_trigger())
    await events(monitor())
    await asyncio.sleep(0)
    assert airflow.asked == []


@pytest.mark.asyncio
@pytest.mark.parametrize(("images", "lists"), [(20, 2), (21, 0)])
async def test_executions_are_listed_once_a_stage_while_few_images_are_polled(
    images: int, lists: int, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.xcoms[OWN] = by_worker("PENDING")
    shown = [image(status) for status in ("BUILDING", "TESTING", "AVAILABLE")]
    watcher = Paced(airflow, *shown)
    watcher.images = images
    watcher.all_executions = [execution(BOOT, "COMPLETED")]
    install_watcher(monkeypatch, watcher)
    await events(deferred_trigger())
    assert watcher.lists == ["list_workflow_executions"] * lists
    assert [len(value["workflows"]) for _, value in airflow.written] == [1 if lists else 0] * 3


@pytest.mark.asyncio
@pytest.mark.parametrize(("try_number", "lists"), [(1, 0), (2, 1)])
async def test_a_new_try_records_the_lives_before_it_at_once(
    try_number: int, lists: int, airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.xcoms[OWN] = by_worker("TESTING")
    watcher = FakeWatcher([image("TESTING")])
    watcher.endless = True
    watcher.all_executions = [execution(BOOT, "FAILED", retried=True), execution(BOOT, "RUNNING", "wf-2")]
    install_watcher(monkeypatch, watcher)
    trigger = deferred_trigger(cancel_on_kill=False)
    trigger.task_instance = type(TI)(**{**vars(TI), "try_number": try_number})  # type: ignore[assignment]
    wait = asyncio.ensure_future(trigger.wait())
    await eventually(lambda: airflow.answered == 1 + lists)
    wait.cancel()
    await asyncio.gather(wait, return_exceptions=True)
    assert len(watcher.lists) == len(airflow.written) == lists
    assert [item["attempt"] for _, record in airflow.written for item in record["workflows"]] == [
        1,
        2,
    ] * lists


@pytest.mark.asyncio
async def test_a_list_that_fails_costs_the_record_its_executions_only(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.xcoms[OWN] = by_worker()
    watcher = FakeWatcher([image("TESTING")])
    watcher.lists_error = ForbiddenError("ListWorkflowExecutions", "no")
    install_watcher(monkeypatch, watcher)
    await events(deferred_trigger())
    assert statuses(airflow) == ["TESTING"]


@pytest.mark.asyncio
async def test_no_secret_reaches_a_record_even_where_a_message_is_cut(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "correct-horse-battery-staple"
    compat.secrets_masker()._secrets_masker().add_mask(secret)
    for padding in (0, 970, 985):
        failed = image("FAILED", reason="x" * padding + secret)
        install_watcher(monkeypatch, FakeWatcher([failed]))
        airflow.xcoms.clear()
        await events(deferred_trigger())
        install_watcher(
            monkeypatch, FakeWatcher([image("FAILED", {**boot("FAILED"), "message": "x" * padding + secret})])
        )
        await events(monitored())
    assert len(airflow.written) == 6
    assert "correct" not in str(airflow.written)


@pytest.mark.asyncio
async def test_a_secret_in_the_name_of_an_image_is_masked_in_both_records_alike(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    masker = compat.secrets_masker()._secrets_masker()
    monkeypatch.setattr(masker, "patterns", set(masker.patterns))
    monkeypatch.setattr(masker, "replacer", masker.replacer)
    masker.add_mask("golden")
    install_watcher(monkeypatch, FakeWatcher([image("FAILED", boot("FAILED"))]))
    await events(deferred_trigger())
    await events(monitored())
    assert len(airflow.written) == 2
    # The pages join them by this ARN.
    assert [":image/***/1.0.0/1" in record["arn"] for _, record in airflow.written] == [True, True]


@pytest.mark.asyncio
async def test_an_image_without_a_name_is_recorded(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = image("BUILDING")
    shown = type(bare).of(IMAGE, {"state": {"status": "BUILDING"}})
    install_watcher(monkeypatch, FakeWatcher([shown]))
    await events(deferred_trigger())
    assert airflow.written[0][1]["name"] == "golden"


@pytest.mark.asyncio
async def test_an_xcom_that_holds_something_else_is_not_continued(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A custom XCom backend keeps a reference there."""
    airflow.xcoms[OWN] = "s3://bucket/key"
    install_watcher(monkeypatch, FakeWatcher([image("BUILDING")]))
    await events(deferred_trigger())
    assert statuses(airflow) == ["BUILDING"]


# -- after a kill ------------------------------------------------------------------------------------------


@pytest.fixture
def cancelled(monkeypatch: pytest.MonkeyPatch) -> FakeWatcher:
    """An image that AWS cancels some time after it has accepted the cancel."""
    from tests.support.image_builder import FakeImageBuilder
    from tests.support.triggers import install_hook

    install_hook(monkeypatch, FakeImageBuilder("BUILDING"))
    monkeypatch.setattr("airflow_imagebuilder.triggers.cancellation.SHOWN_AFTER", (0.0, 0.0))
    watcher = FakeWatcher()
    watcher.endless = True
    watcher.read_image = dict(image("CANCELLED").image)
    return install_watcher(monkeypatch, watcher)


@pytest.mark.asyncio
@pytest.mark.usefixtures("cancelled")
async def test_after_a_kill_the_record_shows_the_cancel(airflow: Supervisor) -> None:
    trigger = deferred_trigger()
    await trigger.on_kill()
    assert statuses(airflow) == ["CANCELLED"]


@pytest.mark.asyncio
@pytest.mark.usefixtures("cancelled")
async def test_the_record_of_a_new_try_is_left_alone(airflow: Supervisor) -> None:
    airflow.state = "scheduled"  # cleared: a new try begins
    airflow.xcoms["bake", ARN_KEY] = None
    trigger = deferred_trigger()
    await trigger.on_kill()
    assert airflow.written == []


@pytest.mark.asyncio
async def test_a_record_that_fails_does_not_undo_a_cancel(
    airflow: Supervisor, cancelled: FakeWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    cancelled.read_image = {}
    await deferred_trigger().on_kill()
    assert not [found for found in caplog.records if found.levelno >= logging.ERROR]
    assert len(airflow.written) <= 1


# -- workflows ---------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_monitor_writes_its_workflow_before_it_ends_the_task(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [image("BUILDING"), image("TESTING", boot("RUNNING")), image("TESTING", boot("COMPLETED"))]
    install_watcher(monkeypatch, Paced(airflow, *shown))
    await events(monitored())
    records = [value for key, value in airflow.written if key == WORKFLOW_KEY]
    assert [record["status"] for record in records] == [None, "RUNNING", "COMPLETED"]
    assert records[0]["execution_id"] is None
    assert [step["name"] for step in records[-1]["steps"]] == ["RunTests"]


@pytest.mark.asyncio
async def test_a_monitor_that_may_not_list_steps_writes_the_execution(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = FakeWatcher([image("TESTING", boot("COMPLETED"))])
    watcher.steps_error = ForbiddenError("ListWorkflowStepExecutions", "no")
    install_watcher(monkeypatch, watcher)
    await events(monitored())
    assert airflow.written[-1][1]["status"] == "COMPLETED"


@pytest.mark.asyncio
async def test_an_airflow_that_never_answers_delays_no_monitor(
    airflow: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LAST_PATIENCE", 0.0)
    airflow.open.clear()
    install_watcher(monkeypatch, FakeWatcher([image("TESTING", boot("COMPLETED"))]))
    (event,) = await events(monitored())
    assert type(event).__name__ == "TaskSuccessEvent"
    airflow.open.set()
    await eventually(lambda: airflow.at_once == 0)
