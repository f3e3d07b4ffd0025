"""A kill at any moment: Airflow's signal handler runs between any two instructions of the main thread."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.operators.waiting import cancellation
from airflow_imagebuilder.service.errors import ImageBuilderError, RefusedError
from airflow_imagebuilder.service.submission.cancel_text import cancel_result
from tests.support.airflow_names import TaskDeferred
from tests.support.arns import IMAGE
from tests.support.image_builder import FakeImageBuilder
from tests.support.operators import MEMBERS, create, event, with_hook
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


def test_a_signal_before_airflow_copies_the_operator_is_handled_by_the_copy() -> None:
    aws, task = FakeImageBuilder("BUILDING"), FakeTask()
    parsed = create(aws)
    parsed.on_kill()
    operator = parsed.prepare_for_execution()
    with contextlib.suppress(TaskDeferred):
        operator.execute(task.context)
    assert operator.cancellation.operator is operator
    task.state = "failed"
    operator.on_kill()
    assert aws.cancelled == [IMAGE]


def test_a_refused_cancel_is_not_described_as_accepted() -> None:
    image = {"arn": IMAGE, "state": {"status": "INTEGRATING"}}
    assert "AWS refused CancelImageCreation while it was INTEGRATING" in cancel_result(image, accepted=False)
    assert "AWS accepted CancelImageCreation while it was INTEGRATING" in cancel_result(image)


@pytest.mark.parametrize("refused", [True, False])
def test_the_log_of_a_cancel_says_whether_aws_accepted_it(
    refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = []

    def describe(image: object, *, accepted: bool) -> str:
        described.append(accepted)
        return "described"

    monkeypatch.setattr(cancellation, "cancel_result", describe)
    aws = FakeImageBuilder("INTEGRATING")
    if refused:
        aws.before("cancel_image", RefusedError("CancelImageCreation", "InvalidRequestException", 400))
    create(aws).cancel(IMAGE)
    assert described == [not refused]


def test_an_operator_of_a_user_may_announce_an_image_and_cancel_in_its_own_way() -> None:
    cancelled = []

    class Own(ImageBuilderCreateImageOperator):
        def cancel(self, arn: str) -> dict[str, Any]:
            cancelled.append(arn)
            return super().cancel(arn)

    aws, task = FakeImageBuilder("BUILDING"), FakeTask("failed")
    operator = with_hook(Own(task_id="t", **MEMBERS), aws)
    operator.announce(task.context, IMAGE)
    assert operator.arn == IMAGE
    operator.on_kill()
    assert cancelled == aws.cancelled == [IMAGE]
