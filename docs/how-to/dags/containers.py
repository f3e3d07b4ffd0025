"""
Bake a container image, verify that ECR has it, and return the digest to deploy.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Asset, task

from airflow_imagebuilder import ImageBuilderCreateImageOperator, ImageBuilderVerifyOutputsOperator

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"

with DAG(
    dag_id="bake_container",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    tags=["imagebuilder"],
    doc_md=__doc__,
) as bake_container:
    bake = ImageBuilderCreateImageOperator(
        task_id="bake",
        container_recipe_arn=PREFIX + ":container-recipe/golden-container/1.0.0",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        timeout=timedelta(hours=2),
    )
    verify = ImageBuilderVerifyOutputsOperator(
        task_id="verify",
        image_build_version_arn=bake.output,
        outlets=[Asset("golden-container", uri="imagebuilder://golden-container")],
    )

    @task
    def digest(image: dict[str, Any]) -> str:
        """Return the image by its digest: a tag can point to another image tomorrow, a digest cannot."""
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

        container = image["containers"][0]
        repository, _, tag = container["image_uris"][0].rpartition(":")
        ecr = AwsBaseHook(client_type="ecr", region_name=container["region"]).conn
        found = ecr.describe_images(
            repositoryName=repository.partition("/")[2], imageIds=[{"imageTag": tag}]
        )["imageDetails"]
        return f"{repository}@{found[0]['imageDigest']}"

    verify >> digest(bake.output)
