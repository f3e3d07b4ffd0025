"""What a type checker accepts in a Dag file. The test checks this file; pytest does not run it."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from airflow.sdk import DAG, Asset, XComArg, task

from airflow_imagebuilder import (
    ImageBuilderAwaitImageOperator,
    ImageBuilderCreateImageOperator,
    ImageBuilderImageSensor,
    ImageBuilderMonitorWorkflowOperator,
    ImageBuilderNeedsBuildOperator,
    ImageBuilderScanGateOperator,
    ImageBuilderStartPipelineOperator,
    ImageBuilderTaskGroup,
    ImageBuilderVerifyOutputsOperator,
    OnFailure,
    OnRetry,
    TestGroup,
    Workflow,
)

ARN = "arn:aws:imagebuilder:eu-west-1:111122223333"
RECIPE, WHERE = f"{ARN}:image-recipe/golden/1.0.0", f"{ARN}:infrastructure-configuration/build"
BOOT = Workflow(f"{ARN}:workflow/test/boot/1.0.0/1", on_failure="CONTINUE")
CIS = Workflow(f"{ARN}:workflow/test/cis/1.0.0/1", on_failure=OnFailure.ABORT)


@task
def choice() -> str:
    return "repair"


@task
def use(image: dict[str, str]) -> None: ...


with DAG("typed", schedule=None):
    bake = ImageBuilderCreateImageOperator(
        task_id="bake",
        image_recipe_arn=RECIPE,
        infrastructure_configuration_arn=WHERE,
        tags={"team": "platform"},
        on_retry="rebuild",
        wait_for_completion=True,
        timeout=timedelta(hours=2),
        poll_interval=30,
        aws_conn_id="builder",
        region_name=None,
        retries=2,
        retry_delay=timedelta(minutes=1),
        pool="image_builder",
        trigger_rule="all_done",
        outlets=[Asset("golden")],
        on_failure_callback=print,
    )
    tags = bake.tags
    use(bake.output)
    start = ImageBuilderStartPipelineOperator(
        task_id="start", pipeline_arn=f"{ARN}:image-pipeline/web", on_retry=OnRetry.FAIL, deferrable=False
    )
    decided = choice()
    assert isinstance(decided, XComArg)
    ImageBuilderAwaitImageOperator(task_id="image", image_build_version_arn=ARN, on_retry=decided)
    ImageBuilderAwaitImageOperator(
        task_id="late", image_build_version_arn=ARN, on_retry=cast("OnRetry", "{{ params.on_retry }}")
    )
    ImageBuilderMonitorWorkflowOperator(task_id="monitor", image_build_version_arn=ARN, retries=1)
    ImageBuilderNeedsBuildOperator(task_id="need", image_recipe_arn=RECIPE, owner="platform")
    ImageBuilderScanGateOperator(task_id="scan", image_build_version_arn=bake.output, pool_slots=2)
    ImageBuilderVerifyOutputsOperator(task_id="verify", image_build_version_arn=start.output, queue="a")
    ImageBuilderImageSensor(task_id="wait", image_name="web", mode="reschedule", timeout=60, soft_fail=True)
    ImageBuilderTaskGroup(
        "group",
        image_recipe_arn=RECIPE,
        infrastructure_configuration_arn=WHERE,
        execution_role="role",
        test_groups=[TestGroup("all", (BOOT, CIS))],
        on_retry="fail",
        guard_args={"pool": "image_builder", "pool_slots": 2, "retries": 1, "deferrable": True},
        default_args={"owner": "platform"},
    )
