"""A Dag and its tests in one file: pytest -p airflow_imagebuilder.testing.plugin test_bake.py."""

from airflow.sdk import DAG

from airflow_imagebuilder import ImageBuilderCreateImageOperator, Workflow

ARN = "arn:aws:imagebuilder:us-east-1:123456789012"

with DAG("bake", schedule=None) as bake:
    ImageBuilderCreateImageOperator(
        task_id="image",
        image_recipe_arn=f"{ARN}:image-recipe/golden-al2023/1.0.0",
        infrastructure_configuration_arn=f"{ARN}:infrastructure-configuration/golden-build",
        execution_role="ImageBuilderExecution",
        workflows=[
            Workflow(f"{ARN}:workflow/build/golden-build/1.0.0/1"),
            Workflow(f"{ARN}:workflow/test/boot/1.0.0/1"),
        ],
    )


def test_the_image_has_an_ami(image_builder, run_dag):
    image = run_dag(bake).xcom("image")
    ami = image["golden_amis"][0]
    found = image_builder.client("ec2", region=ami["region"]).describe_images(ImageIds=[ami["image"]])
    assert found["Images"][0]["State"] == "available"


def test_an_image_whose_test_fails_fails_the_task(image_builder, run_dag):
    image_builder.fail(workflow="boot", message="kernel panic")
    run = run_dag(bake, expect="failed")
    assert "kernel panic" in run.errors["image"]
