"""Bakes that take an hour, to be killed in every way that Airflow knows; deferred and on a worker."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageBuilderStartPipelineOperator,
    Workflow,
)
from tests.support.arns import PREFIX

MODES = {"deferred": True, "on_worker": False}
LIMIT = timedelta(seconds=45)
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "by_hand": ({}, {}),
    "dagrun_timeout": ({"dagrun_timeout": LIMIT}, {}),
    "execution_timeout": ({}, {"execution_timeout": LIMIT}),
    "deadline": ({}, {"timeout": LIMIT}),
}

for mode, deferrable in MODES.items():
    with DAG(
        dag_id=f"victim_of_a_pipeline__{mode}",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    ):
        ImageBuilderStartPipelineOperator(
            task_id="bake", deferrable=deferrable, pipeline_arn=f"{PREFIX}:image-pipeline/endless"
        )
    for way, (of_dag, of_task) in WAYS.items():
        with DAG(
            dag_id=f"victim_{way}__{mode}",
            schedule=None,
            start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
            **of_dag,
        ):
            ImageBuilderCreateImageOperator(
                task_id="bake",
                deferrable=deferrable,
                image_recipe_arn=f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
                infrastructure_configuration_arn=f"{PREFIX}:infrastructure-configuration/golden-build",
                workflows=[Workflow(f"{PREFIX}:workflow/build/endless/1.0.0/1")],
                execution_role="ImageBuilderExecution",
                **of_task,
            )
