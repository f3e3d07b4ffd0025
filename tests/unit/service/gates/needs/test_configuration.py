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


def test_the_default_of_on_failure_changes_nothing() -> None:
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


@pytest.mark.parametrize("date", [None, "last week"])
def test_a_configuration_without_a_date_is_unknown(date: str | None) -> None:
    scene = Scene()
    scene.aws.resources[DISTRIBUTION] = {"arn": DISTRIBUTION, "dateCreated": date}
    assert asked(scene)["distribution"]["verdict"] == "unknown"


def test_a_change_of_the_infrastructure_counts_only_if_it_is_asked_for() -> None:
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


# -- findings ----------------------------------------------------------------------------------------------

LIMITS = {"CRITICAL": 0, "HIGH": 1}


def scanned(status: str = "COMPLETED", *severities: str) -> Scene:
    scene = Scene()
    scene.image["scanState"] = {"status": status}
    scene.image["imageScanningConfiguration"] = {"imageScanningEnabled": True}
    scene.aws.finding_counts = {"all": 0}
    scene.aws.findings = [
        {"severity": severity, "packageVulnerabilityDetails": {"vulnerabilityId": f"CVE-2026-{number:04}"}}
        for number, severity in enumerate(severities)
    ]
    return scene


@pytest.mark.parametrize(
    ("status", "severities", "verdict"),
    [
        ("COMPLETED", (), "no"),
        ("COMPLETED", ("HIGH", "LOW", "LOW"), "no"),
        ("COMPLETED", ("HIGH", "HIGH"), "build"),
        ("COMPLETED", ("CRITICAL",), "build"),
        ("SCANNING", ("CRITICAL",), "build"),
        ("SCANNING", ("HIGH",), "unknown"),
        ("FAILED", (), "unknown"),
        ("ABANDONED", (), "unknown"),
    ],
)
def test_more_findings_than_the_limits_ask_for_a_build(
    status: str, severities: tuple[str, ...], verdict: str
) -> None:
    scene = scanned(status, *severities)
    found = scene.ask(max_findings=LIMITS).to_xcom()["checked"]["max_findings"]
    assert found["verdict"] == verdict
    if verdict == "build":
        assert "at most" in found["text"]


def test_an_image_that_was_never_scanned_is_unknown() -> None:
    checked = Scene().ask(max_findings=LIMITS).to_xcom()["checked"]["max_findings"]
    assert checked["verdict"] == "unknown"
    assert "no completed scan" in checked["text"]


def test_findings_that_aws_counts_and_does_not_list_are_unknown() -> None:
    scene = scanned()
    scene.aws.finding_counts = {"all": 3, "critical": 1}
    assert scene.verdicts(max_findings=LIMITS)["max_findings"] == "unknown"


def test_a_scanned_ami_that_is_not_shown_has_unknown_findings() -> None:
    scene = Scene()
    scene.image["scanState"] = {"status": "COMPLETED"}
    assert scene.verdicts(max_findings=LIMITS, scan_type="ON_DEMAND_AMI_CVE")["max_findings"] == "unknown"
    assert scene.aws.called("get_image_findings") == []


def test_findings_that_are_forbidden_are_unknown() -> None:
    scene = scanned("COMPLETED", "CRITICAL")
    error = ForbiddenError("ListImageScanFindings", "AccessDeniedException", 403)
    scene.aws.before("list_image_scan_findings", error, times=ALWAYS)
    assert scene.verdicts(max_findings=LIMITS)["max_findings"] == "unknown"


def test_where_an_older_boto3_does_not_show_the_type_of_a_scan_the_user_names_it() -> None:
    scene = scanned()
    scene.aws.finding_counts = None
    scene.image["outputResources"] = {"amis": [{"region": "us-east-1", "image": "ami-1"}]}
    assert scene.verdicts(max_findings=LIMITS, scan_type="TEST_INSTANCE_CVE")["max_findings"] == "no"
    scene.aws.ami_findings = [{"Title": "CVE-2026-0001 - openssl", "SeverityLabel": "CRITICAL"}]
    assert scene.verdicts(max_findings=LIMITS, scan_type="ON_DEMAND_AMI_CVE")["max_findings"] == "build"


def test_without_limits_no_finding_is_read() -> None:
    scene = scanned("COMPLETED", "CRITICAL")
    assert not scene.ask().needed
    assert scene.aws.called("list_image_scan_findings") == []
