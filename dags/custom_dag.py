"""
The operator inside Dags of your own: bake, then roll out; and a matrix of images, one task each.

``bake_and_roll_out`` bakes an image and makes its AMI the default of a launch template. An Auto Scaling group
that uses the default then starts its instances from this AMI. ``image_matrix`` bakes one image per recipe.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_imagebuilder import ImageBuilderCreateImageOperator

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
# A new try finds the image of the last one again, so there is nothing to wait for.
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=30)}

with DAG(
    dag_id="bake_and_roll_out",
    description="Bake an AMI, then make it the default of a launch template.",
    schedule=None,
    start_date=START,
    catchup=False,
    params={"launch_template": Param("web-servers", type="string", minLength=3)},
    tags=["imagebuilder"],
    doc_md=__doc__,
) as bake_and_roll_out:
    bake = ImageBuilderCreateImageOperator(
        task_id="bake",
        image_recipe_arn=PREFIX + ":image-recipe/golden-al2023/1.0.0",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        **RETRIES,
    )

    @task
    def roll_out(image: dict[str, Any], params: dict[str, Any] | None = None) -> int:
        """Add a version with the new AMI to the launch template and make it the default."""
        from airflow.providers.amazon.aws.hooks.ec2 import EC2Hook

        name, ami = (params or {})["launch_template"], image["golden_amis"][0]
        ec2 = EC2Hook(region_name=ami["region"], api_type="client_type").conn
        data = {"ImageId": ami["image"], "InstanceType": "t3.micro"}
        existing = ec2.describe_launch_templates(
            Filters=[{"Name": "launch-template-name", "Values": [name]}]
        )["LaunchTemplates"]
        if not existing:
            ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
            return 1
        version = ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData=data)
        number = version["LaunchTemplateVersion"]["VersionNumber"]
        ec2.modify_launch_template(LaunchTemplateName=name, DefaultVersion=str(number))
        return int(number)

    roll_out(bake.output)

with DAG(
    dag_id="image_matrix",
    description="Bake one image per recipe, each as a mapped task with a readable name.",
    schedule=None,
    start_date=START,
    catchup=False,
    tags=["imagebuilder"],
    doc_md=__doc__,
) as image_matrix:
    ImageBuilderCreateImageOperator.partial(
        task_id="bake",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        map_index_template="{{ task.image_recipe_arn.split('/')[1] }}",
        max_active_tis_per_dagrun=5,  # Airflow 3.0 and 3.1 do not count deferred tasks: there, take a pool
        **RETRIES,
    ).expand(
        image_recipe_arn=[
            f"{PREFIX}:image-recipe/{name}/1.0.0"
            for name in ("golden-al2023", "golden-ubuntu-2404", "golden-windows-2022")
        ]
    )
