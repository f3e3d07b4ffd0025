"""The pages without Airflow's frame, and their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.pages import PREFIX
from tests.support.ui_server import client, served

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from tests.support.airflow_rows import Rows

STATIC = f"{PREFIX}/static"


@pytest.mark.parametrize(
    "name",
    [
        "../app.py",
        "..%2Fapp.py",
        "%2e%2e/app.py",
        "..%5capp.py",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "...",
        "x.js",
        "imagebuilder.js%00",
    ],
)
def test_a_file_outside_is_not_found(admin: TestClient, name: str) -> None:
    answer = admin.get(f"{STATIC}/{name}")
    assert answer.status_code in {404, 405}
    assert "create_app" not in answer.text


def test_a_file_that_is_known_is_not_sent_again(admin: TestClient) -> None:
    first = admin.get(f"{STATIC}/imagebuilder.js")
    assert first.headers["content-type"].startswith("text/javascript")
    again = admin.get(f"{STATIC}/imagebuilder.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert admin.get(f"{STATIC}/imagebuilder.js", headers={"If-None-Match": '"other"'}).status_code == 200


def test_names_in_an_address_are_text(admin: TestClient) -> None:
    page = admin.get(f"{PREFIX}/runs/a%22%3E%3Cscript%3E/b%27%26/c", params={"task_id": '"><img src=x>'}).text
    assert "<script>" not in page
    assert "<img" not in page
    assert 'data-dag-id="a&quot;&gt;&lt;script&gt;"' in page
    assert 'data-run-id="b&#x27;&amp;/c"' in page


def test_a_page_below_a_path_loads_its_files_from_there(rows: Rows) -> None:
    page = client(app=served("/airflow")).get(f"/airflow{PREFIX}/").text
    assert 'src="/airflow/imagebuilder/static/imagebuilder.js"' in page


def test_head_has_no_body(admin: TestClient) -> None:
    answer = admin.head(f"{PREFIX}/")
    assert (answer.status_code, answer.content) == (200, b"")
