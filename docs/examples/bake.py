"""One image, every week: the operator alone."""

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_imagebuilder import ImageBuilderCreateImageOperator

ARN = "arn:aws:imagebuilder:eu-west-1:111122223333"

with DAG(
    "bake", schedule="@weekly", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False
) as dag:
    bake = ImageBuilderCreateImageOperator(
        task_id="bake",
        image_recipe_arn=f"{ARN}:image-recipe/al2023/1.x.x",
        infrastructure_configuration_arn=f"{ARN}:infrastructure-configuration/default",
        distribution_configuration_arn=f"{ARN}:distribution-configuration/two-regions",
        tags={"airflow-run": "{{ dag.dag_id }} {{ run_id }}"},
        timeout=timedelta(hours=3),
        retries=2,
        retry_delay=timedelta(minutes=5),
    )
