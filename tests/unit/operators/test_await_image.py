"""The operator that guards an image which another task submitted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_imagebuilder.compat import AirflowSkipException
from airflow_imagebuilder.service.errors import (
    DeadlineExceededError,
    ImageFailedError,
)
from tests.support.airflow_names import TaskDeferred
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import (
    assert_defers,
    guard,
    monitor,
    time_out,
)
from tests.support.task import context


def test_the_guard_attaches_and_never_submits() -> None:
    hook = FakeImageBuilder("BUILDING")
    with pytest.raises(TaskDeferred) as deferred:
        guard(hook, stale_until="1800000000.5").execute(context())
    assert deferred.value.trigger.serialize()[1]["stale_until"] == 1_800_000_000.5
    assert hook.requests == []


def test_the_guard_ignores_a_failure_that_may_be_older_than_a_repair() -> None:
    with pytest.raises(TaskDeferred):
        guard(FakeImageBuilder("FAILED"), stale_until=4_000_000_000.0).execute(context())
    with pytest.raises(ImageFailedError):
        guard(FakeImageBuilder("FAILED")).execute(context())


@pytest.mark.parametrize("rendered", [None, "", "None"])
def test_without_an_image_guard_and_monitor_are_skipped(rendered: Any) -> None:
    for operator in (guard, monitor):
        with pytest.raises(AirflowSkipException, match="No image was submitted"):
            operator(FakeImageBuilder("BUILDING"), image_build_version_arn=rendered).execute(context())


def test_the_trigger_of_a_guard_knows_who_submitted_the_image() -> None:
    known = {"submitter": "golden.create_image", "submitted_by": "u1"}
    operator = guard(FakeImageBuilder("BUILDING"), **known)
    trigger = assert_defers(lambda: operator.execute(context()))
    assert (trigger.submitter, trigger.submitted_by) == ("golden.create_image", "u1")


def test_the_timeout_of_a_guard_counts_from_the_submit_of_the_other_task() -> None:
    aws = FakeImageBuilder("BUILDING")
    operator = guard(aws, submitted_at="1000.5", timeout=timedelta(hours=1))
    assert assert_defers(lambda: operator.execute(context())).deadline == 4600.5


def test_an_execution_timeout_of_a_guard_cancels_the_image() -> None:
    aws = FakeImageBuilder("BUILDING")
    aws.before("get_image", time_out)
    with pytest.raises(DeadlineExceededError):
        guard(aws).execute(context())
    assert len(aws.called("cancel_image")) == 1
