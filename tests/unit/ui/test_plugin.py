"""The plugin: what it costs where no page is served, what breaks it, what Airflow makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from airflow import plugins_manager
from airflow.api_fastapi.core_api.datamodels.plugins import PluginResponse

import airflow_imagebuilder
from airflow_imagebuilder.compat import shows_plugin_pages
from airflow_imagebuilder.links import BUILD_LINK
from airflow_imagebuilder.operators.await_image import ImageBuilderAwaitImageOperator
from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.operators.gates.scan_gate import ImageBuilderScanGateOperator
from airflow_imagebuilder.operators.monitor_workflow import ImageBuilderMonitorWorkflowOperator
from airflow_imagebuilder.operators.start_pipeline import ImageBuilderStartPipelineOperator
from airflow_imagebuilder.provider_info import get_provider_info
from airflow_imagebuilder.sensors import ImageBuilderImageSensor
from airflow_imagebuilder.ui import plugin
from airflow_imagebuilder.ui.plugin import ImageBuilderPlugin

PACKAGE = Path(airflow_imagebuilder.__file__).parent
LINKED: list[Any] = [
    ImageBuilderAwaitImageOperator,
    ImageBuilderCreateImageOperator,
    ImageBuilderStartPipelineOperator,
    ImageBuilderMonitorWorkflowOperator,
    ImageBuilderScanGateOperator,
    ImageBuilderImageSensor,
]

COST = """
import json, sys, time
import airflow.plugins_manager
from airflow.configuration import conf
before = set(sys.modules)
began = time.perf_counter()
from airflow_imagebuilder.ui.plugin import ImageBuilderPlugin as P
# What Airflow does with a plugin in every process: it checks it, makes it, loads it.
P.validate()
instance = P()
instance.on_load()
[list(getattr(instance, name)) for name in ("macros", "timetables", "listeners", "operator_extra_links")]
print(json.dumps({"seconds": time.perf_counter() - began, "modules": sorted(set(sys.modules) - before)}))
"""


def test_the_import_of_the_plugin_costs_a_worker_nothing(record_property: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COST], capture_output=True, text=True, check=True, timeout=120
    )
    report = json.loads(done.stdout.splitlines()[-1])
    record_property("seconds", report["seconds"])
    print(f"import of the plugin: {report['seconds'] * 1000:.1f} ms")  # noqa: T201 - a figure, not a limit
    own = {name for name in report["modules"] if name.split(".")[0] == "airflow_imagebuilder"}
    assert own - {"airflow_imagebuilder"} == {
        f"airflow_imagebuilder.{p}" for p in ("pages", "ui", "ui.plugin")
    }
    heavy = ("fastapi", "starlette", "pydantic", "sqlalchemy", "botocore", "boto3", "airflow.models")
    assert [name for name in report["modules"] if name.startswith(heavy)] == []


def test_airflow_finds_the_plugin_by_its_entry_point() -> None:
    found = [e for e in entry_points(group="airflow.plugins") if e.name == "imagebuilder"]
    assert {entry.value for entry in found} == {"airflow_imagebuilder.ui.plugin:ImageBuilderPlugin"}
    assert found[0].load() is ImageBuilderPlugin


def test_the_lists_are_made_once() -> None:
    # Airflow removes an entry from a list whose route another plugin has taken: it must be gone afterwards.
    instance = ImageBuilderPlugin()
    assert instance.fastapi_apps is instance.fastapi_apps is ImageBuilderPlugin.fastapi_apps
    assert instance.react_apps is instance.react_apps
    assert [app["url_prefix"] for app in instance.fastapi_apps] == ["/imagebuilder"]
    assert [app["url_route"] for app in instance.react_apps] == [
        "golden-images",
        "image-build",
        "image-build-task",
    ]


@pytest.fixture
def made_again(monkeypatch: pytest.MonkeyPatch) -> type:
    """The plugin, with lists that have not been made yet."""
    for name, make in (("fastapi_apps", plugin._apps), ("react_apps", plugin._react_apps)):
        monkeypatch.setattr(ImageBuilderPlugin, name, plugin._Lazily(make))
    return ImageBuilderPlugin


def test_pages_that_cannot_be_made_do_not_stop_the_api_server(
    made_again: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ImportError("another version of FastAPI")

    monkeypatch.setattr("airflow_imagebuilder.ui.app.create_app", broken)
    with caplog.at_level("ERROR"):
        assert made_again().fastapi_apps == made_again().fastapi_apps == []
        assert made_again().react_apps == []  # no tab that could not be filled
    assert ["another version of FastAPI" in str(record.exc_info) for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("base", "path"), [("http://h:8080", ""), ("http://h/airflow", "/airflow"), ("http://h/a/b/", "/a/b")]
)
def test_the_bundle_is_below_the_path_of_airflow(
    made_again: Any, monkeypatch: pytest.MonkeyPatch, base: str, path: str
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    apps = made_again().react_apps
    assert {app["bundle_url"] for app in apps} == {f"{path}/imagebuilder/static/imagebuilder.js"}
    assert {app["icon"] for app in apps} == {f"{path}/imagebuilder/static/icon.svg"}
    assert {app["icon_dark_mode"] for app in apps} == {f"{path}/imagebuilder/static/icon-dark.svg"}


# -- beside other plugins ----------------------------------------------------------------------------------


def loaded(monkeypatch: pytest.MonkeyPatch, *others: type) -> list[dict[str, Any]]:
    """Return what Airflow's REST API answers for plugins: ours after those of others."""
    everyone = [other() for other in (*others, ImageBuilderPlugin)]
    for instance in everyone:
        instance.source = "test"
    if hasattr(plugins_manager, "_get_plugins"):  # since 3.2
        for name in ("_get_ui_plugins", "get_fastapi_plugins", "get_flask_plugins"):
            getattr(plugins_manager, name).cache_clear()
        monkeypatch.setattr(plugins_manager, "_get_plugins", lambda: (everyone, {}))
    else:
        monkeypatch.setattr(plugins_manager, "plugins", everyone)
        for name in ("fastapi_apps", "fastapi_root_middlewares", "external_views", "react_apps"):
            monkeypatch.setattr(plugins_manager, name, None, raising=False)
    info = plugins_manager.get_plugin_info()
    if hasattr(plugins_manager, "_get_plugins"):
        for name in ("_get_ui_plugins", "get_fastapi_plugins", "get_flask_plugins"):
            getattr(plugins_manager, name).cache_clear()
    return [PluginResponse.model_validate(each).model_dump() for each in info]


