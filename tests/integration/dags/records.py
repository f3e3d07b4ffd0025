"""One run whose tasks record images: one repaired in a task group, one that fails, one on a worker."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageBuilderTaskGroup,
    TestGroup,
    Workflow,
)
from tests.support.arns import PREFIX

INFRASTRUCTURE = PREFIX + ":infrastructure-configuration/golden-build"
RECIPE = PREFIX + ":image-recipe/records-{}/1.0.0"
ALONE: dict[str, Any] = {"infrastructure_configuration_arn": INFRASTRUCTURE, "poll_interval": 1, "retries": 0}


def test(name: str) -> Workflow:
    return Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1")


with DAG("records", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    ImageBuilderTaskGroup(
        "bake",
        image_recipe_arn=RECIPE.format("repaired"),
        infrastructure_configuration_arn=INFRASTRUCTURE,
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(PREFIX + ":workflow/build/records-build/1.0.0/1"),
        test_groups=[TestGroup("pair", (test("records-held"), test("records-probe")))],
        poll_interval=1,
        default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
    )
    ImageBuilderCreateImageOperator(
        task_id="failed",
        image_recipe_arn=RECIPE.format("failed"),
        execution_role="ImageBuilderExecution",
        workflows=[Workflow(PREFIX + ":workflow/build/records-build/1.0.0/1"), test("records-probe")],
        **ALONE,
    )
    ImageBuilderCreateImageOperator(
        task_id="on_worker", image_recipe_arn=RECIPE.format("worker"), deferrable=False, **ALONE
    )
