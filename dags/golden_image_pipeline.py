"""
Run an image pipeline that exists, if there is a reason to, and release only what passes both gates.

``golden_image_pipeline`` asks every night whether the last image of the pipeline is out of date: a newer base
image or component, a changed recipe or workflow, too many findings, 30 days. Mostly it is not, and the run
ends there. Otherwise it starts the pipeline, waits for the image and its tests, judges the findings of the
scan, and verifies the AMIs in both regions. The last task updates the asset ``golden-web``.

``roll_out_golden_web`` runs whenever this asset is updated: in each region it adds a version with the new AMI
to a launch template, and makes it the default.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Asset, Param, task
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_imagebuilder import (
    ImageBuilderNeedsBuildOperator,
    ImageBuilderScanGateOperator,
    ImageBuilderTaskGroup,
    ImageBuilderVerifyOutputsOperator,
    TestGroup,
    Workflow,
)
from airflow_imagebuilder.assets import image_in

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
PIPELINE = PREFIX + ":image-pipeline/golden-web"
# For both: were the first more lenient, it would find no build needed after an image that the gate refused.
MAX_FINDINGS = {"CRITICAL": 0, "HIGH": 3}
GOLDEN_WEB = Asset("golden-web", uri="imagebuilder://golden-web")


def test(name: str) -> Workflow:
    """Return a test workflow as the pipeline has it: its name decides."""
    return Workflow(f"{PREFIX}:workflow/test/{name}/1.0.0/1", on_failure="CONTINUE")


with DAG(
    dag_id="golden_image_pipeline",
    description="Run an image pipeline if it is needed, gate its image, release it as an asset.",
    # Every night at 04:00 UTC. Unpausing the Dag starts no run.
    schedule=CronTriggerTimetable("0 4 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    params={"force": Param(False, type="boolean", title="Build without a reason")},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["imagebuilder"],
    doc_md=__doc__,
) as golden_image_pipeline:
    needs_build = ImageBuilderNeedsBuildOperator(
        task_id="needs_build",
        pipeline_arn=PIPELINE,
        max_age=timedelta(days=30),
        max_findings=MAX_FINDINGS,
        force="{{ params.force }}",
    )
    image = ImageBuilderTaskGroup(
        "golden_web",
        pipeline_arn=PIPELINE,
        build_workflow=Workflow(PREFIX + ":workflow/build/golden-build/1.0.0/1"),
        test_groups=[
            TestGroup("functional", tuple(map(test, ["boot", "network", "services"]))),
            test("performance"),
            TestGroup("security", tuple(map(test, ["cis-level-1", "package-audit"]))),
        ],
        fail_on_test_failure=True,
        timeout=timedelta(hours=4),
    )
    scan_gate = ImageBuilderScanGateOperator(
        task_id="scan_gate",
        image_build_version_arn=image.result,
        max_findings=MAX_FINDINGS,
    )
    verify_outputs = ImageBuilderVerifyOutputsOperator(
        task_id="verify_outputs",
        image_build_version_arn=image.result,
        outlets=[GOLDEN_WEB],
    )
    needs_build >> image >> scan_gate >> verify_outputs


with DAG(
    dag_id="roll_out_golden_web",
    description="Make the newest golden AMI the default of a launch template, in each region.",
    schedule=[GOLDEN_WEB],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    params={"launch_template": Param("golden-web", type="string", minLength=3)},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["imagebuilder"],
) as roll_out_golden_web:

    @task
    def roll_out(params: dict[str, Any] | None = None, triggering_asset_events: Any = None) -> dict[str, int]:
        """Return the new default version of the launch template in each region."""
        from airflow.exceptions import AirflowFailException
        from airflow.providers.amazon.aws.hooks.ec2 import EC2Hook

        name = (params or {})["launch_template"]
        events = sorted(triggering_asset_events[GOLDEN_WEB], key=lambda event: event.timestamp)
        images = [image for image in map(image_in, events) if image]
        if not images:
            raise AirflowFailException("No new image: run golden_image_pipeline, which starts this Dag.")
        versions: dict[str, int] = {}
        for region, ami in images[-1]["amis"].items():
            ec2 = EC2Hook(region_name=region, api_type="client_type").conn
            template: dict[str, Any] = {
                "LaunchTemplateName": name,
                "LaunchTemplateData": {"ImageId": ami, "InstanceType": "t3.micro"},
            }
            found = ec2.describe_launch_templates(
                Filters=[{"Name": "launch-template-name", "Values": [name]}]
            )
            if not found["LaunchTemplates"]:
                ec2.create_launch_template(**template)
                versions[region] = 1
                continue
            # A new try adds no second version: the token is that of the AMI.
            made = ec2.create_launch_template_version(**template, ClientToken=ami)
            versions[region] = made["LaunchTemplateVersion"]["VersionNumber"]
            ec2.modify_launch_template(LaunchTemplateName=name, DefaultVersion=str(versions[region]))
        return versions

    roll_out()
