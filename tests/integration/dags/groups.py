"""Dags whose images the tests of the task group make fail, cancel, restart and wait."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Param, TaskGroup, task

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow
from tests.support.arns import PREFIX

RECIPE = PREFIX + ":image-recipe/{{ params.recipe }}/1.0.0"
WIDE = [f"wide-{number}" for number in range(1, 9)]


def dag(dag_id: str) -> DAG:
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        params={"recipe": Param("golden-al2023", type="string")},
    )


def test(name: str, **options: Any) -> Workflow:
    return Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1", **options)


def bake(*tests: TestGroup | Workflow, group_id: str = "bake", **options: Any) -> ImageBuilderTaskGroup:
    return ImageBuilderTaskGroup(
        group_id,
        image_recipe_arn=RECIPE,
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        distribution_configuration_arn=PREFIX + ":distribution-configuration/golden-two-regions",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(PREFIX + ":workflow/build/dags-build/1.0.0/1"),
        test_groups=tests,
        poll_interval=2,
        # The scheduler of a busy machine can fail a task that resumes; a retry attaches again. An image that
        # has failed stays failed.
        default_args={"retries": 1, "retry_delay": timedelta(seconds=1)},
        on_retry="fail",
        **options,
    )


@task
def after() -> str:
    return "reached"


with dag("group_wide"):
    bake(
        TestGroup("wide", tuple(test(name) for name in WIDE)),
        TestGroup("last", (test("last"),)),
    )

with dag("group_continue"):
    pair = (test("probe-a", on_failure="CONTINUE"), test("probe-b", on_failure="CONTINUE"))
    bake(TestGroup("pair", pair), test("probe-c")) >> after()

with dag("group_gate"):
    bake(TestGroup("pair", pair), fail_on_test_failure=True) >> after()

with dag("group_abort"):
    bake(TestGroup("pair", (test("probe-a"), test("probe-b"))), test("probe-c")) >> after()

with dag("group_slow"):
    bake(test("slow"))

with dag("group_pooled"):
    bake(test("slow"), guard_args={"pool": "one_image", "retries": 2})

with dag("group_twice"), TaskGroup("fleet"):
    first, second = bake(test("probe-a"), group_id="first"), bake(test("probe-a"), group_id="second")
    first >> after()
