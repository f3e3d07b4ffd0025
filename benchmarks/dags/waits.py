"""A task that consists of its trigger alone, started without a worker; one run per image."""

from __future__ import annotations

import os

from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import StartTriggerArgs


class Deferred(BaseOperator):
    """Waits for the image that the run names."""

    template_fields = ("image_build_version_arn",)
    start_from_trigger = True

    def __init__(self, *, trigger: str, interval: float, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.image_build_version_arn = "{{ params.arn }}"
        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=trigger,
            trigger_kwargs={
                "image_build_version_arn": self.image_build_version_arn,
                "poll_interval": interval,
            },
            next_method="ended",
            next_kwargs=None,
            timeout=None,
        )


with DAG("waits", schedule=None, catchup=False, max_active_runs=100_000, params={"arn": "none"}):
    Deferred(
        task_id="wait", trigger=os.environ["BENCH_TRIGGER"], interval=float(os.environ["BENCH_INTERVAL"])
    )
