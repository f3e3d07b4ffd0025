"""Dags whose gates ask a local service of their own, which the connection ``needs_build`` reaches."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, task

from airflow_imagebuilder import (
    ImageBuilderNeedsBuildOperator,
    ImageBuilderTaskGroup,
    TestGroup,
    Workflow,
)
from airflow_imagebuilder.compat import TriggerRule
from tests.support.arns import PREFIX

CONNECTION = "needs_build"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def recipe(name: str) -> dict[str, Any]:
    return {"image_recipe_arn": f"{PREFIX}:image-recipe/{name}/1.0.0"}


CASES: dict[str, dict[str, Any]] = {
    "same": {**recipe("needs-built"), "max_age": timedelta(days=30)},
    "old": {**recipe("needs-built"), "max_age": timedelta(seconds=1)},
    "inputs": recipe("needs-inputs"),
    "forced": {**recipe("needs-built"), "force": "{{ params.force }}"},
    "in_progress": {"pipeline_arn": f"{PREFIX}:image-pipeline/golden-web"},
}


def gate(task_id: str, **options: Any) -> ImageBuilderNeedsBuildOperator:
    return ImageBuilderNeedsBuildOperator(task_id=task_id, aws_conn_id=CONNECTION, **options)


def workflow(kind: str, name: str) -> Workflow:
    return Workflow(f"{PREFIX}:workflow/{kind}/{name}/1.0.0/1")


with DAG("needs_cases", schedule=None, start_date=START, params={"force": Param(False, type="boolean")}):
    for case, options in CASES.items():
        gate(case, **options) >> EmptyOperator(task_id=f"after_{case}")

FUNCTIONAL = TestGroup("functional", (workflow("test", "boot"), workflow("test", "network")))
TESTS = {True: (FUNCTIONAL, workflow("test", "performance")), False: (workflow("test", "performance"),)}

for mode, tests in TESTS.items():
    with DAG(f"needs_group_{str(mode).lower()}", schedule=None, start_date=START):
        bake = ImageBuilderTaskGroup(
            "bake",
            **recipe("needs-built"),
            infrastructure_configuration_arn=f"{PREFIX}:infrastructure-configuration/golden-build",
            execution_role="ImageBuilderExecution",
            build_workflow=workflow("build", "golden-build"),
            test_groups=tests,
            aws_conn_id=CONNECTION,
        )
        decide = gate("gate", **recipe("needs-built"), ignore_downstream_trigger_rules=mode)
        report = EmptyOperator(task_id="report", trigger_rule=TriggerRule.ALL_DONE)
        decide >> bake >> EmptyOperator(task_id="roll_out") >> report

with DAG("needs_mapped", schedule=None, start_date=START):
    recipes = [recipe(name)["image_recipe_arn"] for name in ("needs-built", "needs-none")]
    gates = ImageBuilderNeedsBuildOperator.partial(task_id="gate", aws_conn_id=CONNECTION).expand(
        image_recipe_arn=recipes
    )

    @task
    def build(arn: str) -> str:
        return arn

    gates >> build.expand(arn=recipes) >> EmptyOperator(task_id="after_builds")
    gates >> EmptyOperator(task_id="after_gates")
