"""
A message when an image fails, when a new try repairs it, and when it is there.

They go to an SNS topic: ``IMAGES_TOPIC_ARN`` in the environment of workers and Dag processor names it.

The names are those of the local Image Builder. For your own account set the Airflow Variable
``golden_image_arn_prefix``, for example to ``arn:aws:imagebuilder:eu-west-1:111122223333``.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from airflow.configuration import conf
from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk import DAG, Param

from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow

PREFIX = "{{ var.value.get('golden_image_arn_prefix', 'arn:aws:imagebuilder:us-east-1:123456789012') }}"
TOPIC = os.environ.get("IMAGES_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:golden-images")


def run_view(dag_id: str, run_id: str) -> str:
    """Return the address of the run view. On Airflow 3.0 it is ``/imagebuilder/runs/DAG/RUN``."""
    base = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    return f"{base}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}/plugin/image-build"


def message(subject: str, text: str) -> SnsNotifier:
    """Return a message. Its text is a template of Airflow, rendered when it is sent."""
    return SnsNotifier(
        target_arn=TOPIC,
        region_name=TOPIC.split(":")[3],
        subject=subject,
        message=text + "\n\n{{ run_view(dag.dag_id, run_id) }}",
    )


# The exception is a variable of the template: an error may have braces, which must not be rendered again.
# dag.test() gives a callback none before Airflow 3.2.
FIRST_LINE = "{{ (exception | default('Its log says why.') | string).splitlines()[0] }}"
FAILED = message("{{ dag.dag_id }}: {{ ti.task_id }} failed", FIRST_LINE)
AGAIN = message("{{ dag.dag_id }}: {{ ti.task_id }} is tried again", FIRST_LINE)
THERE = message(
    "{{ dag.dag_id }}: a new image",
    "{% for ami in ti.xcom_pull(task_ids=ti.task_id)['golden_amis'] %}"
    "{{ ami.region }}: {{ ami.image }}\n{% endfor %}",
)
RUN_FAILED = message("{{ dag.dag_id }}: the run failed", "{{ reason }}")

with DAG(
    dag_id="image_with_messages",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"recipe": Param("golden-al2023/1.0.0", type="string", title="Image recipe: name/version")},
    user_defined_macros={"run_view": run_view},
    default_args={"retries": 1, "retry_delay": timedelta(minutes=1)},
    # The Dag processor runs it, so it needs a way to SNS.
    on_failure_callback=[RUN_FAILED],
    tags=["imagebuilder"],
    doc_md=__doc__,
) as image_with_messages:
    golden = ImageBuilderTaskGroup(
        "golden",
        image_recipe_arn=PREFIX + ":image-recipe/{{ params.recipe }}",
        infrastructure_configuration_arn=PREFIX + ":infrastructure-configuration/golden-build",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(PREFIX + ":workflow/build/golden-build/1.0.0/1"),
        test_groups=[
            TestGroup(
                "functional",
                (
                    Workflow(PREFIX + ":workflow/test/boot/1.0.0/1"),
                    Workflow(PREFIX + ":workflow/test/network/1.0.0/1"),
                ),
            )
        ],
        # In default_args they would reach the monitors too: a failed test would send a message of its own.
        guard_args={"on_failure_callback": [FAILED], "on_retry_callback": [AGAIN]},
    )
    golden.image.on_success_callback = [THERE]
