"""Images whose waits would poll again after ten minutes: only an event ends them sooner."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_imagebuilder import ImageBuilderCreateImageOperator
from tests.support.arns import PREFIX

with DAG("listening", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    ImageBuilderCreateImageOperator.partial(
        task_id="image",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        poll_interval=600,
        retries=0,
    ).expand(image_recipe_arn=3 * [PREFIX + ":image-recipe/golden-al2023/1.0.0"])
