"""Pipelines that the tests make, disable and delete; no task waits for another."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG

from airflow_imagebuilder import ImageBuilderStartPipelineOperator, ImageBuilderTaskGroup, TestGroup, Workflow
from tests.support.arns import PREFIX

PIPELINE = PREFIX + ":image-pipeline/{}"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
PERSISTENT: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(seconds=1)}

with DAG("pipelines_alone", schedule=None, start_date=START):
    for name in ("disabled", "deleted"):
        ImageBuilderStartPipelineOperator(
            task_id=name,
            pipeline_arn=PIPELINE.format(f"pipe-{name}"),
            deferrable=name != "disabled",
            poll_interval=1,
            **PERSISTENT,
        )
    ImageBuilderStartPipelineOperator(
        task_id="missing", pipeline_arn=PIPELINE.format("pipe-nowhere"), **PERSISTENT
    )

with DAG("pipelines_groups", schedule=None, start_date=START):
    ImageBuilderTaskGroup(
        "differs",
        pipeline_arn=PIPELINE.format("pipe-differs"),
        test_groups=[
            TestGroup(
                "functional",
                (
                    Workflow(f"{PREFIX}:workflow/test/boot/1.0.0/1"),
                    Workflow(f"{PREFIX}:workflow/test/users/1.0.0/1"),
                ),
            )
        ],
        default_args=PERSISTENT,
    )
    ImageBuilderTaskGroup(
        "by_default",
        pipeline_arn=PIPELINE.format("golden-web-container"),
        poll_interval=1,
        default_args=PERSISTENT,
    )
