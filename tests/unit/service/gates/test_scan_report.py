"""The report: a bounded table, a bounded XCom, messages that say what to do."""

from __future__ import annotations

import json
from datetime import date

from airflow_imagebuilder.service.gates.allow_list import AllowedFinding
from airflow_imagebuilder.service.gates.findings import Finding, FindingsVerdict, judge_findings
from airflow_imagebuilder.service.gates.scans.messages import failure
from airflow_imagebuilder.service.gates.scans.report import (
    TABLE_ROWS,
    WORST,
    XCOM_BYTES,
    report,
    table,
)
from airflow_imagebuilder.service.gates.scans.scan import Scan, ScanOutcome
from tests.support.arns import IMAGE

TODAY = date(2026, 11, 26)
SCAN = Scan(arn=IMAGE, image_status="AVAILABLE", outcome=ScanOutcome.COMPLETED, status="COMPLETED")


def verdict_of(number: int, text: str = "x", allowed: int = 0) -> FindingsVerdict:
    found = [
        Finding(id=f"CVE-2024-{n:05}", severity="HIGH", package=text, version=text, fixed_in=text, fix="YES")
        for n in range(number)
    ]
    entries = [AllowedFinding(id=f.id, until=TODAY, reason=text) for f in found[:allowed]]
    return judge_findings(found, {"HIGH": 0}, allow_list=entries, today=TODAY)


def test_a_short_report_is_whole() -> None:
    value = report(SCAN, verdict_of(3, allowed=1), {"HIGH": 0}, aws_counts={"all": 3})
    assert json.loads(json.dumps(value)) == value
    assert (value["passed"], value["complete"], value["truncated"]) == (False, True, False)
    assert [record["id"] for record in value["worst"]] == ["CVE-2024-00001", "CVE-2024-00002"]
    assert value["allowed"] == [
        {"severity": "HIGH", "id": "CVE-2024-00000", "package": "x", "until": "2026-11-26", "reason": "x"}
    ]
    assert (value["counts"]["HIGH"], value["allowed_count"], value["aws_counts"]) == (2, 1, {"all": 3})


def test_a_long_report_stays_below_its_bound_and_says_so() -> None:
    value = report(SCAN, verdict_of(5000, "\u00e4" * 240, allowed=100), {"HIGH": 0})
    assert len(json.dumps(value).encode()) <= XCOM_BYTES
    assert value["truncated"]
    assert value["counts"]["HIGH"] == 4900
    assert 0 < len(value["worst"]) <= WORST


def test_a_report_of_a_scan_that_is_not_completed_has_not_passed() -> None:
    assert report(SCAN, verdict_of(0), {"HIGH": 0})["passed"]
    assert not report(SCAN, verdict_of(0), {"HIGH": 0}, complete=False)["passed"]


def test_the_table_shows_the_worst_and_how_many_more_there_are() -> None:
    assert list(table(verdict_of(0))) == []
    lines = list(table(verdict_of(TABLE_ROWS + 3)))
    assert len(lines) == TABLE_ROWS + 2
    assert lines[0].split() == ["SEVERITY", "VULNERABILITY", "PACKAGE", "VERSION", "FIXED", "IN", "LINK"]
    assert lines[1].startswith("HIGH      CVE-2024-00000  x")
    assert lines[-1] == "... and 3 more"
    assert all(len(line) < 400 for line in table(verdict_of(1, "p" * 5000)))


def test_the_message_names_the_worst_the_limit_and_the_way_out() -> None:
    text = failure(SCAN, verdict_of(8))
    assert "8 HIGH (none accepted)" in text
    assert "HIGH CVE-2024-00004: x x, fixed in x" in text
    assert "... and 3 more" in text
    for part in (IMAGE, "allow_list", "max_findings", "clear this task"):
        assert part in text


def test_the_message_of_findings_that_were_not_all_read_says_at_least() -> None:
    assert "at least 8 HIGH" in failure(SCAN, verdict_of(8), complete=False)
    fine = judge_findings([Finding(id="a", severity="LOW")], {"HIGH": 0}, today=TODAY)
    assert "more than 1 findings" in failure(SCAN, fine, complete=False)
