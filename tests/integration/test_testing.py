"""A Dag author's own test, as the documentation of airflow_imagebuilder.testing shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.integration
def test_a_dag_can_be_tested_in_one_process_without_aws(tmp_path: Path) -> None:
    env = {
        "PATH": str(Path(sys.executable).parent),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", AUTHORS_TEST, str(DAGS / "custom_dag.py"), "bake_and_roll_out"],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert "RESULT success 1" in done.stdout, done.stdout[-4000:] + done.stderr[-4000:]
