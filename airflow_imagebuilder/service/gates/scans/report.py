"""The report on a scan: a table for the log, and a bounded mapping for the XCom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.text import one_line, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_imagebuilder.service.gates.allow_list import AllowedFinding
    from airflow_imagebuilder.service.gates.findings import Finding, FindingsVerdict
    from airflow_imagebuilder.service.gates.scans.scan import Scan

TABLE_ROWS = 50
"""Findings in the table of the log."""

WORST = 20
"""Records in each list of the XCom, at most."""

XCOM_BYTES = 16_384
"""The size of the XCom as JSON, at most."""

XCOM_KEY = "scan_findings"
"""The key of the XCom that a gate pushes, also if it fails."""

_COLUMNS = {"severity": 13, "id": 24, "package": 32, "version": 20, "fixed_in": 20}
_LISTS = ("worst", "allowed", "expired", "unused")


def table(verdict: FindingsVerdict) -> Iterator[str]:
    """
    Yield the lines of a table of the findings that count, worst first, at most :data:`TABLE_ROWS` of them.

    :param verdict: the findings.
    """
    shown = verdict.counted[:TABLE_ROWS]
    if not shown:
        return
    rows = [_cells(finding) for finding in shown]
    head = ("SEVERITY", "VULNERABILITY", "PACKAGE", "VERSION", "FIXED IN", "LINK")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if len(verdict.counted) > len(shown):
        yield f"... and {len(verdict.counted) - len(shown)} more"


def remarks(verdict: FindingsVerdict, aws_counts: Mapping[str, int] | None) -> Iterator[str]:
    """
    Yield lines on what counts and what does not.

    :param verdict: the findings.
    :param aws_counts: AWS's own counts; ``None`` if it has none.
    """
    yield f"Findings that count: {counted(verdict.counts)}"
    if verdict.unfixable:
        yield f"Findings without a fix, which do not count: {verdict.unfixable}"
    if verdict.allowed:
        entries = list(dict.fromkeys(entry for _, entry in verdict.allowed))
        yield f"Findings accepted by the allow-list: {len(verdict.allowed)}, by {names(entries)}"
    if verdict.unused:
        yield f"Entries of the allow-list that match no finding: {names(verdict.unused)}"
    if aws_counts is not None:
        shown = ", ".join(f"{name} {count}" for name, count in aws_counts.items())
        yield f"AWS's own counts, accepted findings included: {shown}"


def counted(counts: Mapping[str, int]) -> str:
    """Return counts by severity without zeros, e.g. ``1 CRITICAL, 4 HIGH``; ``no findings`` if all are."""
    return ", ".join(f"{count} {severity}" for severity, count in counts.items() if count) or "no findings"


def names(entries: Sequence[AllowedFinding]) -> str:
    """Return the ids of entries of an allow-list, each with its last day."""
    return shortened(", ".join(f"{one_line(entry.id)} (until {entry.until})" for entry in entries), 1000)


def report(
    scan: Scan,
    verdict: FindingsVerdict,
    max_findings: Mapping[str, int],
    *,
    aws_counts: Mapping[str, int] | None = None,
    complete: bool = True,
) -> dict[str, Any]:
    """
    Return a JSON-safe mapping of at most :data:`XCOM_BYTES` as JSON.

    :param scan: the scan.
    :param verdict: its findings.
    :param max_findings: the limits.
    :param aws_counts: what ListImageScanFindingAggregations counts; ``None`` (default) if it has no counts.
    :param complete: whether the scan is completed and all of its findings were read (default).
    :return: ``image_build_version_arn``, ``image_status``, ``scan_status``, ``scan_type``, ``passed``,
        ``complete``, ``counts`` (of findings that count, by severity), ``max_findings``, ``aws_counts``,
        ``allowed_count``, ``unfixable_count``; lists ``worst``, ``allowed``, ``expired`` and ``unused``; and
        ``truncated``: whether a list lacks some of its records.
    """
    whole: dict[str, list[Any]] = {
        "worst": [_record(finding) for finding in verdict.counted[: WORST + 1]],
        "allowed": [_allowed(*pair) for pair in verdict.allowed[: WORST + 1]],
        "expired": [_entry(entry) for entry in verdict.expired[: WORST + 1]],
        "unused": [_entry(entry) for entry in verdict.unused[: WORST + 1]],
    }
    found: dict[str, Any] = {
        "image_build_version_arn": scan.arn,
        "image_status": scan.image_status,
        "scan_status": scan.status,
        "scan_type": scan.type,
        "passed": complete and verdict.passed and not scan.image_failed,
        "complete": complete,
        "counts": dict(verdict.counts),
        "max_findings": dict(max_findings),
        "aws_counts": dict(aws_counts) if aws_counts is not None else None,
        "allowed_count": len(verdict.allowed),
        "unfixable_count": verdict.unfixable,
        **{name: records[:WORST] for name, records in whole.items()},
        "truncated": any(len(records) > WORST for records in whole.values()),
    }
    while len(json.dumps(found).encode()) > XCOM_BYTES:
        longest = max(_LISTS, key=lambda name: len(json.dumps(found[name])))
        found[longest].pop()
        found["truncated"] = True
    return found


def _cells(finding: Finding) -> tuple[str, ...]:
    texts = [shortened(str(getattr(finding, name)), width) for name, width in _COLUMNS.items()]
    return (*texts, finding.link)


def _record(finding: Finding) -> dict[str, str]:
    return {name: getattr(finding, name) for name in (*_COLUMNS, "fix", "link")}


def _allowed(finding: Finding, entry: AllowedFinding) -> dict[str, str]:
    record = _record(finding)
    kept = {name: record[name] for name in ("severity", "id", "package")}
    return {**kept, **{name: text for name, text in _entry(entry).items() if name != "id"}}


def _entry(entry: AllowedFinding) -> dict[str, str]:
    return {"id": one_line(entry.id), "until": str(entry.until), "reason": one_line(entry.reason)}
