"""
Bake the fleet's golden image every week: build, nine tests, two regions.

This Dag is a quality gate. After a test has failed, the other tests still run, so one run shows all failures.
The task ``image`` then fails and does not update the asset, so no Dag rolls the image out.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, Param
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
GOLDEN_AL2023 = Asset("golden-al2023", uri="imagebuilder://golden-al2023")


def test(name: str) -> Workflow:
    """Return one of the account's test workflows; a failure does not keep the others from running."""
    return Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1", on_failure="CONTINUE")


with DAG(
    dag_id="golden_image",
    description="Bake the golden Amazon Linux 2023 image: build, nine tests, two regions.",
    # Every Monday at 03:00 UTC. Unpausing the Dag starts no run: the first one is on the next Monday.
    schedule=CronTriggerTimetable("0 3 * * 1", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    params={"recipe": Param("golden-al2023/1.0.0", type="string", title="Image recipe: name/version")},
    tags=["imagebuilder"],
    doc_md=__doc__,
) as dag:
    ImageBuilderTaskGroup(
        "golden_image",
        image_recipe_arn=PREFIX + ":image-recipe/{{ params.recipe }}",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        distribution_configuration_arn=PREFIX + ":distribution-configuration/golden-two-regions",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(PREFIX + ":workflow/build/golden-build/1.0.0/1"),
        test_groups=[
            TestGroup(
                "functional",
                tuple(map(test, ["boot", "network", "services", "storage", "time-sync", "users"])),
            ),
            test("performance"),
            TestGroup("security", tuple(map(test, ["cis-level-1", "package-audit"]))),
        ],
        tags={"baked-by": "airflow"},
        # With on_failure=CONTINUE, AWS makes an image AVAILABLE although tests failed; then fail the run.
        fail_on_test_failure=True,
        timeout=timedelta(hours=4),
        # A new try finds the image of the last one again, so there is nothing to wait for.
        default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
        outlets=[GOLDEN_AL2023],
    )
