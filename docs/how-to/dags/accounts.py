"""
Images for several accounts, in two ways.

``images_for_accounts`` builds in one account, copies to two others, and verifies the copies there.
``images_in_accounts`` builds in each of them, from resources that they have themselves.

The connections: ``aws_default`` builds, in the account of the recipe; ``aws_staging`` and ``aws_production``
read EC2 in the accounts that get the copies. Each may assume a role (``role_arn`` in its extra).

The recipe is that of the local Image Builder. The page shows how to make the distribution configuration
``golden-accounts``. For your own accounts set the Airflow Variable ``golden_image_arn_prefix``, and change
``TARGETS``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Asset

from airflow_imagebuilder import ImageBuilderCreateImageOperator, ImageBuilderVerifyOutputsOperator

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
# Each account, and the connection that may read there.
TARGETS = {"222233334444": "aws_staging", "333344445555": "aws_production"}

with DAG(
    dag_id="images_for_accounts",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    tags=["imagebuilder"],
    doc_md=__doc__,
) as images_for_accounts:
    bake = ImageBuilderCreateImageOperator(
        task_id="bake",
        image_recipe_arn=PREFIX + ":image-recipe/golden-al2023/1.0.0",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        distribution_configuration_arn=PREFIX + ":distribution-configuration/golden-accounts",
    )
    ImageBuilderVerifyOutputsOperator(
        task_id="verify",
        image_build_version_arn=bake.output,
        account_conn_ids=TARGETS,
        outlets=[Asset("golden-al2023-everywhere", uri="imagebuilder://golden-al2023-everywhere")],
    )

with DAG(
    dag_id="images_in_accounts",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    tags=["imagebuilder"],
) as images_in_accounts:
    for account, conn_id in TARGETS.items():
        own = f"arn:aws:imagebuilder:us-east-1:{account}"
        ImageBuilderCreateImageOperator(
            task_id=f"bake_in_{account}",
            aws_conn_id=conn_id,
            image_recipe_arn=f"{own}:image-recipe/web/1.0.0",
            infrastructure_configuration_arn=f"{own}:infrastructure-configuration/web",
        )
