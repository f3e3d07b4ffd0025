"""Sensors, each in a situation of its own; no task waits for another."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, Asset

from airflow_imagebuilder import ImageBuilderImageSensor
from tests.support.arns import PREFIX

PIPELINE = PREFIX + ":image-pipeline/sensed-{}"
HELD = PREFIX + ":image/sensed-held/1.0.0/1"
# Its clock is ahead of Airflow's, and other tests have built images.
LONG_AGO: dict[str, Any] = {"since": "2020-01-01", "timeout": 300}

with DAG("image_sensors", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    ImageBuilderImageSensor(task_id="by_arn", image_build_version_arn=HELD, timeout=300)
    ImageBuilderImageSensor(
        task_id="by_pipeline",
        pipeline_arn=PIPELINE.format("later"),
        since="{{ dag_run.run_after }}",
        timeout=300,
        outlets=[Asset("sensed-later")],
    )
    ImageBuilderImageSensor(
        task_id="on_worker",
        pipeline_arn=PIPELINE.format("later"),
        deferrable=False,
        poll_interval=1,
        **LONG_AGO,
    )
    ImageBuilderImageSensor(
        task_id="rescheduled",
        pipeline_arn=PIPELINE.format("later"),
        deferrable=False,
        mode="reschedule",
        poke_interval=3,
        **LONG_AGO,
    )
    ImageBuilderImageSensor(task_id="by_name", image_name="sensed-there", version="1.x.x", **LONG_AGO)
    ImageBuilderImageSensor(task_id="fails", image_name="sensed-fails", **LONG_AGO)
    ImageBuilderImageSensor(task_id="skips", image_name="sensed-fails", soft_fail=True, **LONG_AGO)
    ImageBuilderImageSensor(task_id="none", image_name="sensed-none", since="2020-01-01", timeout=1)
    ImageBuilderImageSensor(task_id="killed", image_build_version_arn=HELD)
    ImageBuilderImageSensor(
        task_id="killed_on_worker", image_build_version_arn=HELD, deferrable=False, poll_interval=1
    )
