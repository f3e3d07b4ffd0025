"""One image per run, with more tests in a group than AWS runs at once; the distributed tests run many."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow

PREFIX = "arn:aws:imagebuilder:us-east-1:123456789012"
FUNCTIONAL = ("boot", "network", "services", "storage", "time-sync", "users", "cis-level-1")


def test(name: str) -> Workflow:
    """Return one of the test workflows that the local service is seeded with."""
    return Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1")


with DAG("fleet", schedule=None, max_active_runs=100):
    ImageBuilderTaskGroup(
        "image",
        image_recipe_arn=f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
        infrastructure_configuration_arn=f"{PREFIX}:infrastructure-configuration/golden-build",
        distribution_configuration_arn=f"{PREFIX}:distribution-configuration/golden-two-regions",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(f"{PREFIX}:workflow/build/golden-build/1.0.0/1"),
        test_groups=[TestGroup("functional", tuple(map(test, FUNCTIONAL))), test("performance")],
        timeout=timedelta(hours=12),
        poll_interval=5,
        default_args={"retries": 4, "retry_delay": timedelta(seconds=5)},
    )
