"""
Bakes whose worker is killed with SIGKILL at a named point of the submit, once.

The operators are the product's own. Only what it calls (the task's store, the hook, its own GetImage
before the wait) is wrapped, so that the process dies exactly before or after the call, and no handler runs.

Airflow 3.0 fails a task at once whose process dies alone, with retries left. There the supervisor dies too,
and Airflow retries the task because it receives no heartbeat.
"""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import attrs
from airflow.sdk import DAG
from airflow.sdk.execution_time.supervisor import ActivitySubprocess

from airflow_imagebuilder import ImageBuilderCreateImageOperator, ImageBuilderStartPipelineOperator
from airflow_imagebuilder.compat import older_store
from airflow_imagebuilder.operators.waiting.submitting import ImageBuilderSubmittingOperator
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

POINTS = ("before_token", "after_token", "after_create", "after_arn", "before_wait")
MODES = {"deferred": True, "on_worker": False}


DIED = "died_at"
"""Key of the task's store under which a task keeps where it was killed."""

DIES_ALONE = "_should_retry" in attrs.fields_dict(ActivitySubprocess)
"""Whether Airflow retries a task whose process died alone."""


class Reaper:
    """Kills this process when it comes to its point, once per task."""

    def __init__(self, die_at: str, store: Any) -> None:
        self._store = store
        self._die_at = None if store.get(DIED) else die_at

    def at(self, point: str) -> None:
        """Die here, if this is the point."""
        if point == self._die_at:
            self._store.set(DIED, point)
            if not DIES_ALONE:
                os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


class MortalStore:
    """The task's store, with a place to die before and after each kind of write."""

    def __init__(self, store: Any, reaper: Reaper) -> None:
        self._store, self._reaper = store, reaper

    def get(self, key: str) -> Any:
        return self._store.get(key)

    def set(self, key: str, value: Mapping[str, Any]) -> None:
        kind = "arn" if value["arn"] else "token"
        self._reaper.at(f"before_{kind}")
        self._store.set(key, value)
        self._reaper.at(f"after_{kind}")


class MortalBake(ImageBuilderSubmittingOperator):
    """An operator that submits, in a worker that is killed at a point."""

    submits: str
    """The method of the hook that submits."""

    def __init__(self, *, die_at: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.die_at = die_at

    def execute(self, context: Any) -> Any:
        store = context.get("task_state_store") or older_store(context)
        self._reaper = Reaper(self.die_at, store)
        context["task_state_store"] = MortalStore(store, self._reaper)
        hook: Any = self.hook
        submit = getattr(hook, self.submits)

        def mortal_submit(*args: Any) -> str:
            arn: str = submit(*args)
            self._reaper.at("after_create")
            return arn

        setattr(hook, self.submits, mortal_submit)
        return super().execute(context)

    def _image_or_none(self, arn: str) -> Any:
        # The last step before the wait. There may be no wait: GetImage may show that the image has finished.
        self._reaper.at("before_wait")
        return super()._image_or_none(arn)


class MortalCreateImage(MortalBake, ImageBuilderCreateImageOperator):
    """CreateImage, in a worker that is killed at a point."""

    submits = "create_image"


class MortalStartPipeline(MortalBake, ImageBuilderStartPipelineOperator):
    """StartImagePipelineExecution, in a worker that is killed at a point."""

    submits = "start_pipeline"


# One for the kill; a busy machine's scheduler may miss heartbeats besides.
RETRIES: dict[str, Any] = {"retries": 5, "retry_delay": timedelta(seconds=1)}

with DAG(
    dag_id="kill_points",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    # A dozen processes at once: more starve the scheduler of two cores, and it takes itself for dead.
    max_active_runs=4,
    max_active_tasks=3,
):
    for mode, deferrable in MODES.items():
        for point in POINTS:
            MortalCreateImage(
                task_id=f"{point}__{mode}",
                die_at=point,
                deferrable=deferrable,
                image_recipe_arn=f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
                infrastructure_configuration_arn=f"{PREFIX}:infrastructure-configuration/golden-build",
                tags={"point": point, "mode": mode, "run": "{{ run_id }}"},
                **RETRIES,
            )

with DAG(
    dag_id="kill_points_of_pipelines",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    max_active_runs=2,
    max_active_tasks=2,
):
    for mode, deferrable in MODES.items():
        for point in POINTS:
            MortalStartPipeline(
                task_id=f"{point}__{mode}",
                die_at=point,
                deferrable=deferrable,
                # A pipeline for each, to know its images by: an older boto3 takes no tags here.
                pipeline_arn=f"{PREFIX}:image-pipeline/{point}__{mode}",
                **RETRIES,
            )
