"""
A golden container image: run its pipeline if there is a reason to, scan it, verify its tags in ECR.

The last task updates the asset ``golden-web-container``, whose events have the URIs of the image by region:
schedule a Dag on it that deploys the image.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, Param
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_imagebuilder import (
    ImageBuilderNeedsBuildOperator,
    ImageBuilderScanGateOperator,
    ImageBuilderStartPipelineOperator,
    ImageBuilderVerifyOutputsOperator,
)

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
PIPELINE = PREFIX + ":image-pipeline/golden-web-container"
# The same for both: an image that the gate refuses would count as the last one, and no other would follow it.
MAX_FINDINGS = {"CRITICAL": 0}

with DAG(
    dag_id="golden_container",
    description="Run the pipeline of a golden container image if it is needed, gate it, release it.",
    # Every night at 05:00 UTC. Unpausing the Dag starts no run.
    schedule=CronTriggerTimetable("0 5 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    params={"force": Param(False, type="boolean", title="Build without a reason")},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["imagebuilder"],
    doc_md=__doc__,
) as golden_container:
    needs_build = ImageBuilderNeedsBuildOperator(
        task_id="needs_build",
        pipeline_arn=PIPELINE,
        max_age=timedelta(days=7),
        max_findings=MAX_FINDINGS,
        force="{{ params.force }}",
    )
    bake = ImageBuilderStartPipelineOperator(
        task_id="bake",
        pipeline_arn=PIPELINE,
        timeout=timedelta(hours=2),
    )
    scan_gate = ImageBuilderScanGateOperator(
        task_id="scan_gate",
        image_build_version_arn=bake.output,
        max_findings=MAX_FINDINGS,
    )
    verify_outputs = ImageBuilderVerifyOutputsOperator(
        task_id="verify_outputs",
        image_build_version_arn=bake.output,
        outlets=[Asset("golden-web-container", uri="imagebuilder://golden-web-container")],
    )
    needs_build >> bake >> scan_gate >> verify_outputs
