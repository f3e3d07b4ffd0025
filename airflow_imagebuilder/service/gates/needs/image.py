"""The last image itself: its age, and the findings of its scan."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.gates.findings import Finding, judge_findings
from airflow_imagebuilder.service.gates.needs.statement import Statement, Verdict, read
from airflow_imagebuilder.service.results.workflow import seconds_between

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.service.gates.needs.ports import Reads

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


def findings(aws: Reads, image: Mapping[str, Any], most: Mapping[str, int] | None) -> Statement:
    """Compare the open findings of an image's scan with the limits."""
    if not most:
        return Statement(FINDINGS, Verdict.NOT_COMPARED, "not given")
    state = image.get("scanState") or {}
    if state.get("status") not in ("COMPLETED", "ABANDONED", "SCANNING", "COLLECTING", "PENDING"):
        why = ": ".join(str(state[key]) for key in ("status", "reason") if state.get(key)) or "not scanned"
        return Statement(FINDINGS, Verdict.UNKNOWN, f"image {image['arn']} has no scan ({why})")
    arn = str(image["arn"])
    listed = read(FINDINGS, f"the findings of {arn}", lambda: list(aws.list_image_scan_findings(arn)))
    if isinstance(listed, Statement):
        return listed
    today = datetime.now(timezone.utc).date()
    verdict = judge_findings(map(Finding.from_image_builder, listed), most, today=today)
    if not verdict.passed:
        above = ", ".join(
            f"{found} {severity} (at most {limit})" for severity, (found, limit) in verdict.above.items()
        )
        return Statement(FINDINGS, Verdict.BUILD, f"the last image has {above}")
    if state.get("status") != "COMPLETED":
        return Statement(
            FINDINGS, Verdict.UNKNOWN, f"the scan of {arn} is {state['status']}: not all is known"
        )
    counts = ", ".join(f"{verdict.counts[severity]} {severity}" for severity in most)
    return Statement(FINDINGS, Verdict.NO, f"the last image has {counts}")