def test_airflows_rest_api_can_answer_with_the_plugin(
    made_again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    [answer] = loaded(monkeypatch)
    assert [(app["name"], app["url_prefix"]) for app in answer["fastapi_apps"]] == [
        ("EC2 Image Builder", "/imagebuilder")
    ]
    if shows_plugin_pages():
        assert [(app["name"], app["destination"]) for app in answer["react_apps"]] == [
            ("Images", "nav"),
            ("Image build", "dag_run"),
            ("Image build", "task_instance"),
        ]


@pytest.mark.skipif(not shows_plugin_pages(), reason="Airflow 3.0 shows no pages of plugins")
def test_another_plugin_with_one_of_the_routes_takes_that_page_alone(
    made_again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = {"name": "Mine", "bundle_url": "/mine.js", "destination": "nav", "url_route": "golden-images"}
    other = type("Other", (plugins_manager.AirflowPlugin,), {"name": "other", "react_apps": [page]})
    answers = {answer["name"]: answer for answer in loaded(monkeypatch, other)}
    assert [app["url_route"] for app in answers["other"]["react_apps"]] == ["golden-images"]
    assert [app["url_route"] for app in answers["imagebuilder"]["react_apps"]] == [
        "image-build",
        "image-build-task",
    ]


# -- links -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operator", LINKED, ids=lambda operator: operator.__name__)
def test_what_waits_for_an_image_links_to_its_page(operator: Any) -> None:
    assert BUILD_LINK in operator.operator_extra_links
    assert len({link.xcom_key for link in operator.operator_extra_links}) == len(
        operator.operator_extra_links
    )


def test_airflow_knows_every_link() -> None:
    names = {name.rsplit(".", 1)[-1] for name in get_provider_info()["extra-links"]}
    used = {type(link).__name__ for operator in LINKED for link in operator.operator_extra_links}
    assert used <= names


# -- what is shipped ---------------------------------------------------------------------------------------


def test_what_the_plugin_refers_to_is_in_the_package(made_again: Any) -> None:
    addresses = {
        app[key] for app in made_again().react_apps for key in ("bundle_url", "icon", "icon_dark_mode")
    }
    missing = [a for a in addresses if not (PACKAGE / "ui" / "static" / a.rsplit("/", 1)[-1]).is_file()]
    assert addresses
    assert missing == []
    assert (PACKAGE / "ui" / "static" / "imagebuilder.css").is_file()
