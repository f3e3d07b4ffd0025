"""Gates that ask a local service of their own, which the connection ``scan_gate`` reaches; each is alone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_imagebuilder import ImageBuilderScanGateOperator
from tests.support.arns import PREFIX

CONNECTION = "scan_gate"
ACCEPTED, EXPIRED = "scan_accepted", "scan_expired"
"""Variables with an allow-list."""


def image(name: str) -> str:
    return f"{PREFIX}:image/{name}/1.0.0/1"


MANY = {"CRITICAL": 9, "HIGH": 99}
SETTINGS: dict[str, Any] = {
    "aws_conn_id": CONNECTION,
    "poll_interval": 1,
    # A gate that does not pass is not tried again.
    "retries": 2,
    "retry_delay": timedelta(seconds=1),
}
CASES: dict[str, dict[str, Any]] = {
    "passes": {"image": "scan-done", "max_findings": MANY},
    "above": {"image": "scan-done", "max_findings": {"CRITICAL": 0, "HIGH": 1}},
    "accepted": {"image": "scan-done", "allow_list": ACCEPTED},
    "expired": {"image": "scan-done", "allow_list": EXPIRED},
    "container": {"image": "golden-container", "max_findings": MANY},
    "off": {"image": "scan-off"},
    "hangs": {"image": "scan-hangs", "timeout": timedelta(seconds=12)},
    "hangs_on_worker": {"image": "scan-hangs", "timeout": timedelta(seconds=12), "deferrable": False},
    "waits": {"image": "scan-late", "max_findings": MANY, "priority_weight": 9},
    "waits_on_worker": {
        "image": "scan-late",
        "max_findings": MANY,
        "deferrable": False,
        "priority_weight": 9,
    },
}

with DAG("scan_cases", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    for case, options in CASES.items():
        wanted = {name: value for name, value in options.items() if name != "image"}
        ImageBuilderScanGateOperator(
            task_id=case, image_build_version_arn=image(options["image"]), **SETTINGS, **wanted
        )

    @task
    def bake() -> dict[str, Any]:
        """Return as much of an ImageResult as a gate needs."""
        return {"arn": image("scan-done"), "status": "AVAILABLE"}

    baked = bake()
    ImageBuilderScanGateOperator(
        task_id="of_output",
        image_build_version_arn=baked,
        max_findings=MANY,
        **SETTINGS,
    )
    ImageBuilderScanGateOperator(
        task_id="of_template",
        image_build_version_arn="{{ ti.xcom_pull('bake')['arn'] }}",
        max_findings={"CRITICAL": "{{ 9 }}", "HIGH": "{{ 99 }}"},
        **SETTINGS,
    ).set_upstream(baked)

    ImageBuilderScanGateOperator.partial(task_id="mapped", max_findings=MANY, **SETTINGS).expand(
        image_build_version_arn=[image("scan-done"), image("scan-off")]
    )

    @task
    def bake_two() -> list[dict[str, Any]]:
        """Return two images as mapped tasks return them."""
        return [{"arn": image("scan-done")}, {"arn": image("golden-container")}]

    ImageBuilderScanGateOperator.partial(task_id="mapped_outputs", max_findings=MANY, **SETTINGS).expand(
        image_build_version_arn=bake_two()
    )
