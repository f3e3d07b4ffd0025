"""
A golden image each working day: baked at 03:00, tested, copied to two regions, and there at breakfast.

``golden_each_night`` bakes it. ``use_golden_windows`` runs after each image that has passed, with its AMIs.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, task
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow
from airflow_imagebuilder.assets import image_in

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
GOLDEN_WINDOWS = Asset("golden-windows-2022", uri="imagebuilder://golden-windows-2022")


def test(name: str) -> Workflow:
    """Return a test workflow. A failure ends the image (ABORT), so that a new try can repair it."""
    return Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1")


with DAG(
    dag_id="golden_each_night",
    description="Bake the golden Windows image before each working day.",
    # Unpausing the Dag starts no run: the first one is at the next 03:00.
    schedule=CronTriggerTimetable("0 3 * * 1-5", timezone="Europe/Berlin", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["imagebuilder"],
    doc_md=__doc__,
) as golden_each_night:
    ImageBuilderTaskGroup(
        "golden_windows",
        image_recipe_arn=PREFIX + ":image-recipe/golden-windows-2022/1.0.0",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        distribution_configuration_arn=PREFIX + ":distribution-configuration/golden-windows-2022-two-regions",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(PREFIX + ":workflow/build/golden-build/1.0.0/1"),
        test_groups=[
            TestGroup("functional", (test("boot"), test("network"), test("services"))),
            TestGroup("security", (test("cis-level-1"),)),
        ],
        # From an image in the console back to its run in Airflow.
        tags={"baked-by": "airflow", "airflow-run": "{{ dag.dag_id }} {{ run_id }}"},
        # An image that takes longer is cancelled; a try that is left has the full time again.
        timeout=timedelta(hours=4),
        outlets=[GOLDEN_WINDOWS],
    )

with DAG("use_golden_windows", schedule=[GOLDEN_WINDOWS], catchup=False, tags=["imagebuilder"]):

    @task
    def use(triggering_asset_events: Any = None) -> dict[str, str]:
        """Return the AMIs of the newest image by region: put your roll-out here."""
        events = sorted(triggering_asset_events[GOLDEN_WINDOWS], key=lambda event: event.timestamp)
        images = [image for image in map(image_in, events) if image]
        return dict(images[-1]["amis"]) if images else {}

    use()
