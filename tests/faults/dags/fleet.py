"""Thirty bakes that wait deferred and four that wait on a worker, while servers are killed under them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG

from airflow_imagebuilder import ImageBuilderCreateImageOperator, Workflow
from tests.support.arns import PREFIX

SIZES = {"deferred": 30, "on_worker": 4}

with DAG(
    dag_id="fleet",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    max_active_tasks=100,
):
    for mode, size in SIZES.items():
        given: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=1)}
        ImageBuilderCreateImageOperator.partial(
            task_id=mode,
            deferrable=mode == "deferred",
            image_recipe_arn=f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
            infrastructure_configuration_arn=f"{PREFIX}:infrastructure-configuration/golden-build",
            workflows=[Workflow(f"{PREFIX}:workflow/build/endless/1.0.0/1").to_api()],
            execution_role="ImageBuilderExecution",
            **given,
        ).expand(tags=[{"fleet": mode, "number": str(number)} for number in range(size)])
