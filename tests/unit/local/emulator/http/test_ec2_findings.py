"""GetImageFindings of EC2: the XML as botocore's newest model reads it, pages, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from airflow_imagebuilder.local.emulator.http.ec2_findings import answer, request_of
from tests.integration.bakes import until
from tests.support.bench import image_request
from tests.support.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

FINDING = {
    "fixAvailable": True,
    "score": 9.8,
    "firstObservedAt": 1_800_000_000.0,
    "title": "CVE-1 - a&b",
    "pathSet": ["/a<b"],
    "severityLabel": "critical",
}


def asked(findings: list[dict[str, Any]], **params: str) -> tuple[int, str]:
    given = {"Action": "GetImageFindings", "ImageId": "ami-1", **params}
    status, body = answer(given, lambda ami: ami == "ami-1", lambda _: findings)
    return status, body.decode()


def test_only_a_request_for_findings_is_one() -> None:
    assert request_of(b"Action=GetImageFindings&ImageId=ami-1") == {
        "Action": "GetImageFindings",
        "ImageId": "ami-1",
    }
    assert request_of(b"Action=DescribeImages&Filter.1.Value.1=GetImageFindings") is None
    assert request_of(b"\xff=GetImageFindings") is None


def test_text_of_a_finding_is_escaped() -> None:
    status, body = asked([FINDING])
    assert status == 200
    assert "<title>CVE-1 - a&amp;b</title><pathSet><item>/a&lt;b</item></pathSet>" in body
    assert "<fixAvailable>true</fixAvailable>" in body
    assert "<firstObservedAt>2027-01-15T08:00:00" in body
    assert asked([])[1].count("<imageFindingSet></imageFindingSet>") == 1


def test_the_findings_come_in_pages() -> None:
    _, first = asked([FINDING] * 3, MaxResults="2")
    token = first.partition("<nextToken>")[2].partition("</nextToken>")[0]
    _, second = asked([FINDING] * 3, MaxResults="2", NextToken=token)
    assert (first.count("<score>"), second.count("<score>"), "nextToken" in second) == (2, 1, False)


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"ImageId": "ami-2"}, 400, "InvalidAMIID.NotFound"),
        ({"ImageId": ""}, 400, "MissingParameter"),
        ({"MaxResults": "0"}, 400, "InvalidParameterValue"),
        ({"MaxResults": "1001"}, 400, "InvalidParameterValue"),
        ({"NextToken": "x"}, 400, "InvalidPaginationToken"),
        ({"DryRun": "true"}, 412, "DryRunOperation"),
    ],
)
def test_what_ec2_refuses(params: dict[str, str], status: int, code: str) -> None:
    found, body = asked([FINDING], **params)
    assert found == status
    assert f"<Code>{code}</Code>" in body


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    scenario = tmp_path_factory.mktemp("findings") / "scenario.yaml"
    scenario.write_text("findings: {critical: 1, high: 2}", "utf-8")
    with Process("--speed", "60000", "--scenario", str(scenario)) as process:
        yield process


@pytest.mark.integration
def test_other_requests_to_ec2_still_reach_moto(server: Process) -> None:
    client = server.client("ec2")
    made = client.register_image(Name="GetImageFindings", RootDeviceName="/dev/xvda")["ImageId"]
    assert [one["ImageId"] for one in client.describe_images(ImageIds=[made])["Images"]] == [made]


@pytest.mark.integration
@pytest.mark.skipif(
    "GetImageFindings" not in botocore.session.get_session().get_service_model("ec2").operation_names,
    reason="botocore's model of EC2 has no GetImageFindings",
)
def test_a_client_reads_the_findings_of_an_on_demand_scan_page_by_page(server: Process) -> None:
    scanning = {"imageScanningEnabled": True, "imageScanningTypes": ["ON_DEMAND_AMI_CVE"]}
    builder, ec2 = server.client("imagebuilder"), server.client("ec2")
    made = builder.create_image(**image_request(imageScanningConfiguration=scanning))
    image = until(lambda: _available(builder, made["imageBuildVersionArn"]))
    own = next(one for one in image["outputResources"]["amis"] if one["region"] == "us-east-1")
    pages = ec2.get_paginator("get_image_findings").paginate(
        ImageId=own["image"], PaginationConfig={"PageSize": 2}
    )
    found = [page["ImageFindings"] for page in pages]
    assert [len(page) for page in found] == [2, 1]
    assert [one["SeverityLabel"] for page in found for one in page] == ["critical", "high", "high"]
    assert found[0][0]["FixAvailable"] is True
    assert found[0][0]["FirstObservedAt"].tzinfo
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        ec2.get_image_findings(ImageId="ami-0123456789abcdef0")


def _available(builder: Any, arn: str) -> dict[str, Any] | None:
    image: dict[str, Any] = builder.get_image(imageBuildVersionArn=arn)["image"]
    return image if image["state"]["status"] == "AVAILABLE" else None
