"""
Roll out each golden image, by whatever way it was built.

The Dag is scheduled on the image as an asset. A watcher turns images that were built outside of Airflow (by a
pipeline's schedule, in the console, by another account's automation) into events of the asset.

Before the first run, make the queue, its dead-letter queue and the rule of this page.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_imagebuilder import ImageBuilderImageEventTrigger
from airflow_imagebuilder.assets import image_in

QUEUE_URL = os.environ.get(
    "GOLDEN_IMAGES_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/golden-images"
)
NAME = "golden-ubuntu-2404"

GOLDEN = Asset(
    NAME,
    uri=f"imagebuilder://{NAME}",
    watchers=[
        AssetWatcher(
            name=f"{NAME}-built-outside",
            trigger=ImageBuilderImageEventTrigger(
                queue_url=QUEUE_URL,
                image_name=NAME,
                # Images that a task of Airflow builds have an event of that task already.
                skip_tags={"baked-by": "airflow"},
            ),
        )
    ],
)

with DAG("golden_image_roll_out", schedule=[GOLDEN], catchup=False, doc_md=__doc__, tags=["imagebuilder"]):

    @task
    def roll_out(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """Return the images to roll out. An event may come twice, so what follows must not mind."""
        events = [event for events in triggering_asset_events.values() for event in events]
        images = {image["image_arn"]: image for image in map(image_in, events) if image}
        for image in images.values():
            print(f"{image['name']} {image['version']}: {image['amis']}")  # noqa: T201 (the task's log)
        return list(images.values())

    roll_out()
