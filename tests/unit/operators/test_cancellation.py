"""A kill at any moment: Airflow's signal handler runs between any two instructions of the main thread."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_imagebuilder.service.errors import ImageBuilderError
from tests.support.arns import IMAGE
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import create, event
from tests.support.task import FakeTask

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

TRACED = ("/airflow_imagebuilder/operators/", "/airflow_imagebuilder/service/submission/")
EVENT = event("error", resumes=0)
NEVER = 1_000_000


def execute(operator: Any, context: Any) -> None:
    operator.execute(context)


def resume(operator: Any, context: Any) -> None:
    operator.execute_complete(context, EVENT)


def killed_at(number: int, work: Callable[[Any, Any], None]) -> tuple[int, FakeImageBuilder]:
    """Do the work of a try, kill it before an instruction; return how many there were, and what AWS got."""
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    operator = create(aws)
    count, tracer = 0, sys.gettrace()

    def at_instruction(_: FrameType, kind: str, __: Any) -> Any:
        nonlocal count
        count += kind == "opcode"
        if kind == "opcode" and count == number:
            sys.settrace(tracer)
            task.state = "failed"
            operator.on_kill()
            return None
        return at_instruction if count < number else None

    def at_call(frame: FrameType, _: str, __: Any) -> Any:
        if not any(part in frame.f_code.co_filename for part in TRACED):
            return None
        frame.f_trace_opcodes = True
        return at_instruction

    sys.settrace(at_call)
    try:
        with contextlib.suppress(TaskDeferred, ImageBuilderError):
            work(operator, task.context)
    finally:
        sys.settrace(tracer)
    return count, aws


@pytest.mark.parametrize("work", [execute, resume])
def test_a_kill_at_any_instruction_cancels_the_image_once(work: Callable[[Any, Any], None]) -> None:
    instructions, aws = killed_at(NEVER, work)
    assert (aws.targets("cancel_image"), instructions > 100) == ([], True)
    for number in range(1, instructions + 1):
        _, aws = killed_at(number, work)
        assert aws.targets("cancel_image") == [IMAGE], f"killed at instruction {number} of {instructions}"
