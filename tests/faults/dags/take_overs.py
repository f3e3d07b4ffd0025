"""Bakes whose processes stop, lose their waits or lose the API server, and come back."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator

from airflow_imagebuilder import (
    ImageBuilderCreateImageOperator,
    ImageBuilderStartPipelineOperator,
    ImageBuilderTaskGroup,
    Workflow,
)
from airflow_imagebuilder.compat import older_store
from tests.support.arns import PREFIX

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
BAKE: dict[str, Any] = {
    "image_recipe_arn": f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
    "infrastructure_configuration_arn": f"{PREFIX}:infrastructure-configuration/golden-build",
    "execution_role": "ImageBuilderExecution",
}
QUICK = Workflow(f"{PREFIX}:workflow/build/golden-build/1.0.0/1")
ENDLESS = Workflow(f"{PREFIX}:workflow/build/endless/1.0.0/1")
BOOT = Workflow(f"{PREFIX}:workflow/test/boot/1.0.0/1")
ENDLESS_TEST = Workflow(f"{PREFIX}:workflow/test/endless-test/1.0.0/1")
SINGLES, GROUPS = 3, 2


class Block(BaseOperator):
    """Give the triggerer a trigger that blocks it."""

    def execute(self, context: Any) -> None:
        from tests.faults.blocking import BlockingTrigger

        folder = context["dag_run"].conf["folder"]
        self.defer(trigger=BlockingTrigger(folder), method_name="done")

    def done(self, context: Any, event: Any = None) -> Any:
        return event


class WaitingStore:
    """The task's store, whose first write of a token waits for a file ``on``."""

    def __init__(self, store: Any, folder: Path) -> None:
        self._store, self._folder = store, folder

    def get(self, key: str) -> Any:
        return self._store.get(key)

    def set(self, key: str, value: Any) -> None:
        if not value.get("arn") and not (self._folder / "here").exists():
            (self._folder / "here").touch()
            end = time.monotonic() + 120
            while not (self._folder / "on").exists() and time.monotonic() < end:
                time.sleep(0.1)
        self._store.set(key, value)


class StoreAwayBake(ImageBuilderCreateImageOperator):
    """The operator, which waits before it stores its first token."""

    def execute(self, context: Any) -> Any:
        folder = Path(context["dag_run"].conf["folder"])
        context["task_state_store"] = WaitingStore(
            context.get("task_state_store") or older_store(context), folder
        )
        return super().execute(context)


with DAG("taken_over", schedule=None, start_date=START):
    ImageBuilderCreateImageOperator(task_id="single", workflows=[ENDLESS], **BAKE)
    ImageBuilderTaskGroup("group", build_workflow=ENDLESS, test_groups=[BOOT], **BAKE)
    ImageBuilderStartPipelineOperator(task_id="pipeline", pipeline_arn=f"{PREFIX}:image-pipeline/endless")

with DAG("blocking", schedule=None, start_date=START):
    Block(task_id="block")

with DAG("cut_off", schedule=None, start_date=START):
    ImageBuilderCreateImageOperator(
        task_id="bake",
        deferrable=False,
        retries=2,
        # The worker comes back while its task is up for retry.
        retry_delay=timedelta(seconds=15),
        workflows=[ENDLESS],
        **BAKE,
    )

with DAG("store_away", schedule=None, start_date=START):
    StoreAwayBake(task_id="bake", retries=5, retry_delay=timedelta(seconds=5), **BAKE)

with DAG("late_cancel", schedule=None, start_date=START):
    ImageBuilderCreateImageOperator.partial(
        task_id="single", workflows=[QUICK.to_api(), ENDLESS_TEST.to_api()], **BAKE
    ).expand(tags=[{"number": str(number)} for number in range(SINGLES)])
    for number in range(GROUPS):
        ImageBuilderTaskGroup(f"group_{number}", build_workflow=QUICK, test_groups=[ENDLESS_TEST], **BAKE)
