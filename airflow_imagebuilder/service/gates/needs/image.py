"""The last image itself: its age, and the findings of its scan."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import (
    AwsError,
    ImageBuilderError,
    InvalidRequestError,
    MalformedAnswerError,
)
from airflow_imagebuilder.service.gates.findings import judge_findings
from airflow_imagebuilder.service.gates.needs.statement import Statement, Verdict, read
from airflow_imagebuilder.service.gates.scans.reading import read_findings, refuse_doubtful
from airflow_imagebuilder.service.gates.scans.scan import ON_DEMAND, ScanOutcome, scan_of
from airflow_imagebuilder.service.results.workflow import seconds_between

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.service.gates.needs.ports import Reads
    from airflow_imagebuilder.service.gates.scans.reading import FindingsRead
    from airflow_imagebuilder.service.gates.scans.scan import Scan

log = logging.getLogger(__name__)

AGE, FINDINGS = "max_age", "max_findings"


def age(image: Mapping[str, Any], most: timedelta | None, now: datetime) -> Statement:
    """Compare the age of an image, from ``dateCreated``, with the largest allowed one."""
    if most is None:
        return Statement(AGE, Verdict.NOT_COMPARED, "not given")
    seconds = seconds_between(str(image.get("dateCreated") or ""), now.isoformat())
    if seconds is None:
        text = f"image {image['arn']} has no date that can be read ({image.get('dateCreated')})"
        return Statement(AGE, Verdict.UNKNOWN, text)
    old = timedelta(seconds=int(seconds))
    if seconds > most.total_seconds():
        return Statement(AGE, Verdict.BUILD, f"the last image is {old} old, more than {most}")
    return Statement(AGE, Verdict.NO, f"the last image is {old} old, and may be {most}")


def findings(
    aws: Reads, image: Mapping[str, Any], most: Mapping[str, int] | None, scan_type: str | None = None
) -> Statement:
    """Compare the open findings of an image's scan with the limits, wherever AWS lists them."""
    if not most:
        return Statement(FINDINGS, Verdict.NOT_COMPARED, "not given")
    scan = scan_of(image, scan_type)
    if scan.outcome in (ScanOutcome.OFF, ScanOutcome.ENDED):
        return Statement(FINDINGS, Verdict.UNKNOWN, f"the last image has no completed scan: {scan.summary}")
    found = read(FINDINGS, f"the findings of {scan.arn}", lambda: _counted(aws, scan, most))
    if isinstance(found, Statement):
        return found
    verdict = judge_findings(found.findings, most, today=datetime.now(timezone.utc).date())
    if not verdict.passed:
        above = ", ".join(
            f"{n} {severity} (at most {limit})" for severity, (n, limit) in verdict.above.items()
        )
        return Statement(FINDINGS, Verdict.BUILD, f"the last image has {above}")
    counts = ", ".join(f"{verdict.counts[severity]} {severity}" for severity in most)
    if scan.outcome is ScanOutcome.WAIT or not found.complete:
        text = f"the last image has {counts} so far, and more may come: {scan.summary}"
        return Statement(FINDINGS, Verdict.UNKNOWN, text)
    return Statement(FINDINGS, Verdict.NO, f"the last image has {counts}")


def _counted(aws: Reads, scan: Scan, most: Mapping[str, int]) -> FindingsRead:
    if scan.type == ON_DEMAND and not scan.amis:
        text = "it shows no AMI of the image's own region and account, and EC2 lists findings by AMI"
        raise MalformedAnswerError("GetImage", message=text)
    try:
        found = read_findings(aws, scan, log)
        if scan.outcome is ScanOutcome.COMPLETED:
            refuse_doubtful(found, scan, most)
    except (AwsError, InvalidRequestError):
        raise
    except ImageBuilderError as doubt:  # AWS counts findings, and lists none
        raise MalformedAnswerError("ListImageScanFindings", message=str(doubt)) from doubt
    return found
