"""The scan of an AMI whose findings can fail the image."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError, Behaviour, Engine
from airflow_imagebuilder.local.emulator.seed import seed
from tests.support.bench import HEAD, image_request


def scanning(**condition: Any) -> dict[str, Any]:
    return {
        "imageScanningEnabled": True,
        "imageScanningTypes": ["ON_DEMAND_AMI_CVE"],
        **({"scanResultCondition": condition} if condition else {}),
    }


def baked(findings: dict[str, int], **over: Any) -> tuple[Engine, dict[str, Any], list[str]]:
    engine = Engine(seed=1, behaviour=Behaviour(findings=findings))
    seed(engine)
    arn = engine.call("CreateImage", image_request(**over))["imageBuildVersionArn"]
    engine.settle()
    image = engine.call("GetImage", {"imageBuildVersionArn": arn})["image"]
    return engine, image, [entry["status"] for entry in engine.state.images[arn].history]


@pytest.mark.parametrize(
    ("findings", "most", "passes"),
    [
        ({"high": 1}, "HIGH", True),
        ({"high": 1}, "MEDIUM", False),
        ({"low": 1}, "INFORMATIONAL", False),
        ({"critical": 1}, "HIGH", False),
        ({}, "INFORMATIONAL", True),
    ],
)
def test_a_finding_above_the_condition_fails_the_image_while_it_is_tested(
    findings: dict[str, int], most: str, passes: bool
) -> None:
    _, image, statuses = baked(findings, imageScanningConfiguration=scanning(maximumSeverityLabel=most))
    assert statuses[-1] == ("AVAILABLE" if passes else "FAILED")
    assert ("DISTRIBUTING" in statuses) is passes
    if not passes:
        assert statuses[-2] == "TESTING"
        assert most in image["state"]["reason"]


def test_a_scan_without_a_condition_fails_nothing() -> None:
    engine, _, statuses = baked({"critical": 1}, imageScanningConfiguration=scanning())
    assert statuses[-1] == "AVAILABLE"
    # EC2 shows the findings of such a scan.
    assert engine.call("ListImageScanFindings")["findings"] == []


def test_an_image_without_tests_is_scanned_all_the_same() -> None:
    build = [{"workflowArn": f"{HEAD}workflow/build/golden-build/1.0.0/1"}]
    condition = scanning(maximumSeverityLabel="LOW")
    _, _, statuses = baked({"high": 1}, workflows=build, imageScanningConfiguration=condition)
    assert statuses[-2:] == ["TESTING", "FAILED"]


def test_a_failed_scan_can_be_repaired_by_a_retry() -> None:
    engine, image, _ = baked({"high": 1}, imageScanningConfiguration=scanning(maximumSeverityLabel="LOW"))
    engine.behaviour.findings.clear()
    engine.call("RetryImage", {"imageBuildVersionArn": image["arn"], "clientToken": "again"})
    engine.settle()
    again = engine.call("GetImage", {"imageBuildVersionArn": image["arn"]})["image"]
    assert again["state"]["status"] == "AVAILABLE"


@pytest.mark.parametrize(
    "over",
    [
        {"imageScanningConfiguration": {**scanning(maximumSeverityLabel="LOW"), "imageScanningTypes": []}},
        {
            "imageRecipeArn": None,
            "containerRecipeArn": f"{HEAD}container-recipe/golden-container/1.0.0",
            "imageScanningConfiguration": scanning(),
        },
        {
            "imageTestsConfiguration": {"imageTestsEnabled": False},
            "imageScanningConfiguration": scanning(),
        },
    ],
    ids=["a condition for another scan", "a container image", "no tests"],
)
def test_a_scan_that_the_model_rules_out_is_refused(over: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="InvalidParameterCombinationException"):
        baked({}, **over)


def test_ec2_lists_the_findings_of_a_scan_of_the_ami_and_of_no_other() -> None:
    engine, image, _ = baked({"critical": 1, "untriaged": 1}, imageScanningConfiguration=scanning())
    own, other = ((one["image"], one["region"]) for one in image["outputResources"]["amis"])
    if own[1] != "us-east-1":
        own, other = other, own
    (finding,) = engine.ami_findings(*own)
    assert (finding["severityLabel"], finding["fixAvailable"]) == ("critical", True)
    assert finding["title"].startswith("CVE-")
    assert engine.ami_findings(*other) == []
    assert engine.ami_findings("ami-0123456789abcdef0", "us-east-1") == []


def test_ec2_lists_nothing_of_a_scan_of_the_test_instance() -> None:
    engine, image, _ = baked({"critical": 1}, imageScanningConfiguration={"imageScanningEnabled": True})
    for one in image["outputResources"]["amis"]:
        assert engine.ami_findings(one["image"], one["region"]) == []
    assert engine.call("ListImageScanFindings")["findings"]
