"""Bakes with a test that fails once: the next try repairs the image instead of building another."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageBuilderStartPipelineOperator,
    ImageBuilderTaskGroup,
    TestGroup,
    Workflow,
)
from tests.support.arns import PREFIX

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
BAKE: dict[str, Any] = {
    "image_recipe_arn": f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
    "infrastructure_configuration_arn": f"{PREFIX}:infrastructure-configuration/golden-build",
    "execution_role": "ImageBuilderExecution",
}

BUILD = Workflow(f"{PREFIX}:workflow/build/golden-build/1.0.0/1")


def _test(name: str) -> Workflow:
    return Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1")


# The scenario lets the tests named here fail the first time, for each image.
with DAG("repair_task", schedule=None, start_date=START):
    for mode, deferrable in {"deferred": True, "on_worker": False}.items():
        ImageBuilderCreateImageOperator(
            task_id=mode,
            deferrable=deferrable,
            workflows=[BUILD, _test("boot"), _test("cis-level-1")],
            retries=1,
            retry_delay=timedelta(seconds=1),
            **BAKE,
        )
    ImageBuilderStartPipelineOperator(
        task_id="pipeline",
        pipeline_arn=f"{PREFIX}:image-pipeline/repaired",
        retries=1,
        retry_delay=timedelta(seconds=1),
    )

for dag_id, retries in {"repair_group_retry": 1, "repair_group_clear": 0}.items():
    with DAG(dag_id, schedule=None, start_date=START):
        ImageBuilderTaskGroup(
            "bake",
            build_workflow=BUILD,
            test_groups=[TestGroup("functional", (_test("boot"), _test("network"))), _test("cis-level-1")],
            default_args={"retries": retries, "retry_delay": timedelta(seconds=1)},
            **BAKE,
        )
