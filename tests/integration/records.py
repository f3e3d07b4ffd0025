"""The run of test_build_record.py: it mostly waits, so it begins with the session, before other tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.xcom import LIVE_BUILD_KEY, WORKFLOW_KEY
from tests.integration.bakes import Run, add_recipes, add_workflow, let_go, until

if TYPE_CHECKING:
    from airflow_imagebuilder.local.stack.airflow import AirflowStack
    from airflow_imagebuilder.local.stack.image_builder import LocalService

SPEED = 600
FAILURES = [
    {"workflow": "records-probe", "image": "records-repaired", "times": 1, "message": "no route to host"},
    {"workflow": "records-probe", "image": "records-failed", "message": "no route to host"},
]
"""Of images of this run alone."""


def waiting(record: dict[str, Any]) -> bool:
    """Return whether a step of a monitor's record waits for ``let_go``."""
    return any((s["action"], s["status"]) == ("WaitForAction", "RUNNING") for s in record["steps"])


def play(airflow: AirflowStack, service: LocalService) -> dict[str, Any]:
    """Run it; return it, with what tasks had recorded while the repaired image was tested again."""
    add_workflow(service, "BUILD", "records-build", 1, SPEED)
    add_workflow(service, "HELD", "records-held", 1, SPEED)
    add_workflow(service, "TEST", "records-probe", 1, SPEED)
    add_recipes(service, [f"records-{name}" for name in ("repaired", "failed", "worker")])
    service.control(failures=FAILURES)
    run = Run.start(airflow.api, "records")
    monitor = "bake.pair.test"

    def live() -> Any:
        record = run.xcom("bake.image", LIVE_BUILD_KEY)
        held = run.xcom(monitor, WORKFLOW_KEY, 0)
        waits = held["attempt"] > 1 and waiting(held)
        return (
            record["status"] == "TESTING"
            and record["try_number"] > 1
            and record["workflows"]
            and waits
            and record
        )

    found = {"run": run, "live": until(live), "held": run.xcom(monitor, WORKFLOW_KEY, 0)}
    let_go(service, "records-repaired")
    run.wait()
    return found
