"""The reading of a scan's findings, from whichever operation lists them."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.service.errors import Fault, ImageBuilderError, OutdatedBoto3Error
from airflow_imagebuilder.service.gates.findings import Finding
from airflow_imagebuilder.service.gates.scans.scan import ON_DEMAND, SCAN_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_imagebuilder.service.gates.scans.scan import Scan

MOST_FINDINGS = 20_000
"""Findings of one image that are read."""


class FindingLists(Protocol):
    """The calls that list findings. The hook has these methods."""

    def list_image_scan_findings(self, arn: str) -> Iterator[dict[str, Any]]:
        """Yield ListImageScanFindings' ``findings``."""

    def count_image_scan_findings(self, arn: str) -> dict[str, int] | None:
        """Return what ListImageScanFindingAggregations counts; ``None`` if it has no counts of the image."""

    def get_image_findings(self, ami: str, region: str) -> Iterator[dict[str, Any]]:
        """Yield GetImageFindings' ``ImageFindings``."""


@dataclass(frozen=True, kw_only=True)
class FindingsRead:
    """What was read of a scan.

    :param findings: the findings, at most :data:`MOST_FINDINGS`.
    :param aws_counts: AWS's own counts; ``None`` if it has none.
    :param complete: whether there are no more findings.
    """

    findings: tuple[Finding, ...]
    aws_counts: Mapping[str, int] | None
    complete: bool


def read_findings(aws: FindingLists, scan: Scan, log: Any) -> FindingsRead:
    """
    Read the findings of a scan, page by page, and no more than :data:`MOST_FINDINGS` of them.

    :param aws: the calls.
    :param scan: the scan; it may still be in progress.
    :param log: the task's logger.
    :raises OutdatedBoto3Error: the installed boto3 lacks GetImageFindings.
    :raises ImageBuilderError: AWS did not answer.
    """
    counts = None if scan.type == ON_DEMAND else _counts(aws, scan.arn, log)
    found = tuple(itertools.islice(_findings(aws, scan), MOST_FINDINGS + 1))
    return FindingsRead(
        findings=found[:MOST_FINDINGS], aws_counts=counts, complete=len(found) <= MOST_FINDINGS
    )


def refuse_doubtful(read: FindingsRead, scan: Scan, limits: Iterable[str] = ()) -> None:
    """
    Refuse a list that may be late, or come from the wrong place: without findings an image passes a gate.

    :param read: what was read of a completed scan.
    :param limits: the severities that have a limit: a list without those that AWS counts is late, too.
    :raises ImageBuilderError: AWS counts findings, and lists none, or none of a severity with a limit.
    :raises OutdatedBoto3Error: the installed boto3 does not show where this scan's findings are.
    """
    counts, listed = read.aws_counts or {}, {finding.severity for finding in read.findings}
    late = [severity for severity in limits if counts.get(severity.lower()) and severity not in listed]
    if late or (any(counts.values()) and not listed):
        which = f" of {' and '.join(late)}" if listed else ""
        raise ImageBuilderError(
            f"AWS counts findings of image {scan.arn} ({dict(counts)}), and lists none{which}. The list "
            "may be late: another try of this task reads it again."
        )
    if scan.type is None and read.aws_counts is None and not listed:
        shown = f"boto3 {aws_model.installed()} does not show which of them the scan of {scan.arn} has"
        allowed = f"{' or '.join(SCAN_TYPES)}: {shown}, and AWS lists no findings of the first"
        remedy = "say which of them it has, or install boto3 1.43.122 or newer"
        raise OutdatedBoto3Error([Fault("scan_type", None, allowed, remedy)])


def _findings(aws: FindingLists, scan: Scan) -> Iterator[Finding]:
    if scan.type != ON_DEMAND:
        return map(Finding.from_image_builder, aws.list_image_scan_findings(scan.arn))
    return _of_amis(aws, scan)


def _of_amis(aws: FindingLists, scan: Scan) -> Iterator[Finding]:
    """Yield the findings of the AMIs, without those that another AMI of the same image has, too."""
    seen: Counter[Finding] = Counter()
    for region, ami in scan.amis:
        here: Counter[Finding] = Counter()
        for record in aws.get_image_findings(ami, region):
            finding = Finding.from_ec2(record)
            alike = replace(finding, where="")  # a copy has snapshots of its own
            here[alike] += 1
            if here[alike] > seen[alike]:
                yield finding
        seen |= here


def _counts(aws: FindingLists, arn: str, log: Any) -> dict[str, int] | None:
    try:
        return aws.count_image_scan_findings(arn)
    except ImageBuilderError as error:
        log.warning("Could not read AWS's own counts; the findings themselves decide: %s", error)
        return None
