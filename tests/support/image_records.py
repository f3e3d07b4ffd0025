"""Records of images, workflows and findings, as tasks write them, for tests and measurements."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from tests.support.arns import PREFIX

START = datetime(2026, 11, 2, 6, 0, tzinfo=timezone.utc)
BUILDING, TESTING, DISTRIBUTING = "BUILDING", "TESTING", "DISTRIBUTING"


def at(seconds: float) -> str:
    """Return a time as records have it: this many seconds after :data:`START`."""
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def workflow(
    name: str,
    kind: str = "TEST",
    start: float | None = 0,
    end: float | None = None,
    status: str = "COMPLETED",
    **members: Any,
) -> dict[str, Any]:
    """Return one execution of a workflow, as the record of an image has it; times are seconds."""
    failed = int(status == "FAILED")
    return {
        "execution_id": f"wf-{name}",
        "name": name,
        "type": kind,
        "parallel_group": None,
        "status": status,
        "start": None if start is None else at(start),
        "end": None if end is None else at(end),
        "retried": False,
        "attempt": 1,
        "steps_total": 5,
        "steps_succeeded": 5 - failed if end is not None else 2,
        "steps_failed": failed,
        "steps_skipped": 0,
        "message": None,
        **members,
    }


def build(number: int = 1, name: str = "golden", begun: float = 0, **members: Any) -> dict[str, Any]:
    """Return the record of an image that is available; ``members`` replace some of it."""
    arn = f"{PREFIX}:image/{name}/1.0.0/{number}"
    tests = [
        workflow(f"test-{n}", "TEST", begun + 600, begun + 900 + n, parallel_group="functional")
        for n in range(3)
    ]
    workflows = [
        workflow("golden-build", "BUILD", begun, begun + 600),
        *tests,
        workflow("distribute", "DISTRIBUTION", begun + 910, begun + 1000),
    ]
    for one in workflows:
        one["execution_id"] += f"-{name}-{number}"
    record = {
        "schema": 1,
        "arn": arn,
        "name": name,
        "version": f"1.0.0/{number}",
        "type": "AMI",
        "platform": "Linux",
        "os_version": "Amazon Linux 2023",
        "recipe": f"{name}/1.0.0",
        "recipe_arn": f"{PREFIX}:image-recipe/{name}/1.0.0",
        "pipeline_arn": None,
        "status": "AVAILABLE",
        "reason": None,
        "ended": True,
        "created_at": at(begun),
        "ended_at": at(begun + 1000),
        "observed_at": at(begun + 1001),
        "written_at": at(begun + 1001),
        "duration": 1000.0,
        "submitted": True,
        "try_number": 1,
        "stages": [
            {"status": status, "since": at(begun + since)}
            for status, since in (
                ("PENDING", 0),
                (BUILDING, 5),
                (TESTING, 600),
                (DISTRIBUTING, 910),
                ("AVAILABLE", 1000),
            )
        ],
        "instance_types": ["m6i.large"],
        "declared": [{key: one[key] for key in ("name", "type", "parallel_group")} for one in workflows],
        "workflows": workflows,
        "tests_passed": 3,
        "tests_failed": 0,
        "tests_total": 3,
        "amis": [
            {
                "region": region,
                "account_id": "123456789012",
                "image": f"ami-{number:08x}{place:09x}",
                "name": f"{name} {at(begun)}",
            }
            for place, region in enumerate(("us-east-1", "eu-west-1"))
        ],
        "containers": [],
        "scan": {"status": "COMPLETED", "reason": None},
        "failure": None,
        "truncated": [],
    }
    return {**record, **members}


def steps(*names: str, begun: float = 0, **last: Any) -> list[dict[str, Any]]:
    """Return completed steps of a minute each; ``last`` replaces members of the last one."""
    made = [
        {
            "name": name,
            "action": "ExecuteComponents",
            "status": "COMPLETED",
            "start": at(begun + 60 * place),
            "end": at(begun + 60 * (place + 1)),
            "message": None,
        }
        for place, name in enumerate(names)
    ]
    made[-1].update(last)
    return made


def monitored(execution: dict[str, Any], arn: str, observed: float = 0, **members: Any) -> dict[str, Any]:
    """Return the record of a monitor for one execution of :func:`workflow`."""
    kept = {key: value for key, value in execution.items() if key != "retried"}
    return {
        "schema": 1,
        "arn": arn,
        **kept,
        "ordinal": 1,
        "steps": steps("Launch", "Run"),
        "observed_at": at(observed),
        "written_at": at(observed),
        "truncated": [],
        **members,
    }


def findings(arn: str, **counts: int) -> dict[str, Any]:
    """Return the record of a scan gate."""
    return {"schema": 1, "arn": arn, "counts": {"critical": 0, "high": 0, "medium": 0, **counts}}
