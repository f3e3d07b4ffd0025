"""
The image of the tutorial: one build, four tests, two regions, no retries.

A failed test stops the image, and no try follows by itself: clear the task group, and it is repaired.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"


def test(name: str) -> Workflow:
    """Return one of the account's test workflows."""
    return Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1")


with DAG(
    dag_id="first_image",
    description="The image of the tutorial: one build, four tests, two regions.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["imagebuilder"],
    doc_md=__doc__,
):
    ImageBuilderTaskGroup(
        "first_image",
        image_recipe_arn=PREFIX + ":image-recipe/golden-al2023/1.0.0",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        distribution_configuration_arn=PREFIX + ":distribution-configuration/golden-two-regions",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(PREFIX + ":workflow/build/golden-build/1.0.0/1"),
        test_groups=[
            TestGroup("functional", (test("boot"), test("network"))),
            TestGroup("security", (test("cis-level-1"), test("package-audit"))),
        ],
    )
