"""A second watcher of the queue of docs/how-to/dags/assets.py: another image, the same reader."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_imagebuilder import ImageBuilderImageEventTrigger
from airflow_imagebuilder.assets import image_in

NAME = "golden-windows-2022"
TRIGGER = ImageBuilderImageEventTrigger(
    queue_url=os.environ["GOLDEN_IMAGES_QUEUE_URL"], image_name="golden-windows-*"
)
WINDOWS = Asset(NAME, uri=f"imagebuilder://{NAME}", watchers=[AssetWatcher(name=NAME, trigger=TRIGGER)])

with DAG("second_watcher", schedule=[WINDOWS], catchup=False):

    @task
    def read(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """Return the images of the events."""
        return [image_in(event) for events in triggering_asset_events.values() for event in events]

    read()
