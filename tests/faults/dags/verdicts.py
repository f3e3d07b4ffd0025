"""Task groups and what follows them, for images whose test fails once, twice or always."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TaskGroup, task

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow
from tests.support.arns import PREFIX

SEVEN = ("boot", "network", "services", "storage", "time-sync", "users", "performance")


def dag(dag_id: str) -> DAG:
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        params={"recipe": Param("verdict-once", type="string")},
    )


def bake(group_id: str, name: str, *tests: str, retries: int) -> ImageBuilderTaskGroup:
    workflows = tuple(Workflow(f"{PREFIX}:workflow/test/{test}/1.0.0/1") for test in tests)
    return ImageBuilderTaskGroup(
        group_id,
        image_recipe_arn=PREFIX + ":image-recipe/{{ params.recipe }}/1.0.0",
        infrastructure_configuration_arn=f"{PREFIX}:infrastructure-configuration/golden-build",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(f"{PREFIX}:workflow/build/golden-build/1.0.0/1"),
        test_groups=[TestGroup(name, workflows)],
        # Long enough for what hung on a monitor to be skipped before the second try.
        default_args={"retries": retries, "retry_delay": timedelta(seconds=5)},
    )


@task
def roll_out(image: dict[str, Any]) -> str:
    return str(image["arn"])


for number in (0, 1, 2):
    with dag(f"verdict_{number}"):
        golden = bake("bake", "security", "cis-level-1", "package-audit", retries=number)
        golden >> roll_out(golden.result)
        for rule in ("none_failed", "all_done", "one_failed"):
            golden >> EmptyOperator(task_id=rule, trigger_rule=rule)
        golden.tests["security"] >> EmptyOperator(task_id="notify")

with dag("verdict_chain"):
    with TaskGroup("fleet") as fleet:
        first = bake("first", "security", "cis-level-1", retries=1)
        second = bake("second", "security", "cis-level-1", retries=1)
        first >> second
    fleet >> EmptyOperator(task_id="after")

with dag("verdict_seven"):
    golden = bake("bake", "functional", *SEVEN, retries=0)
    golden >> roll_out(golden.result)
