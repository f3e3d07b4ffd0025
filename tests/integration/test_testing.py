"""A Dag author's own test, as the documentation of airflow_imagebuilder.testing shows it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.commands import completed

DAGS = Path(__file__).parents[2] / "dags"

AUTHORS_TEST = """
import runpy, sys
from airflow.utils.db import initdb
initdb()
from airflow_imagebuilder.testing import local_image_builder
dag = runpy.run_path(sys.argv[1])[sys.argv[2]]
with local_image_builder() as aws:
    run = dag.test()
    images = aws.client("imagebuilder").list_images()["imageVersionList"]
    print("RESULT", run.state, len(images))
"""


GROUP = """
from airflow.sdk import DAG
from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow

HERE = "arn:aws:imagebuilder:us-east-1:123456789012:"
with DAG("fails", schedule=None) as fails:
    ImageBuilderTaskGroup(
        "bake",
        image_recipe_arn=HERE + "image-recipe/golden-al2023/1.0.0",
        infrastructure_configuration_arn=HERE + "infrastructure-configuration/golden-build",
        execution_role="ImageBuilderExecution",
        test_groups=[
            TestGroup(
                "security",
                tuple(Workflow(f"{HERE}workflow/test/{name}/1.0.0/1") for name in ("cis-level-1", "users")),
            )
        ],
    )
"""

FAILING = AUTHORS_TEST.replace(
    "    run = dag.test()", '    aws.fail(workflow="cis-level-1")\n    run = dag.test()'
)


def run(script: str, file: Path, name: str, home: Path) -> str:
    """Run an author's test of the Dag ``name`` in a process of its own; return its output."""
    env = {
        "PATH": str(Path(sys.executable).parent),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(file.parent),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = completed([sys.executable, "-c", script, file, name], seconds=180, env=env)
    return done.stdout + done.stderr


@pytest.mark.integration
def test_a_dag_can_be_tested_in_one_process_without_aws(tmp_path: Path) -> None:
    output = run(AUTHORS_TEST, DAGS / "custom_dag.py", "bake_and_roll_out", tmp_path)
    assert "RESULT success 1" in output, output[-8000:]


@pytest.mark.integration
def test_a_group_whose_test_fails_finishes_where_tasks_run_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    file = tmp_path / "dags" / "fails.py"
    file.write_text(GROUP)
    output = run(FAILING, file, "fails", tmp_path)
    assert "RESULT failed 1" in output, output[-8000:]
