"""Who sees what: anonymous, a user who may read one Dag, an admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.pages import PREFIX
from airflow_imagebuilder.ui.app import create_app
from airflow_imagebuilder.ui.headers import HEADERS
from airflow_imagebuilder.xcom import BUILD_KEY, FINDINGS_KEY
from tests.support.image_records import build, findings
from tests.support.ui_server import ONE_DAG, client, served

if TYPE_CHECKING:
    from starlette.routing import Route

    from tests.support.airflow_rows import Rows

API = f"{PREFIX}/api/v1"
LISTS = [f"{API}/images", f"{API}/names", f"{API}/trend?name=golden"]


def every_path() -> list[str]:
    """Return an address of each route: a new one is found by itself."""
    filled = {"dag_id": "bake", "run_id": "run-1", "name": "icon.svg", "run_id:path": "run-1"}
    paths = [getattr(route, "path", "") for route in all_routes(create_app().routes)]
    made = []
    for path in paths:
        for name, value in filled.items():
            path = path.replace(f"{{{name}}}", value)  # noqa: PLW2901
        made.append(PREFIX + path + ("?name=golden" if path.endswith("trend") else ""))
    return made


def all_routes(routes: object) -> list[Route]:
    found: list[Route] = []
    for route in routes:  # type: ignore[attr-defined]
        inner = getattr(route, "routes", None) or getattr(
            getattr(route, "original_router", None), "routes", None
        )
        found += all_routes(inner) if inner else [route]
    return found


def test_the_routes_are_found() -> None:
    assert {f"{API}/images", f"{PREFIX}/", f"{PREFIX}/static/icon.svg"} <= set(every_path())
    assert len(every_path()) >= 8


@pytest.mark.parametrize("path", every_path())
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_is_served_without_a_login(path: str, method: str, rows: Rows) -> None:
    answer = client(None).request(method, path)
    is_page = path == f"{PREFIX}/" or path.startswith(f"{PREFIX}/runs/")
    assert answer.status_code == (302 if is_page else 401)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize("path", every_path())
def test_a_token_that_airflow_did_not_make_is_refused(path: str, rows: Rows) -> None:
    answer = client(None).get(path, headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code in {302, 401, 403}


@pytest.mark.parametrize("path", every_path())
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(path: str, method: str, rows: Rows) -> None:
    assert client().request(method, path).status_code == 405


@pytest.mark.parametrize("path", every_path())
def test_a_user_gets_an_answer_with_the_headers(path: str, rows: Rows) -> None:
    rows.xcom(BUILD_KEY, build())
    rows.flush()
    answer = client().get(path)
    assert answer.status_code == 200
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    cached = "private, no-cache" if "json" not in answer.headers["content-type"] else "no-store"
    assert answer.headers["cache-control"] == cached


def test_a_page_leads_to_the_login_and_back(rows: Rows) -> None:
    answer = client(None, served("/airflow")).get(f"/airflow{PREFIX}/runs/bake/run%2B1?task_id=image")
    assert answer.headers["location"].startswith(
        "/airflow/api/v2/auth/login?next=%2Fairflow%2Fimagebuilder%2Fruns"
    )


def test_the_cookie_of_the_login_is_a_login(rows: Rows) -> None:
    from tests.support.ui_server import token_of

    browser = client(None)
    browser.cookies.set("_token", token_of("admin"))
    assert browser.get(f"{PREFIX}/").status_code == 200
    assert browser.get(f"{API}/images").status_code == 200


@pytest.fixture
def two_dags(rows: Rows) -> None:
    for number, dag in enumerate(("bake", "secret")):
        record = build(number, recipe="golden/1.0.0")
        rows.xcom(BUILD_KEY, record, dag)
        rows.xcom(FINDINGS_KEY, findings(record["arn"], high=7), dag, task_id="gate")
    rows.xcom(FINDINGS_KEY, findings(build(0)["arn"], high=9), "secret", task_id="other-gate")
    rows.flush()


def test_an_admin_sees_all(two_dags: None) -> None:
    assert client().get(f"{API}/images").json()["total"] == 2
    assert client().get(f"{API}/dags/secret/runs/run-1").status_code == 200


@pytest.mark.parametrize("path", LISTS)
def test_a_list_has_only_the_dags_that_a_user_may_read(path: str, two_dags: None) -> None:
    text = client(ONE_DAG).get(path).text
    assert '"bake"' in text
    assert "secret" not in text


def test_findings_of_a_dag_that_a_user_may_not_read_are_not_counted(two_dags: None) -> None:
    (row,) = client(ONE_DAG).get(f"{API}/images").json()["items"]
    assert row["scan"]["counts"]["high"] == 7


def test_a_run_of_another_dag_is_forbidden_whether_it_exists_or_not(two_dags: None) -> None:
    user = client(ONE_DAG)
    assert user.get(f"{API}/dags/secret/runs/run-1").status_code == 403
    assert user.get(f"{API}/dags/secret/runs/none").status_code == 403
    # A Dag in the query does not replace the one in the path.
    assert user.get(f"{API}/dags/secret/runs/run-1?dag_id=bake").status_code == 403


def test_an_estimate_uses_only_dags_that_a_user_may_read(two_dags: None) -> None:
    path = f"{API}/dags/bake/runs/run-1"
    assert client().get(path).json()["images"][0]["estimate"]["based_on"] == 1
    assert client(ONE_DAG).get(path).json()["images"][0]["estimate"] is None
