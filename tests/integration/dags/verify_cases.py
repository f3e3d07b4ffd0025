"""The operator that verifies outputs: one mapped task for each image of the run's configuration."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_imagebuilder import ImageBuilderVerifyOutputsOperator

with DAG(
    "verify_cases",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    params={"images": [], "shared": "", "tags": {}},
):

    @task
    def images(params: dict[str, Any] | None = None) -> list[str]:
        """Return the images of the run's configuration."""
        return list((params or {})["images"])

    ImageBuilderVerifyOutputsOperator.partial(
        task_id="verify",
        account_conn_ids={"210987654321": "aws_target"},
        patience=1,
        map_index_template="{{ task.image_build_version_arn.split('/')[1] }}",
    ).expand(image_build_version_arn=images())

    ImageBuilderVerifyOutputsOperator(
        task_id="without_credentials", image_build_version_arn="{{ params.shared }}", patience=1
    )
    ImageBuilderVerifyOutputsOperator(
        task_id="unverified_accepted",
        image_build_version_arn="{{ params.shared }}",
        patience=1,
        fail_on_unverified=False,
        require_tags="{{ params.tags | tojson }}",
    )
