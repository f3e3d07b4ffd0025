"""Workflows, distribution and infrastructure of a pipeline, and the findings of its last image."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.service.errors import ForbiddenError
from airflow_imagebuilder.service.gates.needs.question import DEFAULT_CHECKS
from tests.support.arns import workflow_arn
from tests.support.fault_plan import ALWAYS
from tests.support.needs import AWS, DISTRIBUTION, INFRASTRUCTURE, PIPELINE, Scene

OPEN = workflow_arn("boot").replace("1.0.0/1", "1.x.x")


def asked(scene: Scene, **question: Any) -> dict[str, dict[str, str]]:
    checked: dict[str, dict[str, str]] = scene.ask(pipeline_arn=PIPELINE, **question).to_xcom()["checked"]
    return checked


@pytest.mark.parametrize(
    "workflows",
    [
        [],
        [{"workflowArn": workflow_arn("users")}],
        [{"workflowArn": workflow_arn("boot")}, {"workflowArn": workflow_arn("users")}],
        [{"workflowArn": workflow_arn("boot"), "parallelGroup": "functional"}],
        [{"workflowArn": workflow_arn("boot"), "onFailure": "CONTINUE"}],
        [{"workflowArn": workflow_arn("boot"), "parameters": [{"name": "a", "value": ["b"]}]}],
        [{"workflowArn": workflow_arn("boot").replace("1.0.0/1", "1.0.0/2")}],
    ],
)
def test_other_workflows_ask_for_a_build(workflows: list[dict[str, Any]]) -> None:
    scene = Scene()
    scene.pipeline["workflows"] = workflows
    assert asked(scene)["workflows"]["verdict"] == "build"


def test_the_default_of_on_failure_is_no_change() -> None:
    scene = Scene()
    scene.pipeline["workflows"][0]["onFailure"] = "ABORT"
    assert asked(scene)["workflows"]["verdict"] == "no"


@pytest.mark.parametrize(
    ("newest", "verdict"), [("1.0.0/1", "no"), ("1.0.0/2", "build"), ("1.10.0/1", "build")]
)
def test_a_newer_workflow_behind_an_x_asks_for_a_build(newest: str, verdict: str) -> None:
    scene = Scene()
    scene.pipeline["workflows"] = scene.image["workflows"] = [{"workflowArn": OPEN}]
    scene.aws.executions = [{"workflowBuildVersionArn": workflow_arn("boot")}]
    scene.aws.resources[OPEN] = {"arn": workflow_arn("boot").replace("1.0.0/1", newest)}
    assert asked(scene)["workflows"]["verdict"] == verdict


def test_a_workflow_that_did_not_run_has_no_version_to_compare() -> None:
    scene = Scene()
    scene.pipeline["workflows"] = scene.image["workflows"] = [{"workflowArn": OPEN}]
    assert asked(scene)["workflows"]["verdict"] == "not compared"


@pytest.mark.parametrize("method", ["list_workflow_executions", "get_workflow"])
def test_workflows_that_cannot_be_read_are_unknown(method: str) -> None:
    scene = Scene()
    scene.pipeline["workflows"] = scene.image["workflows"] = [{"workflowArn": OPEN}]
    scene.aws.executions = [{"workflowBuildVersionArn": workflow_arn("boot")}]
    scene.aws.before(method, ForbiddenError("Get", "AccessDeniedException", 403), times=ALWAYS)
    assert asked(scene)["workflows"]["verdict"] == "unknown"


def test_the_default_workflows_of_aws_are_not_compared() -> None:
    scene = Scene()
    scene.pipeline["workflows"] = []
    scene.image["workflows"] = [{"workflowArn": f"{AWS}:workflow/build/build-image/x.x.x"}]
    assert asked(scene)["workflows"]["verdict"] == "not compared"


@pytest.mark.parametrize("arn", [DISTRIBUTION, INFRASTRUCTURE])
def test_a_configuration_that_was_changed_since_asks_for_a_build(arn: str) -> None:
    scene, check = Scene(), arn.split(":")[5].split("-", maxsplit=1)[0]
    scene.aws.resources[arn] = {"arn": arn, "dateUpdated": "2026-10-02T00:00:00.000Z"}
    checked = asked(scene)
    assert checked[check]["verdict"] == "build"
    assert "2026-10-02" in checked[check]["text"]


def test_a_change_of_the_infrastructure_is_no_reason_unless_it_is_asked_for() -> None:
    scene = Scene()
    scene.aws.resources[INFRASTRUCTURE]["dateUpdated"] = "2026-10-02T00:00:00.000Z"
    assert asked(scene, checks=DEFAULT_CHECKS)["infrastructure"]["verdict"] == "not compared"


def test_another_distribution_configuration_asks_for_a_build() -> None:
    scene = Scene()
    del scene.pipeline["distributionConfigurationArn"]
    assert asked(scene)["distribution"]["verdict"] == "build"
    del scene.image["distributionConfiguration"]
    assert asked(scene)["distribution"]["verdict"] == "no"


def test_a_recipe_names_none_of_these() -> None:
    verdicts = Scene().verdicts()
    assert {verdicts[name] for name in ("workflows", "distribution", "infrastructure")} == {"not compared"}
