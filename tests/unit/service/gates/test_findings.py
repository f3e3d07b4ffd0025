"""Findings: how each source is read, what counts, and what is above a limit."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from airflow_imagebuilder.service.gates.allow_list import AllowedFinding
from airflow_imagebuilder.service.gates.findings import (
    SEVERITIES,
    Finding,
    judge_findings,
    limit_faults,
)

TODAY = date(2026, 11, 26)


def found(id_: str, severity: str = "HIGH", **more: Any) -> Finding:
    return Finding(id=id_, severity=severity, **{"fix": "YES", **more})


def allow(id_: str, until: str = "2026-12-31") -> AllowedFinding:
    return AllowedFinding(id=id_, until=date.fromisoformat(until), reason="r")


def record(**members: Any) -> dict[str, Any]:
    """Return a finding as ListImageScanFindings returns it."""
    package = {
        "name": "openssl",
        "version": "3.0.8",
        "fixedInVersion": "3.0.9",
        "arch": "X86_64",
        "filePath": "/usr/lib/a",
    }
    details = {
        "vulnerabilityId": "CVE-2024-1",
        "vulnerablePackages": [package],
        "sourceUrl": "https://example.org/1",
    }
    return {
        "title": "CVE-2024-1 - openssl",
        "severity": "HIGH",
        "fixAvailable": "PARTIAL",
        "packageVulnerabilityDetails": details,
        **members,
    }


def test_a_finding_of_image_builder_is_read() -> None:
    assert replace(Finding.from_image_builder(record()), where="") == Finding(
        id="CVE-2024-1",
        severity="HIGH",
        package="openssl",
        version="3.0.8",
        fixed_in="3.0.9",
        fix="PARTIAL",
        link="https://example.org/1",
    )


def test_a_finding_of_ec2_is_read_from_its_title() -> None:
    given = {"Title": "CVE-2024-12345 - kernel, perf", "SeverityLabel": "critical", "FixAvailable": True}
    assert replace(Finding.from_ec2(given), where="") == Finding(
        id="CVE-2024-12345",
        severity="CRITICAL",
        package="kernel, perf",
        fix="YES",
        link="https://nvd.nist.gov/vuln/detail/CVE-2024-12345",
    )


def test_findings_in_other_places_are_others_however_long_their_paths_are() -> None:
    paths = ["/" + "a" * 400 + end for end in "xy"]
    assert len({Finding.from_ec2({"Title": "CVE-1 - k", "Paths": [path]}) for path in paths}) == 2
    packages = [[{"name": "k", "filePath": path}] for path in paths]
    details = [{"vulnerabilityId": "CVE-1", "vulnerablePackages": package} for package in packages]
    assert len({Finding.from_image_builder(record(packageVulnerabilityDetails=one)) for one in details}) == 2


@pytest.mark.parametrize("given", [{}, {"title": None, "packageVulnerabilityDetails": None}, {"title": 7}])
def test_a_finding_that_says_nothing_still_counts(given: dict[str, Any]) -> None:
    finding = Finding.from_image_builder(given)
    assert (finding.severity, finding.fixable) == ("UNTRIAGED", False)
    assert judge_findings([finding], {"UNTRIAGED": 0}, today=TODAY).above == {"UNTRIAGED": (1, 0)}


def test_a_title_cannot_move_the_terminal() -> None:
    assert Finding.from_ec2({"Title": "CVE-1\x1b[2J - k\nx"}).id == "CVE-1"


def test_findings_are_counted_by_severity_worst_first() -> None:
    given = [found("c", "LOW"), found("b"), found("a", "CRITICAL"), found("d", fix="NO")]
    verdict = judge_findings(given, {"CRITICAL": 0, "HIGH": 1, "LOW": 1}, today=TODAY)
    assert verdict.counts == {**dict.fromkeys(SEVERITIES, 0), "CRITICAL": 1, "HIGH": 2, "LOW": 1}
    assert [finding.id for finding in verdict.counted] == ["a", "b", "d", "c"]
    assert verdict.above == {"CRITICAL": (1, 0), "HIGH": (2, 1)}
    assert not verdict.passed


def test_a_severity_without_a_limit_never_fails_the_image() -> None:
    assert judge_findings([found("a", "MEDIUM")] * 3, {"HIGH": 0}, today=TODAY).passed


def test_a_finding_that_two_pages_show_counts_once_and_another_package_counts_too() -> None:
    given = [found("a"), found("a"), found("a", package="other"), found("a", where="/x")]
    assert judge_findings(given, {}, today=TODAY).counts["HIGH"] == 3


def test_only_findings_with_a_fix_count_on_demand() -> None:
    given = [found("a", fix="NO"), found("b", fix="PARTIAL"), found("c")]
    verdict = judge_findings(given, {"HIGH": 1}, only_fixable=True, today=TODAY)
    assert (verdict.counts["HIGH"], verdict.unfixable) == (2, 1)


def test_an_entry_takes_findings_out_until_its_last_day() -> None:
    given = [found("CVE-1"), found("cve-1", package="p"), found("CVE-2")]
    entry = allow("cve-1", "2026-11-26")
    verdict = judge_findings(given, {"HIGH": 1}, allow_list=[entry], today=TODAY)
    assert verdict.passed
    assert [finding.package for finding, _ in verdict.allowed] == ["", "p"]
    assert (verdict.expired, verdict.unused) == ((), ())

    after = judge_findings(given, {"HIGH": 1}, allow_list=[entry], today=date(2026, 11, 27))
    assert after.above == {"HIGH": (3, 1)}
    assert after.expired == (entry,)
    assert after.allowed == ()


def test_an_entry_that_matches_nothing_is_known() -> None:
    entry, old = allow("CVE-9"), allow("CVE-8", "2020-01-01")
    verdict = judge_findings([found("CVE-1")], {}, allow_list=[entry, old], today=TODAY)
    assert verdict.unused == (entry, old)
    assert verdict.expired == ()


def test_the_order_of_the_findings_changes_nothing() -> None:
    given = [found(f"CVE-{n}", SEVERITIES[n % 6], fix="NO" if n % 4 else "YES") for n in range(60)]
    entries = [allow("CVE-7"), allow("CVE-8", "2020-01-01")]
    first = judge_findings(given, {"HIGH": 2}, allow_list=entries, today=TODAY)
    for seed in range(5):
        random.Random(seed).shuffle(given)
        assert judge_findings(given, {"HIGH": 2}, allow_list=entries, today=TODAY) == first


@pytest.mark.parametrize(
    ("limits", "path", "remedy"),
    [
        ({}, "m", "name at least one severity"),
        (["HIGH"], "m", "name at least one severity"),
        ({"high": 1}, "m.high", "did you mean HIGH?"),
        ({"ALL": 1}, "m.ALL", "write one of these, in capitals"),
        ({"HIGH": -1}, "m.HIGH", "leave a severity without limit out"),
        ({"HIGH": "9" * 5000}, "m.HIGH", "leave a severity without limit out"),
        ("[1]", "m", "name at least one severity"),
        ("some", "m", "tojson"),
        ({"HIGH": True}, "m.HIGH", "leave a severity without limit out"),
        ({"HIGH": None}, "m.HIGH", "leave a severity without limit out"),
    ],
)
def test_limits_that_cannot_hold_are_refused(limits: object, path: str, remedy: str) -> None:
    (fault,) = limit_faults("m", limits)
    assert fault.field == path
    assert remedy in fault.remedy


def test_limits_that_hold_have_no_fault() -> None:
    assert list(limit_faults("m", {"CRITICAL": 0, "UNTRIAGED": 7})) == []
