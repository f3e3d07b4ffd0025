"""The allow-list: what its entries may look like, and that all faults are named at once."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

import pytest

from airflow_imagebuilder.service.errors import InvalidRequestError
from airflow_imagebuilder.service.gates.allow_list import AllowedFinding, read_allow_list

DAY = date(2026, 12, 31)
ENTRY = AllowedFinding(id="CVE-2024-1", until=DAY, reason="no exposure")


@pytest.mark.parametrize(
    "content",
    [
        [{"id": "CVE-2024-1", "until": "2026-12-31", "reason": "no exposure"}],
        [{"id": " CVE-2024-1 ", "until": DAY, "reason": "no exposure\n"}],
        {"CVE-2024-1": {"until": "2026-12-31", "reason": "no exposure"}},
    ],
)
def test_lists_and_mappings_are_read(content: object) -> None:
    assert read_allow_list(content) == (ENTRY,)


@pytest.mark.parametrize("content", [None, [], {}])
def test_an_empty_list_allows_nothing(content: object) -> None:
    assert read_allow_list(content) == ()


def test_the_date_alone_will_do() -> None:
    assert read_allow_list({"CVE-2024-1": DAY}) == (AllowedFinding(id="CVE-2024-1", until=DAY),)


def test_all_faults_are_named_at_once() -> None:
    content: list[Any] = [
        {"id": "CVE-1"},
        {"until": "31.12.2026"},
        "CVE-3",
        {"id": "CVE-4", "until": datetime(2026, 1, 1, tzinfo=timezone.utc)},
        {"id": "CVE-5", "until": "2026-02-30", "why": "x", "reason": 7},
        {"id": "CVE-6", "until": "2026-01-01"},
        {"id": "cve-6", "until": "2027-01-01"},
    ]
    with pytest.raises(InvalidRequestError) as refused:
        read_allow_list(content, "allowed.yaml")
    assert [fault.field for fault in refused.value.faults] == [
        "allowed.yaml[0].until",
        "allowed.yaml[1].id",
        "allowed.yaml[1].until",
        "allowed.yaml[2]",
        "allowed.yaml[3].until",
        "allowed.yaml[4].why",
        "allowed.yaml[4].reason",
        "allowed.yaml[4].until",
        "allowed.yaml",
    ]


@pytest.mark.parametrize("content", ["CVE-1", 7, b"x", {"CVE-1": 7}, {7: "2026-01-01"}])
def test_anything_else_is_refused(content: object) -> None:
    with pytest.raises(InvalidRequestError, match="allow_list"):
        read_allow_list(content)
