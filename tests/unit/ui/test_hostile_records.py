"""A record is data from outside: nothing in it makes an answer fail."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.pages import PREFIX
from airflow_imagebuilder.ui.reading.reader import Reader
from airflow_imagebuilder.ui.run_view import records
from airflow_imagebuilder.xcom import BUILD_KEY, FINDINGS_KEY, LIVE_BUILD_KEY, WORKFLOW_KEY
from tests.support.image_records import build, findings, monitored

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from tests.support.airflow_rows import Rows

API = f"{PREFIX}/api/v1"
PATHS = [
    f"{API}/dags/bake/runs/run-1",
    *(f"{API}/images?sort={sort}" for sort in ("created_at", "name", "status", "duration")),
    f"{API}/images?text=ami",
    f"{API}/names",
    f"{API}/trend?name=golden",
]
NOT_RECORDS = [None, 7, "s3://bucket/key", [], [build()], {}, True, {**build(), "schema": 2}, {"schema": 1}]
ODD: list[Any] = [
    None,
    True,
    -1,
    1e300,
    2**80,
    "",
    "x" * 100_000,
    "\ud800",
    [],
    [[]],
    {},
    {"a": [1]},
    [None, 5, {"region": 5}],
    "2026-13-45",
    "0001-01-01T00:00:00+23:00",
]


def assert_all_answer(admin: TestClient) -> None:
    for path in PATHS:
        answer = admin.get(path)
        assert answer.status_code == 200, (path, answer.text)


@pytest.mark.parametrize("key", [BUILD_KEY, LIVE_BUILD_KEY, WORKFLOW_KEY, FINDINGS_KEY])
def test_what_cannot_be_read_is_left_out(key: str, rows: Rows, admin: TestClient) -> None:
    for number, value in enumerate(NOT_RECORDS):
        rows.xcom(key, value, task_id="other", map_index=number)
    rows.xcom(BUILD_KEY, build())
    rows.flush()
    assert_all_answer(admin)
    assert admin.get(f"{API}/images").json()["total"] == 1
    assert len(admin.get(PATHS[0]).json()["images"]) == 1


@pytest.mark.parametrize("member", [*build(), "nan"])
def test_a_member_may_be_anything(member: str, rows: Rows, admin: TestClient) -> None:
    for number, value in enumerate([*ODD, float("nan")]):
        record = {**build(number), member: value}
        rows.xcom(BUILD_KEY, record, map_index=number)
    rows.flush()
    assert_all_answer(admin)


def without(record: dict[str, Any], member: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != member}


@pytest.mark.parametrize("path", ["images", "names"])
def test_a_list_counts_what_it_has(path: str, rows: Rows, admin: TestClient) -> None:
    for number, value in enumerate(ODD):
        rows.xcom(BUILD_KEY, {**build(number, f"odd-{number}"), "arn": value}, map_index=number)
    rows.xcom(BUILD_KEY, build(), task_id="good")
    rows.flush()
    found: list[Any] = []
    total = 1
    while len(found) < total:
        answer = admin.get(f"{API}/{path}?limit=1&offset={len(found)}").json()
        found += answer["items"]
        total = answer["total"]
        assert answer["items"], f"{total} are counted, {len(found)} are there"
    assert len(found) == total


def test_a_member_may_be_missing(rows: Rows, admin: TestClient) -> None:
    for number, member in enumerate(build()):
        rows.xcom(BUILD_KEY, without(build(number), member), map_index=number)
    rows.flush()
    assert_all_answer(admin)


@pytest.mark.parametrize(
    "member", ["execution_id", "name", "type", "status", "start", "end", "attempt", "steps"]
)
def test_workflows_may_be_anything(member: str, rows: Rows, admin: TestClient) -> None:
    for number, value in enumerate(ODD):
        record = build(number)
        record["workflows"] = [{**one, member: value} for one in record["workflows"]]
        record["declared"] = [{**one, member: value} for one in record["declared"]]
        rows.xcom(BUILD_KEY, record, map_index=number)
        seen = monitored({**record["workflows"][1], member: value}, record["arn"])
        rows.xcom(WORKFLOW_KEY, {**seen, member: value}, task_id="test", map_index=number)
        odd = {**findings(record["arn"]), "counts": value}
        rows.xcom(FINDINGS_KEY, odd, task_id="gate", map_index=number)
    rows.flush()
    assert_all_answer(admin)


def test_markup_stays_text(rows: Rows, admin: TestClient) -> None:
    rows.xcom(BUILD_KEY, build(name="<script>alert(1)</script>", reason='"><img onerror=x>'))
    rows.flush()
    answer = admin.get(PATHS[0])
    (image,) = answer.json()["images"]
    assert image["name"] == "<script>alert(1)</script>"
    assert "<script>" not in image["log_url"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_left_out_is_logged_once(
    rows: Rows, admin: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "_has_counted_skipped", False)
    monkeypatch.setattr(records.report_skipped, "_logged", False)
    caplog.set_level(logging.WARNING)
    rows.xcom(BUILD_KEY, "s3://bucket/key")
    rows.xcom(BUILD_KEY, {**build(), "schema": 2}, task_id="newer")
    rows.flush()
    assert_all_answer(admin)
    assert_all_answer(admin)
    messages = [one.getMessage() for one in caplog.records if "Left " in one.getMessage()]
    assert len(messages) == 1
    assert "2 records" in messages[0]
