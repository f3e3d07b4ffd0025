"""A golden image as a task group: a quality gate, a pool, tasks that follow one test and the image."""

import logging
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Asset, Param, task

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow

log = logging.getLogger(__name__)
ARN = "arn:aws:imagebuilder:eu-west-1:111122223333"


def test(name: str) -> Workflow:
    """Return a test that does not stop the others if it fails: `fail_on_test_failure` judges at the end."""
    return Workflow(f"{ARN}:workflow/test/{name}/1.0.0/1", on_failure="CONTINUE")


@task(trigger_rule="one_failed")
def call_security(dag_run: Any = None) -> None:
    """Report a failed security test, whatever becomes of the image."""
    log.warning("A security test of run %s failed", dag_run.run_id)


@task
def roll_out(image: dict[str, Any]) -> None:
    """Roll the new AMIs out: one line for each region."""
    for ami in image["golden_amis"]:
        log.info("%s: %s", ami["region"], ami["image"])


with DAG(
    "golden",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    params={"tests": Param(None, type=["null", "array"], items={"type": "string"})},
) as dag:
    golden = ImageBuilderTaskGroup(
        "golden_image",
        image_recipe_arn=f"{ARN}:image-recipe/al2023/1.x.x",
        infrastructure_configuration_arn=f"{ARN}:infrastructure-configuration/default",
        distribution_configuration_arn=f"{ARN}:distribution-configuration/two-regions",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(f"{ARN}:workflow/build/golden/1.0.0/1"),
        test_groups=[
            TestGroup("functional", (test("boot"), test("network"))),
            test("performance"),  # runs alone
            TestGroup("security", (test("cis"), test("ports"))),
        ],
        run_tests="{{ params.tests | tojson }}",
        fail_on_test_failure=True,
        timeout=timedelta(hours=4),
        outlets=[Asset("imagebuilder://golden")],
        default_args={"owner": "platform", "retry_delay": timedelta(minutes=5)},
        guard_args={"pool": "image_builder", "retries": 2},
    )
    golden.tests["security"] >> call_security()
    golden >> roll_out(golden.result)
