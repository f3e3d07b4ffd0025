"""
Build each night, but only if there is something new: `gate` skips the rest of the run if not.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageBuilderNeedsBuildOperator,
    ImageBuilderTaskGroup,
    TestGroup,
    Workflow,
)

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
INFRASTRUCTURE = PREFIX + ":infrastructure-configuration/golden-build"
RECIPES = [f"{PREFIX}:image-recipe/{name}/1.0.0" for name in ("golden-al2023", "golden-ubuntu-2404")]
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=30)}


def workflow(kind: str, name: str) -> Workflow:
    return Workflow(f"{PREFIX}:workflow/{kind}/{name}/1.0.0/1")


with DAG(
    dag_id="build_if_needed",
    description="Bake a golden image if its base, components or recipe have changed, or if it is old.",
    schedule="@daily",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    params={"force": Param(False, type="boolean", description="Build, even if nothing has changed.")},
    tags=["imagebuilder"],
    doc_md=__doc__,
):
    gate = ImageBuilderNeedsBuildOperator(
        task_id="gate",
        image_recipe_arn=PREFIX + ":image-recipe/golden-web/1.0.0",
        max_age=timedelta(days=30),
        force="{{ params.force }}",
        **RETRIES,
    )
    web = ImageBuilderTaskGroup(
        "web",
        image_recipe_arn=PREFIX + ":image-recipe/golden-web/1.0.0",
        infrastructure_configuration_arn=INFRASTRUCTURE,
        execution_role="ImageBuilderExecution",
        build_workflow=workflow("build", "golden-build"),
        test_groups=(TestGroup("functional", (workflow("test", "boot"), workflow("test", "network"))),),
    )

    @task
    def announce(image: dict[str, Any], decided: dict[str, Any]) -> str:
        """Return what was built, and why."""
        return f"{image['arn']}: {'; '.join(decided['reasons'])}"

    gate >> web
    announce(web.result, gate.output)

with DAG(
    dag_id="build_needed_ones",
    description="One gate and one build for each recipe: a gate skips the build with its map index.",
    schedule=None,
    start_date=START,
    catchup=False,
    tags=["imagebuilder"],
    doc_md=__doc__,
):
    gates = ImageBuilderNeedsBuildOperator.partial(task_id="gate", **RETRIES).expand(image_recipe_arn=RECIPES)
    builds = ImageBuilderCreateImageOperator.partial(
        task_id="build", infrastructure_configuration_arn=INFRASTRUCTURE, **RETRIES
    ).expand(image_recipe_arn=RECIPES)
    gates >> builds
