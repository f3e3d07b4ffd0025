"""The operators alone, each in a situation of its own; no task waits for another."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG

from airflow_imagebuilder import (
    ImageBuilderAwaitImageOperator,
    ImageBuilderCreateImageOperator,
    ImageBuilderMonitorWorkflowOperator,
    Workflow,
)
from tests.support.arns import PREFIX

RECIPE = PREFIX + ":image-recipe/{}/1.0.0"
BUILD: dict[str, Any] = {
    "infrastructure_configuration_arn": PREFIX + ":infrastructure-configuration/golden-build"
}
# The calls that the local service counts would show another try.
PERSISTENT: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=1)}

with DAG("single_operator", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    ImageBuilderCreateImageOperator(
        task_id="on_worker",
        image_recipe_arn=RECIPE.format("single-worker"),
        deferrable=False,
        poll_interval=1,
        **BUILD,
    )
    ImageBuilderCreateImageOperator(
        task_id="submitted",
        image_recipe_arn=RECIPE.format("single-submitted"),
        wait_for_completion=False,
        **BUILD,
    )
    ImageBuilderCreateImageOperator.partial(task_id="expanded", poll_interval=2, **BUILD).expand(
        image_recipe_arn=[RECIPE.format("single-one"), RECIPE.format("single-two")]
    )
    ImageBuilderCreateImageOperator(
        task_id="fails", image_recipe_arn=RECIPE.format("single-fails"), poll_interval=2, **BUILD
    )
    ImageBuilderCreateImageOperator(
        task_id="cancelled",
        image_recipe_arn=RECIPE.format("single-cancelled"),
        workflows=[Workflow(PREFIX + ":workflow/test/held/1.0.0/1")],
        execution_role="ImageBuilderExecution",
        poll_interval=2,
        **BUILD,
    )
    ImageBuilderCreateImageOperator(
        task_id="no_such_recipe", image_recipe_arn=RECIPE.format("single-nowhere"), **BUILD, **PERSISTENT
    )
    ImageBuilderAwaitImageOperator(
        task_id="no_such_image",
        image_build_version_arn=PREFIX + ":image/single-nowhere/1.0.0/1",
        poll_interval=10,
        retries=0,  # an image that is not found now may be found by the next try
    )
    ImageBuilderMonitorWorkflowOperator(
        task_id="nothing_submitted", image_build_version_arn="{{ none }}", **PERSISTENT
    )
    ImageBuilderCreateImageOperator(
        task_id="no_such_connection",
        image_recipe_arn=RECIPE.format("single-unconnected"),
        aws_conn_id="nowhere",
        **BUILD,
        **PERSISTENT,
    )
    ImageBuilderCreateImageOperator(
        task_id="forbidden",
        image_recipe_arn=RECIPE.format("golden-al2023"),
        aws_conn_id="forbidden",
        **BUILD,
        **PERSISTENT,
    )
    ImageBuilderCreateImageOperator(
        task_id="bad_input",
        image_recipe_arn=RECIPE.format("single-bad"),
        tags="{{ {} | tojson }}",
        workflows="{{ [{'workflowArn': 'no-arn'}] | tojson }}",
        **BUILD,
        **PERSISTENT,
    )
