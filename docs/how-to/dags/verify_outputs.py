"""Bake an image, verify its AMIs in both regions, and only then publish it as an asset."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Asset

from airflow_imagebuilder import ImageBuilderCreateImageOperator, ImageBuilderVerifyOutputsOperator

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
VERIFIED = Asset("golden-windows-2022", uri="imagebuilder://golden-windows-2022")

with DAG(
    dag_id="verify_outputs",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["imagebuilder"],
    doc_md=__doc__,
):
    bake = ImageBuilderCreateImageOperator(
        task_id="bake",
        image_recipe_arn=PREFIX + ":image-recipe/golden-windows-2022/1.0.0",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        distribution_configuration_arn=PREFIX + ":distribution-configuration/golden-windows-2022-two-regions",
        retries=2,
        retry_delay=timedelta(seconds=30),
    )
    verify = ImageBuilderVerifyOutputsOperator(
        task_id="verify",
        image_build_version_arn=bake.output,
        # In addition to what the distribution configuration asks for.
        require_tags={"CreatedBy": "EC2 Image Builder"},
        regions=["us-east-1", "eu-west-1"],
        outlets=[VERIFIED],
    )
