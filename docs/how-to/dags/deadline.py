"""
A message if a run is late: a deadline, which Airflow has since 3.1. On Airflow 3.0 this Dag has none.

The message goes to the SNS topic that ``IMAGES_TOPIC_ARN`` names, in the environment of the triggerer.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk import DAG

from airflow_imagebuilder import ImageBuilderCreateImageOperator

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
TOPIC = os.environ.get("IMAGES_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:golden-images")
LATE: dict[str, Any] = {
    "target_arn": TOPIC,
    "region_name": TOPIC.split(":")[3],
    "subject": "A golden image is late",
    "message": "The run {{ dag_run.dag_run_id }} of {{ dag_run.dag_id }} is late. It continues.",
}
DEADLINE: dict[str, Any] = {}
try:
    from airflow.sdk.definitions.deadline import (  # type: ignore[attr-defined]
        AsyncCallback,
        DeadlineAlert,
        DeadlineReference,
    )
except ImportError:
    pass
else:
    DEADLINE["deadline"] = DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=3),
        callback=AsyncCallback(SnsNotifier, kwargs=LATE),
    )

with DAG(
    dag_id="image_with_deadline",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["imagebuilder"],
    doc_md=__doc__,
    **DEADLINE,
) as image_with_deadline:
    ImageBuilderCreateImageOperator(
        task_id="bake",
        image_recipe_arn=PREFIX + ":image-recipe/golden-al2023/1.0.0",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        retries=2,
        retry_delay=timedelta(minutes=1),
    )
