"""
Wait for the image that AWS's schedule builds, watch its tests, and say which AMIs it has.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Asset, task

from airflow_imagebuilder import ImageBuilderImageSensor, ImageBuilderMonitorWorkflowOperator

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
PIPELINE = PREFIX + ":image-pipeline/golden-web"
TESTS = {"functional": ["boot", "network", "services"], "security": ["cis-level-1", "package-audit"]}

with DAG(
    "image_sensor",
    schedule=None,  # for example the schedule of the pipeline: "0 2 * * *"
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
):
    find = ImageBuilderImageSensor(
        task_id="find",
        pipeline_arn=PIPELINE,
        wait_for_completion=False,
        timeout=timedelta(hours=2),
    )
    for group, names in TESTS.items():
        ImageBuilderMonitorWorkflowOperator.partial(
            task_id=group, parallel_group=group, image_build_version_arn=find.output
        ).expand(workflow=names)

    image = ImageBuilderImageSensor(
        task_id="image",
        image_build_version_arn=find.output,
        timeout=timedelta(hours=6),
        outlets=[Asset("golden-web", uri="imagebuilder://golden-web")],
    )

    @task
    def amis(result: dict[str, Any]) -> dict[str, str]:
        """Return the AMI of each region."""
        return {ami["region"]: ami["image"] for ami in result["golden_amis"]}

    amis(image.output)
