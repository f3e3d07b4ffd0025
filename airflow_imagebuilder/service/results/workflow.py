"""WorkflowResult and TestResult: the status and duration of each workflow execution of an image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_imagebuilder.service.arns.grammar import workflow_type_and_name
from airflow_imagebuilder.service.results.states import WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PHASES = {"BUILD": "build", "TEST": "test", "DISTRIBUTION": "distribution"}
"""The phases of an image by the type of their workflows, in the order in which they run."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class WorkflowResult:
    """One workflow execution of an image.

    :param name: the workflow's name.
    :param arn: the workflow build version ARN.
    :param type: ``BUILD``, ``TEST`` or ``DISTRIBUTION``.
    :param status: the status of the execution, e.g. ``COMPLETED``.
    :param parallel_group: the parallel group of a test, if it has one.
    :param execution_id: the id of the execution, ``wf-...``.
    :param start: the start of the execution in ISO 8601, as AWS writes times.
    :param end: the end of the execution in ISO 8601.
    :param duration: the seconds from start to end.
    :param steps_total: the number of steps in the workflow document; the other counts add up to it only if
        every step has finished.
    :param steps_succeeded: the number of steps that succeeded.
    :param steps_failed: the number of steps that failed.
    :param steps_skipped: the number of steps that were skipped.
    :param message: AWS's message about the execution.
    """

    name: str
    arn: str
    type: str
    status: str
    parallel_group: str | None = None
    execution_id: str | None = None
    start: str | None = None
    end: str | None = None
    duration: float | None = None
    steps_total: int = 0
    steps_succeeded: int = 0
    steps_failed: int = 0
    steps_skipped: int = 0
    message: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the execution is COMPLETED; a skipped one has neither passed nor failed."""
        return self.status == WorkflowStatus.COMPLETED

    @classmethod
    def from_api(cls, execution: Mapping[str, Any]) -> WorkflowResult:
        """Return the result of an execution; that of a test is a :class:`TestResult`.

        :param execution: one of ListWorkflowExecutions' ``workflowExecutions``.
        """
        arn = str(execution.get("workflowBuildVersionArn", ""))
        start, end = execution.get("startTime"), execution.get("endTime")
        return result_class(str(execution.get("type")))(
            name=workflow_type_and_name(arn)[1] or arn,
            arn=arn,
            type=str(execution.get("type")),
            status=str(execution.get("status")),
            parallel_group=execution.get("parallelGroup"),
            execution_id=execution.get("workflowExecutionId"),
            start=start,
            end=end,
            duration=seconds_between(start, end),
            steps_total=execution.get("totalStepCount", 0),
            steps_succeeded=execution.get("totalStepsSucceeded", 0),
            steps_failed=execution.get("totalStepsFailed", 0),
            steps_skipped=execution.get("totalStepsSkipped", 0),
            message=execution.get("message") or None,
        )


class TestResult(WorkflowResult):
    """A workflow execution of type TEST."""

    __test__: ClassVar[bool] = False  # the name would make pytest collect it


def result_class(type_: str) -> type[WorkflowResult]:
    """Return the class of results of a workflow type."""
    return TestResult if type_ == "TEST" else WorkflowResult


def in_order(executions: Iterable[Mapping[str, Any]]) -> tuple[WorkflowResult, ...]:
    """Return the results of executions by stage and start, since AWS does not document an order.

    :param executions: ListWorkflowExecutions' ``workflowExecutions``; those that a retry superseded are left
        out.
    """
    live = [WorkflowResult.from_api(item) for item in executions if not item.get("retried")]
    stages = list(PHASES)

    def position(item: WorkflowResult) -> tuple[int, bool, str]:
        stage = stages.index(item.type) if item.type in stages else len(stages)
        return stage, item.start is None, item.start or ""

    return tuple(sorted(live, key=position))


def span(workflows: Iterable[WorkflowResult]) -> float | None:
    """Return the seconds from the first start to the last end; ``None`` if one of them is not known."""
    ran = [item for item in workflows if item.start]
    ends = [item.end for item in ran]
    if not ran or None in ends:
        return None
    return seconds_between(min(item.start for item in ran if item.start), max(end for end in ends if end))


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds between two of AWS's times; ``None`` if one is missing or cannot be read."""
    if not start or not end:
        return None
    try:
        return max((moment(end) - moment(start)).total_seconds(), 0.0)
    except ValueError:
        return None


def moment(text: str) -> datetime:
    """Return one of AWS's times.

    :raises ValueError: the text is not a time.
    """
    # Python 3.10 cannot read Z, and reads fractions of three or six digits only.
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"not a time: {text!r}")
    moment, fraction, zone = found.groups("")
    whole = datetime.fromisoformat(f"{moment}{'+00:00' if zone in ('', 'Z') else zone}")
    return whole + timedelta(seconds=float(f"0{fraction}"))
