"""Addresses of the pages: with and without a base path, with ids that need escapes."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from airflow_imagebuilder import links
from airflow_imagebuilder.compat import shows_plugin_pages
from airflow_imagebuilder.links import BUILD_LINK
from airflow_imagebuilder.pages import base_path, images_page, run_page
from tests.support.task import FakeTask

if TYPE_CHECKING:
    from pathlib import Path

RUN = "manual__2026-01-01T00:00:00+00:00"
BASES = [
    ("", ""),
    ("/", ""),
    ("http://airflow.example.com", ""),
    ("http://airflow.example.com/", ""),
    ("https://example.com/airflow", "/airflow"),
    ("https://example.com/data/airflow/", "/data/airflow"),
]


@pytest.fixture(params=BASES, ids=[base or "unset" for base, _ in BASES])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path at which Airflow is served, with each way to write its base URL."""
    base, path = request.param
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    return str(path)


def test_pages_are_below_the_path_of_airflow(path: str) -> None:
    assert base_path() == path
    assert images_page(framed=True) == f"{path}/plugin/golden-images"
    assert images_page(framed=False) == f"{path}/imagebuilder/"
    run = "manual__2026-01-01T00%3A00%3A00%2B00%3A00"
    assert run_page("golden", RUN, framed=True) == f"{path}/dags/golden/runs/{run}/plugin/image-build"
    assert run_page("golden", RUN, framed=False) == f"{path}/imagebuilder/runs/golden/{run}"


@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize(
    "run", [RUN, "a/b", "100%", "50%2F", "a b?c#d", "<script>", "früh", "..", "//x.example"]
)
def test_an_id_cannot_change_the_address(run: str, framed: bool) -> None:
    address = run_page("data.früh", run, framed=framed)
    parsed = urlsplit(address)
    assert (parsed.scheme, parsed.netloc, parsed.query, parsed.fragment) == ("", "", "", "")
    plain = run_page("data.früh", "plain", framed=framed)
    assert address.count("/") == plain.count("/")
    place = plain.split("/").index("plain")
    assert unquote(address.split("/")[place]) == run


def key(**members: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"dag_id": "golden", "run_id": "r", **members})


@pytest.mark.parametrize("framed", [True, False], ids=["since 3.1", "3.0"])
def test_the_link_of_a_task_leads_to_its_run(monkeypatch: pytest.MonkeyPatch, framed: bool) -> None:
    monkeypatch.setattr(links, "shows_plugin_pages", lambda: framed)
    link: Any = BUILD_LINK
    address = link.get_link(SimpleNamespace(), ti_key=key(run_id="a/b"))
    assert address == run_page("golden", "a/b", framed=framed)


def test_the_link_of_a_task_that_records_its_image_leads_to_its_own_tab(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "shows_plugin_pages", lambda: True)
    link: Any = BUILD_LINK

    def address(index: int | None) -> str:
        ti = key(task_id="g.image", map_index=index)
        return str(link.get_link(SimpleNamespace(records_image=True), ti_key=ti))

    assert address(-1) == address(None) == "/dags/golden/runs/r/tasks/g.image/plugin/image-build-task"
    assert address(3) == "/dags/golden/runs/r/tasks/g.image/mapped/3/plugin/image-build-task"
    monkeypatch.setattr(links, "shows_plugin_pages", lambda: False)
    assert address(3) == "/imagebuilder/runs/golden/r"


def test_the_frame_is_asked_for_where_airflow_has_it() -> None:
    from airflow.plugins_manager import AirflowPlugin

    assert shows_plugin_pages() is ("react_apps" in vars(AirflowPlugin))


@pytest.mark.parametrize(
    ("deferrable", "do_xcom_push", "pushed"), [(True, True, 0), (False, True, 1), (False, False, 0)]
)
def test_a_task_that_waits_on_a_worker_shows_its_link_at_once(
    deferrable: bool, do_xcom_push: bool, pushed: int
) -> None:
    task = FakeTask()
    operator = SimpleNamespace(deferrable=deferrable, do_xcom_push=do_xcom_push)
    BUILD_LINK.show(task.context, operator)
    assert len(task.ti.xcoms) == pushed
    if pushed:
        assert task.ti.xcoms["_link_ImageBuildLink"].endswith(("/plugin/image-build", "/runs/d/r"))


def test_trouble_with_a_link_does_not_fail_a_task() -> None:
    def broken() -> None:
        raise OSError("no answer")

    task = FakeTask()
    task.ti.at_push = broken
    BUILD_LINK.show(task.context, SimpleNamespace(deferrable=False, do_xcom_push=True))


def test_another_process_names_the_server_instead_of_its_own_path() -> None:
    assert (
        run_page("golden", "r", framed=True, base="http://x")
        == "http://x/dags/golden/runs/r/plugin/image-build"
    )
    assert run_page("golden", "r", framed=False, base="") == "/imagebuilder/runs/golden/r"
    assert images_page(framed=False, base="http://x") == "http://x/imagebuilder/"


def test_who_only_wants_an_address_makes_no_airflow_home(tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    code = "from airflow_imagebuilder.pages import run_page; print(run_page('d', 'r', framed=True, base=''))"
    environment = {**os.environ, "AIRFLOW_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "/dags/d/runs/r/plugin/image-build"
    assert not home.exists()
