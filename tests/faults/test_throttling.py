"""Throttling and outages under a hundred waits: ours beside the stock waiter of the amazon provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.throttling import CASES, KINDS, WAITS, summary

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tests.faults.report import Report


def test_a_hundred_waits_outlive_throttling_and_outages(
    throttled: list[Future[dict[str, dict[str, int]]]], report: Report
) -> None:
    endings = [waits.result() for waits in throttled]
    for case, ended in zip(CASES, endings, strict=True):
        for kind, name in KINDS.items():
            report.add(f"{WAITS} waits, botocore in standard mode: {case.title}", name, summary(ended[kind]))
    assert [ended["ours"] for ended in endings] == [{"done": WAITS}] * len(CASES)
