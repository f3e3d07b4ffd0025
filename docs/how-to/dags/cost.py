"""
Delete old images of one name, with AMIs and snapshots. Unless the form says ``delete``, only list them.

Always kept are the newest AVAILABLE images (``keep``), all that are younger than ``min_age_days``, images in
progress, and images with an AMI that is in use or cannot be judged: an instance has it, a launch template has
it in its default or latest version, it has the tag ``keep``, or another account owns it.

Image Builder deletes what is left, with the role in the Airflow Variable ``golden_image_lifecycle_role``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Param, task

ROLE = "{{ var.value.get('golden_image_lifecycle_role', 'ImageBuilderLifecycle') }}"
# What AWS can delete, see StartResourceStateUpdate. An image in progress is in another state.
ENDED = {"AVAILABLE", "DEPRECATED", "DISABLED", "FAILED", "CANCELLED"}
KEEP = {"keep": "true"}


def why_used(amis: list[dict[str, Any]]) -> str:
    """Return why an image with these AMIs must stay, or empty text."""
    from airflow.providers.amazon.aws.hooks.ec2 import EC2Hook
    from airflow.providers.amazon.aws.hooks.sts import StsHook

    account = StsHook().conn.get_caller_identity()["Account"]
    for ami in amis:
        region, ami_id = ami["region"], ami["image"]
        if ami.get("accountId", account) != account:
            return f"account {ami['accountId']} owns {ami_id} in {region}"
        ec2 = EC2Hook(region_name=region, api_type="client_type").conn
        found = ec2.describe_images(Filters=[{"Name": "image-id", "Values": [ami_id]}])["Images"]
        tags = {tag["Key"]: tag["Value"] for image in found for tag in image.get("Tags", [])}
        if KEEP.items() <= tags.items():
            return f"{ami_id} in {region} has the tag keep"
        states = ["pending", "running", "stopping", "stopped"]
        where = [
            {"Name": "image-id", "Values": [ami_id]},
            {"Name": "instance-state-name", "Values": states},
        ]
        if ec2.describe_instances(Filters=where)["Reservations"]:
            return f"an instance in {region} has {ami_id}"
        for page in ec2.get_paginator("describe_launch_templates").paginate():
            for template in page["LaunchTemplates"]:
                versions = ec2.describe_launch_template_versions(
                    LaunchTemplateId=template["LaunchTemplateId"], Versions=["$Default", "$Latest"]
                )["LaunchTemplateVersions"]
                if any(version["LaunchTemplateData"].get("ImageId") == ami_id for version in versions):
                    return f"launch template {template['LaunchTemplateName']} in {region} has {ami_id}"
    return ""


with DAG(
    dag_id="clean_up_images",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    params={
        "name": Param("golden-al2023", type="string", minLength=1, title="Name of the images"),
        "keep": Param(3, type="integer", minimum=1, title="Newest images to keep, whatever their age"),
        "min_age_days": Param(30, type="integer", minimum=1, title="Days for which each image is kept"),
        "delete": Param(False, type="boolean", title="Delete them; otherwise they are only listed"),
    },
    tags=["imagebuilder"],
    doc_md=__doc__,
) as clean_up_images:

    @task
    def plan(params: dict[str, Any] | None = None) -> list[str]:
        """Return the ARNs of the images to delete, oldest first; the log says why each other one stays."""
        from airflow_imagebuilder import ImageBuilderHook

        asked = params or {}
        client = ImageBuilderHook().conn
        images: list[dict[str, Any]] = []
        for page in client.get_paginator("list_images").paginate(
            owner="Self", includeDeprecated=True, filters=[{"name": "name", "values": [asked["name"]]}]
        ):
            for version in page["imageVersionList"]:
                for builds in client.get_paginator("list_image_build_versions").paginate(
                    imageVersionArn=version["arn"]
                ):
                    images += builds["imageSummaryList"]
        images.sort(key=lambda image: image["dateCreated"])
        newest = [image["arn"] for image in images if image["state"]["status"] == "AVAILABLE"]
        newest = newest[-asked["keep"] :]
        limit = datetime.now(timezone.utc) - timedelta(days=asked["min_age_days"])
        chosen = []
        for image in images:
            created = datetime.fromisoformat(image["dateCreated"].replace("Z", "+00:00"))
            status = image["state"]["status"]
            if status not in ENDED:
                why = f"it is {status}"
            elif image["arn"] in newest:
                why = f"one of the newest {asked['keep']}"
            elif created > limit:
                why = f"younger than {asked['min_age_days']} days"
            else:
                why = why_used(image.get("outputResources", {}).get("amis", []))
            print(f"{'keep' if why else 'DELETE'} {image['arn']} ({image['dateCreated']}) {why}")  # noqa: T201
            if not why:
                chosen.append(image["arn"])
        return chosen

    # After a failure a person decides, and clears `plan`, which asks again what there is.
    @task(retries=0, execution_timeout=timedelta(hours=1))
    def delete(arns: list[str], role: str, params: dict[str, Any] | None = None) -> list[str]:
        """Let Image Builder delete the images with AMIs and snapshots, and wait; return what is deleted."""
        import time

        from airflow_imagebuilder import ImageBuilderHook

        if not (params or {})["delete"]:
            print(f"A dry run. To delete these images, set 'delete' in the form: {arns}")  # noqa: T201
            return []
        client = ImageBuilderHook().conn
        deleted: list[str] = []
        left: list[str] = []
        for arn in arns:
            execution = client.start_resource_state_update(
                resourceArn=arn,
                state={"status": "DELETED"},
                executionRole=role,
                includeResources={"amis": True, "snapshots": True},
                # AWS asks once more itself: also for launches that are over.
                exclusionRules={"amis": {"tagMap": KEEP, "lastLaunched": {"unit": "DAYS", "value": 14}}},
            )["lifecycleExecutionId"]
            state: dict[str, Any] = {}
            while state.get("status") in (None, "PENDING", "IN_PROGRESS", "CANCELLING"):
                time.sleep(2)
                found = client.get_lifecycle_execution(lifecycleExecutionId=execution)
                state = found["lifecycleExecution"]["state"]
            rows = client.list_lifecycle_execution_resources(lifecycleExecutionId=execution)["resources"]
            outcomes = {row["state"]["status"] for row in rows} or {state["status"]}
            print(f"{arn}: {state['status']}, {', '.join(sorted(outcomes))}")  # noqa: T201 (the task's log)
            (deleted if outcomes == {"SUCCESS"} else left).append(arn)
        if left:
            raise RuntimeError(f"Not deleted: {', '.join(left)}. The lifecycle executions say why.")
        return deleted

    delete(plan(), ROLE)  # type: ignore[arg-type]
