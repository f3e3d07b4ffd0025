"""
Bake an image with a scan, and release it only if the scan found little enough.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_imagebuilder import ImageBuilderCreateImageOperator, ImageBuilderScanGateOperator

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"

with DAG(
    dag_id="scan_gate",
    description="Bake a golden image, and release it only if its scan found little enough.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["imagebuilder"],
    doc_md=__doc__,
):
    bake = ImageBuilderCreateImageOperator(
        task_id="bake",
        image_recipe_arn=PREFIX + ":image-recipe/golden-web/1.0.0",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        image_scanning_configuration={"imageScanningEnabled": True},
    )
    scan_gate = ImageBuilderScanGateOperator(
        task_id="scan_gate",
        image_build_version_arn=bake.output,
        max_findings={"CRITICAL": 0, "HIGH": 3},
        only_fixable=True,
        allow_list="accepted_findings.json",
    )

    @task
    def release(report: dict[str, Any]) -> str:
        """Return what is released, and how many findings it has."""
        return f"{report['image_build_version_arn']}: {report['counts']}"

    release(scan_gate.output)
