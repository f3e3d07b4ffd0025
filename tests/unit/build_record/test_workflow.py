"""The record of one workflow with its steps."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_imagebuilder.build_record.bounds import WORKFLOW_BYTES, size
from airflow_imagebuilder.build_record.workflow import STEPS, workflow_record
from airflow_imagebuilder.service.monitoring import WorkflowSelector
from airflow_imagebuilder.service.request.workflows import WorkflowType
from tests.support.arns import BOOT, IMAGE
from tests.support.operators import execution

BOOT_TEST = WorkflowSelector(WorkflowType.TEST, "boot", "f")
MEMBERS = {
    "schema", "arn", "execution_id", "name", "type", "parallel_group", "ordinal", "status", "start", "end",
    "attempt", "steps_total", "steps_succeeded", "steps_failed", "steps_skipped", "message", "steps",
    "observed_at", "written_at", "truncated",
}  # fmt: skip


def record(found: Any, steps: Any = (), **more: Any) -> dict[str, Any]:
    return workflow_record(IMAGE, BOOT_TEST, found, steps, asked_at=0.0, now=0.0, **more)


def step(number: int, status: str = "COMPLETED", **more: Any) -> dict[str, Any]:
    start = f"2026-01-01T11:{number:02d}:00Z"
    return {"name": f"step-{number}", "action": "RunCommand", "status": status, "startTime": start, **more}


def test_a_workflow_without_an_execution_has_no_id_and_no_status() -> None:
    found = record(None)
    assert set(found) == MEMBERS
    assert (found["execution_id"], found["status"], found["steps"]) == (None, None, [])
    assert (found["name"], found["type"], found["parallel_group"]) == ("boot", "TEST", "f")


def test_the_monitor_of_a_stage_takes_the_name_of_what_aws_runs() -> None:
    stage = WorkflowSelector(WorkflowType.TEST)
    found = workflow_record(IMAGE, stage, execution(BOOT, "RUNNING"), asked_at=0.0)
    assert found["name"] == "boot"


def test_steps_come_in_the_order_in_which_they_began() -> None:
    later = {"name": "last", "action": "Stop", "status": "PENDING"}
    found = record(execution(BOOT, "RUNNING"), [later, step(2), step(1)])
    assert [item["name"] for item in found["steps"]] == ["step-1", "step-2", "last"]
    assert found["observed_at"] == "2026-01-01T11:02:00.000Z"


def test_the_attempt_counts_what_a_repair_superseded() -> None:
    first = execution(BOOT, "FAILED", "wf-1", retried=True, startTime="2026-01-01T10:00:00Z")
    second = execution(BOOT, "RUNNING", "wf-2", startTime="2026-01-01T11:00:00Z")
    assert record(second, executions=[first, second])["attempt"] == 2


def test_many_steps_keep_those_that_failed() -> None:
    steps = [step(n % 60, "FAILED" if n == 48 else "COMPLETED", message="m" * 5000) for n in range(STEPS)]
    found = record(execution(BOOT, "FAILED", message="m" * 5000), [{**s, "action": "a" * 150} for s in steps])
    assert size(found) <= WORKFLOW_BYTES
    assert "steps" in found["truncated"]
    assert "FAILED" in {item["status"] for item in found["steps"]}


@settings(max_examples=25, deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=50), st.sampled_from(["\U0001f600" * 9999, '"' * 9999, "\ud800", "\x00"])
    ),
    count=st.integers(0, 80),
)
def test_no_steps_make_a_record_that_is_too_large_or_no_json(text: str, count: int) -> None:
    steps = [{"name": text, "action": text, "status": text, "message": text, "startTime": text}] * count
    found = record(execution(BOOT, text, text, message=text), steps)
    assert size(found) <= WORKFLOW_BYTES
    assert json.loads(json.dumps(found, ensure_ascii=False).encode()) == found
