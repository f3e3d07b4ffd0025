"""Airflow 3.0 resumes a new try with the event of the try before: such a try begins at ``execute``."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.operators.waiting.operator import MAX_RESUMES
from airflow_imagebuilder.service.errors import ImageFailedError
from tests.support.airflow_names import TaskDeferred
from tests.support.arns import IMAGE as ARN
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import create, event, guard, monitor
from tests.support.supervisor import TI
from tests.support.task import FakeTask
from tests.support.triggers import FakeWatcher, deferred_trigger, events, image, install_watcher


@pytest.mark.asyncio
async def test_an_event_says_which_try_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    install_watcher(monkeypatch, FakeWatcher([image("AVAILABLE")]))
    (fired,) = await events(deferred_trigger(cancel_on_kill=False))
    assert fired.payload["try_number"] == TI.try_number == 1


def failed_once(aws: FakeImageBuilder) -> FakeTask:
    """Run the first try of a task until its image has failed in the test phase, and begin the second one."""
    task = FakeTask(max_tries=1)
    with pytest.raises(TaskDeferred):
        create(aws).execute(task.context)
    aws.finish(ARN, "FAILED")
    with pytest.raises(ImageFailedError):
        create(aws).execute_complete(task.context, event(try_number=1))
    task.next_try()
    return task


def test_a_retry_that_gets_the_event_of_the_try_before_repairs_the_image() -> None:
    aws = FakeImageBuilder("BUILDING")
    task = failed_once(aws)
    with pytest.raises(TaskDeferred):
        create(aws).execute_complete(task.context, event(try_number=1))
    assert aws.targets("retry_image") == [ARN]


def test_the_event_of_its_own_try_or_of_an_older_release_is_judged() -> None:
    numbers: list[dict[str, Any]] = [{"try_number": 2}, {"try_number": None}, {}]
    for number in numbers:
        aws = FakeImageBuilder("BUILDING")
        task = failed_once(aws)
        with pytest.raises(ImageFailedError):
            create(aws).execute_complete(task.context, event(**number))
        assert aws.targets("retry_image") == []


def test_a_retried_guard_attaches_again() -> None:
    aws = FakeImageBuilder("BUILDING")
    with pytest.raises(TaskDeferred) as deferred:
        guard(aws).execute_complete(
            FakeTask(try_number=2).context, event("error", resumes=MAX_RESUMES, try_number=1)
        )
    assert deferred.value.trigger.resumes == 0


def test_a_retried_monitor_watches_again() -> None:
    stale = {"outcome": "error", "message": "no", "resumes": MAX_RESUMES, "try_number": 1}
    with pytest.raises(TaskDeferred) as deferred:
        monitor(FakeImageBuilder("TESTING")).execute_complete(FakeTask(try_number=2).context, stale)
    assert deferred.value.trigger.resumes == 0


@pytest.mark.parametrize("before_3_3", [True, False])
def test_a_retry_after_the_exception_of_a_trigger_attaches_again(
    before_3_3: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "airflow_imagebuilder.operators.waiting.task_state.stores_in_variables", lambda: before_3_3
    )
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    operator, failure = create(aws), {"error": "Trigger failure", "traceback": ["TypeError: no"]}
    with pytest.raises(TaskDeferred):
        operator.execute(task.context)
    with pytest.raises(Exception, match="Trigger failure"):
        operator.resume_execution("__fail__", dict(failure), task.context)
    task.next_try()  # Airflow 3.0 keeps the method, and the XComs with it
    if before_3_3:
        with pytest.raises(TaskDeferred):
            create(aws).resume_execution("__fail__", dict(failure), task.context)
        assert len(aws.requests) == 1
    else:
        assert "image_wait_try" not in task.xcoms
