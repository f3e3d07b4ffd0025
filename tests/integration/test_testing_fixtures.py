"""The plugin of airflow_imagebuilder.testing: accounts, the clock, the reset between tests."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.support.commands import completed

TESTS = '''
import boto3, pytest
from airflow.sdk import DAG, task
from airflow_imagebuilder.testing.patience import Patience

def names(client):
    return {r["name"] for r in client.list_image_recipes(owner="Self")["imageRecipeSummaryList"]}

def test_the_account_of_the_settings_owns_what_is_seeded(image_builder):
    assert image_builder.account == "111122223333"
    recipes = image_builder.client("imagebuilder").list_image_recipes(owner="Self")["imageRecipeSummaryList"]
    assert {r["arn"].split(":")[4] for r in recipes} == {"111122223333"}

def test_another_account_has_resources_of_its_own(image_builder):
    other = image_builder.client("imagebuilder", region="eu-west-1", account="444455556666")
    assert names(other) == set()
    sent = {"name": "ours", "semanticVersion": "1.0.0", "platform": "Linux", "data": DATA}
    arn = other.create_component(**sent)["componentBuildVersionArn"]
    assert arn.split(":")[3:5] == ["eu-west-1", "444455556666"]
    (call,) = image_builder.calls("CreateComponent")
    assert (call.region, call.account, call.params["name"]) == ("eu-west-1", "444455556666", "ours")

DATA = """
name: ours
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: Run, action: ExecuteBash, inputs: {commands: [echo]}}
"""

def test_nothing_is_left_of_the_test_before(image_builder):
    assert image_builder.calls("CreateComponent") == []

def test_a_call_that_only_reads_is_counted(image_builder):
    boto3.client("imagebuilder").list_images()
    assert image_builder.count("ListImages") == 1
    with pytest.raises(ValueError, match="only reads"):
        image_builder.calls("ListImages")

def test_a_dag_of_the_test_itself_says_why_it_failed(run_dag):
    with DAG("here", schedule=None) as dag:
        @task
        def breaks():
            raise OSError("the disk is full")
        breaks()
    with pytest.raises(AssertionError, match="breaks is failed: OSError: the disk is full"):
        run_dag(dag)

def test_the_conf_of_a_run_is_not_left_for_the_next_one(run_dag):
    with DAG("asks", schedule=None, params={"delete": False}) as dag:
        @task
        def asked(params=None):
            return params["delete"]
        asked()
    assert run_dag(dag, {"delete": True}).xcom("asked") is True
    assert run_dag(dag).xcom("asked") is False

def test_a_run_is_refused_while_the_clock_is_stopped(image_builder, run_dag):
    image_builder.stop_clock()
    with pytest.raises(ValueError, match="start_clock"):
        run_dag(None)

def test_a_wait_on_a_stopped_clock_ends_and_fails(image_builder):
    image_builder._patience = Patience(image_builder, 1)
    image_builder.stop_clock()
    client = image_builder.client("imagebuilder")
    arn = client.create_image(
        imageRecipeArn=image_builder.arn("image-recipe/golden-al2023/1.0.0"),
        infrastructureConfigurationArn=image_builder.arn("infrastructure-configuration/golden-build"),
    )["imageBuildVersionArn"]
    while client.get_image(imageBuildVersionArn=arn)["image"]["state"]["status"] != "AVAILABLE":
        pass
'''
SETTINGS = """
[tool.pytest.ini_options]
addopts = "-p airflow_imagebuilder.testing.plugin"
image_builder_account = "111122223333"
"""


@pytest.mark.integration
def test_the_fixtures_hold_what_they_promise(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path]
    done = completed(command, seconds=280)
    # The wait passes once the clock runs again, and its fixture then fails it: that is the one error.
    last = done.stdout.splitlines()[-1]
    assert ("8 passed" in last, "1 error" in last, "failed" in last) == (True, True, False), done.stdout[
        -12000:
    ]
    assert "The clock of the local Image Builder was stopped" in done.stdout


@pytest.mark.integration
def test_the_dag_of_the_readme_bakes_an_image(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "pyproject.toml").write_text(SETTINGS.replace("111122223333", "123456789012"))
    # Named here, because the README's Dag needs no name.
    (tmp_path / "dag_of_readme.py").write_text(code.replace('"@weekly"):', '"@weekly") as bake:'))
    (tmp_path / "test_it.py").write_text(
        "from dag_of_readme import bake\n\n"
        "def test_it(image_builder, run_dag):\n"
        "    assert run_dag(bake).xcom('bake')['golden_amis']\n"
    )
    done = completed([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path], seconds=120)
    assert "1 passed" in done.stdout, done.stdout[-6000:]
