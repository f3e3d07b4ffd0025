"""The messages of a gate that does not pass: what was found, or what is missing, and what to do."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_imagebuilder.service.gates.scans.report import XCOM_KEY, names
from airflow_imagebuilder.service.gates.scans.scan import ON_DEMAND
from airflow_imagebuilder.service.results.failure_text import labelled
from airflow_imagebuilder.service.text import image_name, one_line, shortened

if TYPE_CHECKING:
    from airflow_imagebuilder.service.gates.findings import Finding, FindingsVerdict
    from airflow_imagebuilder.service.gates.scans.scan import Scan

_NAMED = 5
"""Findings that an error names."""


def failure(scan: Scan, verdict: FindingsVerdict, *, complete: bool = True) -> str:
    """
    Return why findings do not pass, and what to do.

    :param scan: the scan.
    :param verdict: its findings, of which some are above their limits or not all were read.
    :param complete: whether all findings were read (default).
    """
    above = ", ".join(
        f"{found} {severity} ({limit or 'none'} accepted)"
        for severity, (found, limit) in verdict.above.items()
    )
    why = above or f"it has more than {len(verdict.counted)} findings, so not all of them were read"
    at_least = "" if complete or not above else "at least "
    lines = [f"Image {image_name(scan.arn)} does not pass: {at_least}{why}."]
    over = [finding for finding in verdict.counted if finding.severity in verdict.above]
    lines += [f"  - {_line(finding)}" for finding in over[:_NAMED]]
    if len(over) > _NAMED:
        lines.append(f"  ... and {len(over) - _NAMED} more: the log has a table, XCom {XCOM_KEY} the worst")
    if verdict.expired:
        lines.append(
            f"Expired entries of the allow-list, which do not count any more: {names(verdict.expired)}."
        )
    lines.append(labelled("image", scan.arn))
    lines.append(
        "This task changes nothing: the image and its outputs are still there. Build it again with the fixed "
        "packages. To accept a finding until a date, add it to allow_list; to accept more findings of a "
        "severity, raise it in max_findings. Then clear this task: it reads findings and allow-list again."
    )
    return "\n".join(lines)


def no_scan(scan: Scan) -> str:
    """Return what to do about an image whose scan is switched off."""
    return (
        f"Image {image_name(scan.arn)} is not scanned: imageScanningEnabled of its "
        f"imageScanningConfiguration is not true, so there are no findings to judge.\n"
        f"{labelled('image', scan.arn)}\n"
        "Build it with image_scanning_configuration={'imageScanningEnabled': True}, with image tests on and "
        "Amazon Inspector activated in this account and region, or take this gate out. The images of a "
        "pipeline take the setting from the pipeline."
    )


def ended_badly(scan: Scan, known: str) -> str:
    """
    Return what to do about an image that failed, or whose scan ended without being completed.

    :param known: what is known of its findings.
    """
    return (
        f"Image {image_name(scan.arn)} does not pass: {scan.summary}. {known}\n"
        f"{labelled('image', scan.arn)}\n{_remedy(scan)}"
    )


def out_of_time(scan: Scan, deadline: float, known: str, trouble: str) -> str:
    """
    Return what to do about a scan that had not ended at the deadline.

    :param deadline: the deadline in seconds since the epoch.
    :param known: what is known of its findings.
    :param trouble: the error that kept the answer away; empty if there was none.
    """
    when = datetime.fromtimestamp(deadline, timezone.utc).isoformat(timespec="seconds")
    because = f" The last error: {one_line(trouble)}" if trouble else ""
    more = f"\n{_CONDITION}" if scan.type == ON_DEMAND else ""
    return (
        f"The scan of image {image_name(scan.arn)} had not ended when the time of this task was over "
        f"({when}): {scan.summary}. {known}{because}\n{labelled('image', scan.arn)}\n"
        "Nothing was cancelled: this task only reads. If scans take longer here, clear this task, or allow "
        f"more time (timeout).{more}"
    )


def _remedy(scan: Scan) -> str:
    if scan.image_failed:
        return (
            "The task that builds the image says why it did not end well. "
            "After its repair, clear this task: it reads the scan again."
        )
    if scan.type == ON_DEMAND:
        return _CONDITION
    return (
        "Check that Amazon Inspector is activated in this account and region (for EC2, or for ECR with "
        "containers), and that Systems Manager reaches the test instance. Then build the image again."
    )


_CONDITION = (
    "AWS waits for the scan of an AMI only where scanResultCondition is set: set it "
    "({'maximumSeverityLabel': 'HIGH'} is the mildest), and the scan is completed before the image is "
    "AVAILABLE."
)


def _line(finding: Finding) -> str:
    fixed = f", fixed in {finding.fixed_in}" if finding.fixed_in else ""
    package = f": {finding.package} {finding.version}".rstrip() if finding.package else ""
    return shortened(f"{finding.severity} {finding.id}{package}{fixed}")
