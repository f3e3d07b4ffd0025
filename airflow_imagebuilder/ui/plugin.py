"""The plugin that Airflow finds by the package's entry point. Every process of Airflow imports it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

PREFIX = "/imagebuilder"
"""The path below Airflow's base URL at which the pages and their API are served."""

RUN_ROUTE, IMAGES_ROUTE = "image-build", "golden-images"
"""The last part of an address in Airflow's UI (3.1 and later): of the tab of a run, and of the page."""


def base_path() -> str:
    """Return the path at which Airflow is served; empty text at the root of its host."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


class _Lazily:
    """A plugin's list that is made when an API server asks for it: workers and Dag processors never do."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._made: list[Any] | None = None

    def __get__(self, instance: object, owner: type) -> list[Any]:
        if self._made is None:
            self._made = self._make()
        return self._made


def _apps() -> list[Any]:
    from airflow_imagebuilder.ui.app import create_app

    return [{"app": create_app(), "url_prefix": PREFIX, "name": "EC2 Image Builder"}]


def _react_apps() -> list[Any]:
    # From 3.1 to 3.2 Airflow imports this address as it is: it has to begin with a slash.
    served = base_path() + PREFIX + "/static/"
    common = {
        "bundle_url": served + "imagebuilder.js",
        "icon": served + "icon.svg",
        "icon_dark_mode": served + "icon-dark.svg",
    }
    # The names are also those under which the bundle publishes its components (frontend/src/main.tsx).
    return [
        {**common, "name": "Golden images", "destination": "nav", "url_route": IMAGES_ROUTE},
        {**common, "name": "Image build", "destination": "dag_run", "url_route": RUN_ROUTE},
        {**common, "name": "Image build", "destination": "task_instance", "url_route": f"{RUN_ROUTE}-task"},
    ]


class ImageBuilderPlugin(AirflowPlugin):
    """The pages of EC2 Image Builder in Airflow's UI."""

    name = "imagebuilder"
    fastapi_apps = _Lazily(_apps)
    react_apps = _Lazily(_react_apps)
