"""States: those of AWS's model, each of them final or in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.service.request.workflows import OnFailure, WorkflowType
from airflow_imagebuilder.service.results import states
from airflow_imagebuilder.service.results.states import ImageStatus, StepStatus, WorkflowStatus
from tests.support.aws_model import model

if TYPE_CHECKING:
    from enum import Enum


@pytest.mark.parametrize(
    ("ours", "shape", "more"),
    [
        (ImageStatus, "ImageStatus", []),
        (WorkflowStatus, "WorkflowExecutionStatus", []),
        (StepStatus, "WorkflowStepExecutionStatus", ["WAITING", "TIMED_OUT"]),
        (WorkflowType, "WorkflowType", []),
        (OnFailure, "OnWorkflowFailure", []),
    ],
)
def test_the_states_are_those_of_aws(ours: type[Enum], shape: str, more: list[str]) -> None:
    assert [member.value for member in ours] == [*model().shape_for(shape).enum, *more]


def test_every_status_of_an_image_is_either_in_progress_or_final() -> None:
    verdicts = [states.IMAGE_IN_PROGRESS, states.IMAGE_SUCCEEDED, states.IMAGE_FAILED]
    for status in ImageStatus:
        assert [status in verdict for verdict in verdicts].count(True) == 1
        assert states.is_image_terminal(status) == (status not in states.IMAGE_IN_PROGRESS)


@pytest.mark.parametrize("status", ["AVAILABLE", "DEPRECATED", "DISABLED"])
def test_an_image_that_was_available_succeeded(status: str) -> None:
    assert status in states.IMAGE_SUCCEEDED


@pytest.mark.parametrize(
    ("status", "ended", "failed"),
    [
        ("PENDING", False, False),
        ("RUNNING", False, False),
        ("ROLLBACK_IN_PROGRESS", False, False),
        ("COMPLETED", True, False),
        ("SKIPPED", True, False),
        ("FAILED", True, True),
        ("ROLLBACK_COMPLETED", True, True),
        ("CANCELLED", True, True),
    ],
)
def test_the_verdict_on_a_workflow_execution(status: str, ended: bool, failed: bool) -> None:
    assert states.is_workflow_terminal(status) is ended
    assert (status in states.WORKFLOW_FAILED) is failed


@pytest.mark.parametrize(("status", "ended"), [("WAITING", False), ("TIMED_OUT", True), ("CANCELLED", True)])
def test_the_verdict_on_a_step(status: str, ended: bool) -> None:
    assert states.is_step_terminal(status) is ended


def test_an_unknown_state_is_in_progress() -> None:
    assert not states.is_image_terminal("VERIFYING")
    assert not states.is_workflow_terminal("PAUSED")
    assert not states.is_step_terminal("PAUSED")


@pytest.mark.parametrize("member", [ImageStatus.AVAILABLE, WorkflowType.BUILD, OnFailure.ABORT])
def test_a_status_reads_as_aws_writes_it(member: Enum) -> None:
    assert f"{member}" == str(member) == "%s" % member == member.value  # noqa: UP031 (logging's way)
