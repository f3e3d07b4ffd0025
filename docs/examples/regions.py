"""The same recipe built in several regions: one mapped task, an index per region."""

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_imagebuilder import ImageBuilderCreateImageOperator

REGIONS = ["eu-west-1", "us-east-1", "ap-southeast-2"]


def built_in(region: str) -> dict[str, str]:
    """Return the arguments of one map index: everything that depends on the region."""
    arn = f"arn:aws:imagebuilder:{region}:111122223333"
    return {
        "region_name": region,
        "image_recipe_arn": f"{arn}:image-recipe/al2023/1.x.x",
        "infrastructure_configuration_arn": f"{arn}:infrastructure-configuration/default",
    }


@task
def amis(images: list[dict[str, Any]]) -> dict[str, str]:
    """Return the golden AMI of each region."""
    return {ami["region"]: ami["image"] for image in images for ami in image["golden_amis"]}


with DAG("regions", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
    bakes = ImageBuilderCreateImageOperator.partial(
        task_id="bake",
        retries=2,
        max_active_tis_per_dagrun=2,
        map_index_template="{{ task.region_name }}",
    ).expand_kwargs([built_in(region) for region in REGIONS])
    amis(bakes.output)
