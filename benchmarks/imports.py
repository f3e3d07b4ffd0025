"""The cost of importing, and of parsing a Dag file: each in processes of its own, the best of three."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
HEADS = ["what", "CPU s", "MB", "of it loaded: boto3", "aiobotocore", "moto", "FastAPI"]
_MEASURE = """
import json, runpy, sys, time
began = time.process_time()
{work}
print(json.dumps([
    time.process_time() - began,
    int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024,
    *("yes" if name in sys.modules else "no" for name in ("boto3", "aiobotocore", "moto", "fastapi")),
]))
"""
_EMPTY = """
from airflow.sdk import DAG
with DAG("empty", schedule=None):
    pass
"""
_EC2 = """
from airflow.sdk import DAG
from airflow.providers.amazon.aws.operators.ec2 import EC2StartInstanceOperator
with DAG("ec2", schedule=None):
    EC2StartInstanceOperator(task_id="start", instance_id="i-0")
"""
_GROUP = """
from airflow.sdk import DAG
from airflow_imagebuilder import ImageBuilderTaskGroup, TestGroup, Workflow
HEAD = "arn:aws:imagebuilder:us-east-1:123456789012:"
with DAG("group", schedule=None):
    ImageBuilderTaskGroup(
        "golden",
        image_recipe_arn=HEAD + "image-recipe/golden-al2023/1.0.0",
        infrastructure_configuration_arn=HEAD + "infrastructure-configuration/golden-build",
        execution_role="ImageBuilderExecution",
        build_workflow=Workflow(HEAD + "workflow/build/golden-build/1.0.0/1"),
        test_groups=[Workflow(HEAD + "workflow/test/boot/1.0.0/1")],
    )
"""


def rows() -> list[list[Any]]:
    """Return the rows of a table."""
    dags = {"an empty Dag": _EMPTY, "EC2 operator": _EC2, "ImageBuilderTaskGroup": _GROUP}
    modules = ("airflow_imagebuilder", "airflow_imagebuilder.provider_info")
    with tempfile.TemporaryDirectory() as folder:
        found = [[f"import {name}", *_best(f"import {name}", folder)] for name in modules]
        for name, text in dags.items():
            path = Path(folder, f"{len(found)}.py")
            path.write_text(text)
            found.append([f"parse: {name}", *_best(f"runpy.run_path({str(path)!r})", folder)])
    return found


def _best(work: str, home: str) -> list[Any]:
    env = {**os.environ, "AIRFLOW_HOME": home, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", _MEASURE.format(work=work)]
    measured = []
    for _ in range(3):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            return [done.stderr.strip().splitlines()[-1]]
        measured.append(json.loads(done.stdout.strip().splitlines()[-1]))
    best: list[Any] = min(measured)
    return best
