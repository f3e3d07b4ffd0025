"""The base image of our web servers: baked every week, tested, and published."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow

ARN = "arn:aws:imagebuilder:us-east-1:123456789012"
PARAMETER = "/images/web-base"


@task
def publish(image: dict[str, Any]) -> str:
    """Write the id of the AMI into the parameter that the launch templates resolve."""
    from airflow.providers.amazon.aws.hooks.ssm import SsmHook

    ami: str = image["golden_amis"][0]["image"]
    SsmHook(region_name="us-east-1").conn.put_parameter(
        Name=PARAMETER, Value=ami, Type="String", Overwrite=True
    )
    return ami


with DAG(
    "web_base",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5)},
) as web_base:
    image = ImageBuilderTaskGroup(
        "image",
        image_recipe_arn=f"{ARN}:image-recipe/web-base/1.0.0",
        infrastructure_configuration_arn=f"{ARN}:infrastructure-configuration/web-base",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow("arn:aws:imagebuilder:us-east-1:aws:workflow/build/build-image/x.x.x"),
        test_groups=[
            TestGroup(
                "functional",
                (
                    Workflow(f"{ARN}:workflow/test/web-starts/1.0.0/1"),
                    Workflow(f"{ARN}:workflow/test/web-answers/1.0.0/1"),
                ),
            )
        ],
        tags={"dag": "{{ dag.dag_id }}"},
        fail_on_test_failure=True,
    )
    image >> publish(image.result)
