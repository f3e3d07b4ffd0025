"""The scan as GetImage shows it: when a wait is over, and where its findings are."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.service.gates.scans.scan import ON_DEMAND, TEST_INSTANCE, ScanOutcome, scan_of
from tests.support.arns import IMAGE

ON = {"imageScanningEnabled": True}
OF_AMI = {**ON, "imageScanningTypes": [ON_DEMAND]}
AMIS = {"amis": [{"region": "us-east-1", "accountId": "123456789012", "image": "ami-1"}]}


@pytest.fixture(autouse=True)
def _newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_model, "has_scan_types", lambda: True)


def image(status: str, scan: str | None = None, **members: Any) -> dict[str, Any]:
    state = {"scanState": {"status": scan}} if scan else {}
    return {"arn": IMAGE, "type": "AMI", "state": {"status": status}, **state, **members}


@pytest.mark.parametrize(
    ("status", "scan", "configuration", "outcome"),
    [
        ("BUILDING", None, ON, "wait"),
        ("TESTING", "PENDING", ON, "wait"),
        ("TESTING", "SCANNING", ON, "wait"),
        ("TESTING", "COLLECTING", ON, "wait"),
        ("TESTING", "a state of tomorrow", ON, "wait"),
        ("TESTING", "COMPLETED", ON, "completed"),
        ("AVAILABLE", "COMPLETED", ON, "completed"),
        ("AVAILABLE", "COMPLETED", None, "completed"),
        ("AVAILABLE", "COLLECTING", ON, "wait"),
        ("AVAILABLE", "FAILED", ON, "ended"),
        ("AVAILABLE", "TIMED_OUT", ON, "ended"),
        ("CANCELLED", "ABANDONED", ON, "ended"),
        ("AVAILABLE", None, ON, "ended"),
        ("FAILED", None, ON, "ended"),
        ("FAILED", "SCANNING", ON, "ended"),
        ("BUILDING", None, None, "off"),
        ("AVAILABLE", None, {}, "off"),
        ("AVAILABLE", None, {"imageScanningEnabled": False}, "off"),
        ("AVAILABLE", None, OF_AMI, "wait"),
        ("TESTING", "COMPLETED", OF_AMI, "wait"),
        ("AVAILABLE", "COMPLETED", OF_AMI, "completed"),
    ],
)
def test_a_wait_is_over_when_the_scan_cannot_go_further(
    status: str, scan: str | None, configuration: dict[str, Any] | None, outcome: str
) -> None:
    found = scan_of(image(status, scan, imageScanningConfiguration=configuration))
    assert found.outcome is ScanOutcome(outcome)


@pytest.mark.parametrize(
    ("members", "type_"),
    [
        ({"imageScanningConfiguration": OF_AMI}, ON_DEMAND),
        ({"imageScanningConfiguration": {**ON, "imageScanningTypes": [TEST_INSTANCE]}}, TEST_INSTANCE),
        ({"imageScanningConfiguration": ON}, TEST_INSTANCE),
        ({"imageScanningConfiguration": OF_AMI, "type": "DOCKER"}, TEST_INSTANCE),
    ],
)
def test_the_image_shows_its_type_of_scan(members: dict[str, Any], type_: str) -> None:
    assert scan_of(image("AVAILABLE", "COMPLETED", **members)).type == type_


def test_an_older_boto3_does_not_show_the_type_of_an_ami_but_the_user_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aws_model, "has_scan_types", lambda: False)
    ami = image("AVAILABLE", "COMPLETED", imageScanningConfiguration=ON, outputResources=AMIS)
    assert scan_of(ami).type is None
    assert scan_of({**ami, "type": "DOCKER"}).type == TEST_INSTANCE
    assert scan_of(ami, ON_DEMAND).amis == (("us-east-1", "ami-1"),)


def test_the_scanned_ami_is_that_of_the_own_region_and_account() -> None:
    amis = [
        {"region": "eu-west-1", "accountId": "123456789012", "image": "ami-copy"},
        {"region": "us-east-1", "accountId": "111122223333", "image": "ami-theirs"},
        {"region": "us-east-1", "accountId": "123456789012", "image": "ami-own"},
        {"region": "us-east-1", "accountId": "123456789012"},
    ]
    given = image("AVAILABLE", outputResources={"amis": amis}, imageScanningConfiguration=OF_AMI)
    assert scan_of(given).amis == (("us-east-1", "ami-own"),)
    given["outputResources"]["amis"] = amis[:2]
    assert scan_of(given).amis == (("us-east-1", "ami-theirs"),)
