"""
Start image pipelines that exist, and wait for their AMIs: one, several, and one drawn as a task group.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_imagebuilder import (
    ImageBuilderStartPipelineOperator,
    ImageBuilderTaskGroup,
    TestGroup,
    Workflow,
)

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
# A new try finds the image of the last one again, so there is nothing to wait for.
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=30)}


def test(name: str) -> Workflow:
    """Return one of the pipeline's test workflows."""
    return Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1")


with DAG("run_my_pipeline", schedule=None, start_date=START, tags=["imagebuilder"], doc_md=__doc__):
    image = ImageBuilderStartPipelineOperator(
        task_id="bake",
        pipeline_arn=PREFIX + ":image-pipeline/golden-web",
        timeout=timedelta(hours=4),
        **RETRIES,
    )

    @task
    def use(image: dict[str, Any]) -> list[str]:
        """Return the AMIs, one for each region and account."""
        return [f"{ami['region']}: {ami['image']}" for ami in image["golden_amis"]]

    use(image.output)

with DAG("run_my_pipelines", schedule=None, start_date=START, tags=["imagebuilder"]):
    ImageBuilderStartPipelineOperator.partial(
        task_id="bake", map_index_template="{{ task.pipeline_arn.split('/')[-1] }}", **RETRIES
    ).expand(
        pipeline_arn=[
            PREFIX + ":image-pipeline/golden-web",
            PREFIX + ":image-pipeline/golden-web-container",
        ]
    )

with DAG("show_my_pipeline", schedule=None, start_date=START, tags=["imagebuilder"]):
    ImageBuilderTaskGroup(
        "golden_web",
        pipeline_arn=PREFIX + ":image-pipeline/golden-web",
        build_workflow=Workflow(PREFIX + ":workflow/build/golden-build/1.0.0/1"),
        test_groups=[
            TestGroup("functional", (test("boot"), test("network"), test("services"))),
            test("performance"),
            TestGroup("security", (test("cis-level-1"), test("package-audit"))),
        ],
        # The tests of this pipeline have onFailure CONTINUE: the image can be AVAILABLE with a failed test.
        fail_on_test_failure=True,
        default_args=RETRIES,
    )
