"""Dags of the scenes that the browser suite starts: one for each picture of a build."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageBuilderImageSensor,
    ImageBuilderScanGateOperator,
    ImageBuilderStartPipelineOperator,
    ImageBuilderTaskGroup,
    TestGroup,
    Workflow,
)
from tests.browser.accounts import ACCOUNT, SLOW_ACCOUNT, arn


def scene(name: str) -> DAG:
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return DAG(f"scene_{name}", schedule=None, start_date=start, catchup=False, tags=["scene"])


def bake(
    recipe: str,
    *groups: tuple[str, list[str]],
    account: str = ACCOUNT,
    on_failure: Literal["CONTINUE", "ABORT"] | None = "CONTINUE",
    retries: int = 0,
    **options: Any,
) -> None:
    """
    Draw an image.

    :param on_failure: of its tests: CONTINUE runs them all; ABORT ends the image, which can then be repaired.
    """

    def test(name: str) -> Workflow:
        return Workflow(arn(f"workflow/test/{name}/1.0.0/1", account), on_failure=on_failure)

    ImageBuilderTaskGroup(
        "bake",
        image_recipe_arn=arn(f"image-recipe/{recipe}/1.0.0", account),
        infrastructure_configuration_arn=arn("infrastructure-configuration/golden-build", account),
        distribution_configuration_arn=arn("distribution-configuration/golden-two-regions", account),
        execution_role="ImageBuilderExecution",
        test_groups=[TestGroup(group, tuple(map(test, tests))) for group, tests in groups],
        fail_on_test_failure=True,
        default_args={"retries": retries, "retry_delay": timedelta(seconds=1)},
        **options,
    )


def built(account: str = ACCOUNT) -> dict[str, Any]:
    return {"build_workflow": Workflow(arn("workflow/build/golden-build/1.0.0/1", account))}


FUNCTIONAL = ("functional", ["boot", "network"])
SECURITY = ("security", ["cis-level-1", "package-audit"])

with scene("passed"):
    bake("golden-al2023", FUNCTIONAL, SECURITY, **built())

SLOW: dict[str, Any] = {"account": SLOW_ACCOUNT, "aws_conn_id": "aws_slow", **built(SLOW_ACCOUNT)}

with scene("running"):
    bake("golden-al2023", ("functional", ["boot", "soak"]), ("security", ["cis-level-1"]), **SLOW)

with scene("live"):
    bake("live", ("functional", ["soak"]), **SLOW)

with scene("failed_test"):
    bake("failed-test", FUNCTIONAL, SECURITY, **built())

with scene("failed_build"):
    bake("failed-build", ("functional", ["boot"]), **built())

with scene("repaired"):
    bake("repaired", FUNCTIONAL, ("last", ["users"]), on_failure="ABORT", retries=1, **built())

with scene("cancelled"):
    bake("cancelled", ("functional", ["boot", "soak"]), **built())

# Ten workflows are what AWS allows; the build and the distribution are then its own.
with scene("ten"):
    bake(
        "ten",
        ("functional", ["boot", "network", "services", "storage", "time-sync"]),
        ("security", ["users", "performance", "cis-level-1", "package-audit", "secrets"]),
    )

with scene("container"):
    image = ImageBuilderStartPipelineOperator(
        task_id="bake", pipeline_arn=arn("image-pipeline/golden-web-container")
    )
    ImageBuilderScanGateOperator(
        task_id="scan_gate", image_build_version_arn=image.output, max_findings={"CRITICAL": 0}
    )

with scene("alone"):
    ImageBuilderCreateImageOperator(
        task_id="bake",
        image_recipe_arn=arn("image-recipe/alone/1.0.0"),
        infrastructure_configuration_arn=arn("infrastructure-configuration/golden-build"),
    )

with scene("mapped"):
    ImageBuilderCreateImageOperator.partial(
        task_id="bake",
        infrastructure_configuration_arn=arn("infrastructure-configuration/golden-build"),
        map_index_template="{{ task.image_recipe_arn.split('/')[1] }}",
    ).expand(image_recipe_arn=[arn(f"image-recipe/mapped-{name}/1.0.0") for name in ("one", "two", "three")])

with scene("no_image"):
    EmptyOperator(task_id="nothing")

with scene("sensor"):
    ImageBuilderImageSensor(
        task_id="wait_for_image",
        image_build_version_arn=arn("image/sensed/1.0.0/1"),
        timeout=300,
    )
