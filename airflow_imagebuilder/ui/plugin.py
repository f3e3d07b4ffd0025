"""The plugin that Airflow finds by the package's entry point. Every process of Airflow imports it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from airflow_imagebuilder.pages import IMAGES_ROUTE, PREFIX, RUN_ROUTE, TASK_ROUTE, base_path

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


class _Lazily:
    """
    A plugin's list that is made when an API server asks for it: workers and Dag processors never do.

    Where it cannot be made it is empty, and the log has the reason: Airflow's API server would not start with
    a plugin that raises here.
    """

    def __init__(self, make: Callable[[], list[Any]]) -> None:
        self._make = make
        self._made: list[Any] | None = None

    def __get__(self, instance: object, owner: type) -> list[Any]:
        if self._made is None:
            try:
                self._made = self._make()
            except Exception:
                log.exception("The pages of EC2 Image Builder are not served")
                self._made = []
        return self._made


def _apps() -> list[Any]:
    from airflow_imagebuilder.ui.app import create_app

    return [{"app": create_app(), "url_prefix": PREFIX, "name": "EC2 Image Builder"}]


def _react_apps() -> list[Any]:
    if not ImageBuilderPlugin.fastapi_apps:
        return []  # they would have no bundle
    # From 3.1 to 3.2 Airflow imports this address as it is: it has to begin with a slash.
    served = base_path() + PREFIX + "/static/"
    common = {
        "bundle_url": served + "imagebuilder.js",
        "icon": served + "icon.svg",
        "icon_dark_mode": served + "icon-dark.svg",
    }
    # The names are also those under which the bundle publishes its components (frontend/src/main.tsx).
    # Airflow's navigation cuts a long one.
    return [
        {**common, "name": "Images", "destination": "nav", "url_route": IMAGES_ROUTE},
        {**common, "name": "Image build", "destination": "dag_run", "url_route": RUN_ROUTE},
        {**common, "name": "Image build", "destination": "task_instance", "url_route": TASK_ROUTE},
    ]


class ImageBuilderPlugin(AirflowPlugin):
    """The pages of EC2 Image Builder in Airflow's UI. Airflow 3.0 ignores ``react_apps``."""

    name = "imagebuilder"
    fastapi_apps = _Lazily(_apps)
    react_apps = _Lazily(_react_apps)
