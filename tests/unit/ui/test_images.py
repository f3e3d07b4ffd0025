"""The lists: one row for each ARN, filters, order, pages, names, the trend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.pages import PREFIX
from airflow_imagebuilder.xcom import BUILD_KEY, FINDINGS_KEY, LIVE_BUILD_KEY
from tests.support.airflow_rows import emptied, fill
from tests.support.image_records import at, build, findings
from tests.support.ui_server import counted_queries

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from tests.support.airflow_rows import Rows

API = f"{PREFIX}/api/v1"
LIVE: dict[str, Any] = {"ended": False, "ended_at": None, "duration": None, "status": "TESTING"}


def listed(admin: TestClient, path: str = "images", **query: Any) -> dict[str, Any]:
    answer = admin.get(f"{API}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def versions(admin: TestClient, **query: Any) -> list[str]:
    return [row["version"] for row in listed(admin, **query)["items"]]


def put(rows: Rows, *records: dict[str, Any], key: str = BUILD_KEY, **place: Any) -> None:
    for number, record in enumerate(records):
        rows.xcom(key, record, map_index=number, **place)
    rows.flush()


def test_without_images_there_is_an_empty_page(rows: Rows, admin: TestClient) -> None:
    assert listed(admin) == {"total": 0, "limit": 50, "offset": 0, "items": []}
    assert listed(admin, "names")["total"] == 0
    assert admin.get(f"{API}/trend", params={"name": "none"}).json() == []


def test_an_image_of_several_tasks_is_one_row_of_the_run_that_submitted_it(
    rows: Rows, admin: TestClient
) -> None:
    rows.xcom(BUILD_KEY, build(), run_id="submits")
    for number in range(3):
        record = build(submitted=False, observed_at=at(5000 + number))
        rows.xcom(BUILD_KEY, record, run_id=f"follows-{number}")
    rows.flush()
    page = listed(admin)
    assert page["total"] == 1
    assert (page["items"][0]["run_id"], page["items"][0]["submitted"]) == ("submits", True)


def test_an_image_that_tasks_only_waited_for_has_its_newest_record(rows: Rows, admin: TestClient) -> None:
    for number in range(3):
        rows.xcom(BUILD_KEY, build(submitted=False, observed_at=at(number)), run_id=f"follows-{number}")
    rows.flush()
    assert [row["run_id"] for row in listed(admin)["items"]] == ["follows-2"]


def test_a_final_record_hides_the_live_one_beside_it(rows: Rows, admin: TestClient) -> None:
    rows.xcom(BUILD_KEY, build())
    rows.xcom(LIVE_BUILD_KEY, build(**LIVE, observed_at=at(99_999)))
    rows.flush()
    assert [row["status"] for row in listed(admin)["items"]] == ["AVAILABLE"]


def test_a_task_that_runs_again_shows_its_current_try(rows: Rows, admin: TestClient) -> None:
    task: dict[str, Any] = {"state": "deferred", "try_number": 2}
    rows.xcom(BUILD_KEY, build(status="FAILED", try_number=1), **task)
    rows.xcom(LIVE_BUILD_KEY, build(**LIVE, try_number=2), **task)
    rows.flush()
    (row,) = listed(admin)["items"]
    assert (row["status"], row["stale"]) == ("TESTING", False)


def test_a_live_record_of_a_task_that_has_ended_is_stale(rows: Rows, admin: TestClient) -> None:
    put(rows, build(**LIVE), key=LIVE_BUILD_KEY, state="failed")
    (row,) = listed(admin)["items"]
    assert (row["stale"], row["ended"]) == (True, False)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"name": "golden"}, ["1.0.0/1"]),
        ({"name": "gold%"}, []),
        ({"status": "FAILED"}, ["1.0.0/2"]),
        ({"text": "WEB_2"}, ["1.0.0/3"]),
        ({"text": "1.0.0/2"}, ["1.0.0/2"]),
        ({"text": "ami-00000002"}, ["1.0.0/2"]),
        ({"text": "AMI-00000002"}, ["1.0.0/2"]),
        ({"text": "%"}, []),
        ({"text": "region"}, []),
        ({"text": "/"}, ["1.0.0/3", "1.0.0/2", "1.0.0/1"]),
        ({"text": "' OR 1=1 --"}, []),
        ({"text": "golden", "status": "AVAILABLE"}, ["1.0.0/1"]),
    ],
)
def test_filters(query: dict[str, str], expected: list[str], rows: Rows, admin: TestClient) -> None:
    put(
        rows,
        build(1, begun=1),
        build(2, "golden-webX2", begun=2, status="FAILED"),
        build(3, "web_2", begun=3),
    )
    assert versions(admin, **query) == expected


@pytest.mark.parametrize(
    ("sort", "ascending"),
    [
        ("created_at", "1 2 3 4"),
        ("name", "2 1 3 4"),
        ("status", "2 1 4 3"),
        ("duration", "3 1 4 2"),
    ],
)
def test_order_is_stable_and_what_has_no_value_is_last(
    sort: str, ascending: str, rows: Rows, admin: TestClient
) -> None:
    put(
        rows,
        build(1, "b", begun=1, duration=20),
        build(2, "a", begun=2, duration=None),
        build(3, "b", begun=3, duration=9.5, status="FAILED"),
        build(4, "c", begun=4, duration=100),
    )
    expected = ascending.split()
    assert [one.split("/")[1] for one in versions(admin, sort=sort, descending=False)] == expected
    parts = [versions(admin, sort=sort, descending=False, limit=1, offset=n)[0] for n in range(4)]
    assert [one.split("/")[1] for one in parts] == expected
    down = [one.split("/")[1] for one in versions(admin, sort=sort)]
    assert down[-1] == ("2" if sort == "duration" else down[-1])
    assert set(down) == set(expected)


def test_a_part_beyond_the_end_still_says_how_many_there_are(rows: Rows, admin: TestClient) -> None:
    put(rows, *(build(number) for number in range(3)))
    page = listed(admin, offset=10)
    assert (page["total"], page["items"]) == (3, [])


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 201}, {"offset": -1}, {"offset": 2**63}, {"sort": "arn"}, {"text": "x" * 513}],
)
def test_a_query_out_of_bounds_is_refused(query: dict[str, Any], admin: TestClient) -> None:
    assert admin.get(f"{API}/images", params=query).status_code == 422


def test_names_have_their_newest_image(rows: Rows, admin: TestClient) -> None:
    put(rows, build(1, begun=1), build(2, begun=2, status="FAILED"), build(3, "web", begun=0))
    rows.xcom(FINDINGS_KEY, findings(build(2)["arn"], high=2), task_id="gate")
    rows.flush()
    page = listed(admin, "names", sort="name", descending=False)
    assert [(row["name"], row["versions"], row["latest"]["status"]) for row in page["items"]] == [
        ("golden", 2, "FAILED"),
        ("web", 1, "AVAILABLE"),
    ]
    assert page["items"][0]["latest"]["scan"]["counts"]["high"] == 2
    assert page["total"] == 2


@pytest.mark.parametrize("text", ["1.0.0/1", "ami-00000001"])
def test_a_name_that_is_found_by_an_old_image_shows_its_newest(
    text: str, rows: Rows, admin: TestClient
) -> None:
    put(rows, build(1, begun=1), build(2, begun=2, status="FAILED"), build(30, "web"))
    page = listed(admin, "names", text=text)
    assert [(row["versions"], row["latest"]["version"]) for row in page["items"]] == [(2, "1.0.0/2")]
    assert page["total"] == 1


def test_the_trend_has_the_newest_images_in_order(rows: Rows, admin: TestClient) -> None:
    put(rows, *(build(number, begun=number) for number in range(5)), build(9, "web"))
    rows.xcom(FINDINGS_KEY, findings(build(4)["arn"], critical=1, high=2, low=3), task_id="gate")
    rows.flush()
    points = admin.get(f"{API}/trend", params={"name": "golden", "limit": 2}).json()
    assert [point["version"] for point in points] == ["1.0.0/3", "1.0.0/4"]
    assert [points[1][name] for name in ("critical", "high", "findings")] == [1, 2, 6]
    assert points[0]["findings"] is None


def test_the_newest_findings_of_an_image_count(rows: Rows, admin: TestClient) -> None:
    put(rows, build())
    rows.xcom(FINDINGS_KEY, findings(build()["arn"], high=1), task_id="gate", age=5)
    rows.xcom(FINDINGS_KEY, findings(build()["arn"], high=2), task_id="another", age=1)
    rows.flush()
    assert listed(admin)["items"][0]["scan"]["counts"]["high"] == 2


@pytest.mark.parametrize("path", ["images", "names", "trend"])
def test_the_number_of_queries_does_not_grow(path: str, rows: Rows, admin: TestClient) -> None:
    numbers = []
    for images in (10, 100):
        fill(rows._session, images, runs=images // 5, names=1)
        listed(admin, path, name="golden-0")  # what a process does once
        with counted_queries() as queries:
            listed(admin, path, name="golden-0", limit=200)
        numbers.append(len(queries))
        emptied(rows._session)
        emptied(rows._session)
    assert numbers[0] == numbers[1] <= 7
