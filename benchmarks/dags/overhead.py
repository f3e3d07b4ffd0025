"""An image with eight tests, watched at different intervals."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow

PREFIX = "arn:aws:imagebuilder:us-east-1:123456789012"
TESTS = (
    "boot",
    "network",
    "services",
    "storage",
    "time-sync",
    "users",
    "performance",
    "cis-level-1",
)

for interval in (2, 30):
    with DAG(f"overhead_{interval}", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
        ImageBuilderTaskGroup(
            "bake",
            image_recipe_arn=f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
            infrastructure_configuration_arn=f"{PREFIX}:infrastructure-configuration/golden-build",
            execution_role="ImageBuilderExecution",
            build_workflow=Workflow(f"{PREFIX}:workflow/build/golden-build/1.0.0/1"),
            test_groups=[
                TestGroup(
                    "functional",
                    tuple(Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1") for name in TESTS),
                )
            ],
            poll_interval=interval,
            default_args={"retries": 2},
        )
