"""
Several images in one Dag, in two ways.

``images_by_list`` bakes what a task lists, one mapped task each, at most as many at a time as the pool
``golden_images`` has slots. Then it reports what there is, also if an image failed.
``images_by_loop`` draws a task group for each image of a Python list, with its tests.

Before the first run, make the pool; it has to count deferred tasks:
``airflow pools set golden_images 2 "Images in progress" --include-deferred``

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_imagebuilder import ImageBuilderCreateImageOperator, ImageBuilderTaskGroup, TestGroup, Workflow

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
INFRASTRUCTURE = PREFIX + ":infrastructure-configuration/golden-build"
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(minutes=1)}
IMAGES = ["golden-al2023", "golden-ubuntu-2404", "golden-windows-2022"]
TESTS = {
    "golden-al2023": ["boot", "network"],
    "golden-windows-2022": ["boot"],
}

with DAG(
    dag_id="images_by_list",
    schedule=None,
    start_date=START,
    catchup=False,
    params={"images": Param(IMAGES, type="array", items={"type": "string", "enum": IMAGES}, minItems=1)},
    tags=["imagebuilder"],
    doc_md=__doc__,
) as images_by_list:

    @task
    def choose(prefix: str, params: dict[str, Any] | None = None) -> list[dict[str, str]]:
        """Return the arguments of one image each. A list from Git, a table or an API would be read here."""
        return [
            {
                "image_recipe_arn": f"{prefix}:image-recipe/{name}/1.0.0",
                "infrastructure_configuration_arn": f"{prefix}:infrastructure-configuration/golden-build",
            }
            for name in (params or {})["images"]
        ]

    bake = ImageBuilderCreateImageOperator.partial(
        task_id="bake",
        map_index_template="{{ task.image_recipe_arn.split('/')[1] }}",
        pool="golden_images",
        **RETRIES,
    ).expand_kwargs(choose(PREFIX))

    # all_done: also after an image that failed. Another try would find the same images.
    @task(trigger_rule="all_done", retries=0)
    def report(images: Any, params: dict[str, Any] | None = None) -> dict[str, str]:
        """Return the AMI of each image that is there, and fail if one is missing."""
        there = {image["name"]: image["golden_amis"][0]["image"] for image in images}
        print(there)  # noqa: T201 (the task's log)
        if missing := set((params or {})["images"]) - set(there):
            raise RuntimeError(f"Not there: {', '.join(sorted(missing))}. There: {there}")
        return there

    report(bake.output)

with DAG(
    "images_by_loop", schedule=None, start_date=START, catchup=False, tags=["imagebuilder"]
) as images_by_loop:
    for name, tests in TESTS.items():
        ImageBuilderTaskGroup(
            name,
            image_recipe_arn=f"{PREFIX}:image-recipe/{name}/1.0.0",
            infrastructure_configuration_arn=INFRASTRUCTURE,
            execution_role="ImageBuilderExecution",
            build_workflow=Workflow(PREFIX + ":workflow/build/golden-build/1.0.0/1"),
            test_groups=[
                TestGroup(
                    "functional",
                    tuple(Workflow(f"{PREFIX}:workflow/test/{test}/1.0.0/1") for test in tests),
                )
            ],
            default_args=RETRIES,
        )
