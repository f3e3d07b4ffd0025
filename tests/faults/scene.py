"""A real Airflow with a local Image Builder as its AWS, and what the fault tests ask of the two."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest

from airflow_imagebuilder.aws_model import has_retry_image
from airflow_imagebuilder.compat import stores_in_variables
from airflow_imagebuilder.local.stack.airflow_client import AirflowApi, AirflowApiError
from airflow_imagebuilder.variable_store import VariableStore
from airflow_imagebuilder.xcom import ARN_KEY
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_imagebuilder.local.stack.airflow import AirflowStack
    from airflow_imagebuilder.local.stack.image_builder import LocalService

T = TypeVar("T")

SPEED = 120
"""Virtual seconds per second of the local service."""
ENDLESS = """
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - name: Make
    action: CreateImage
    timeoutSeconds: 259200
    inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}"""
"""The steps of a workflow that takes half an hour of real time; only CreateImage may take so long."""
SECONDS_OF_ENDLESS = 2000 * SPEED
KILL_POINTS = {
    "before_token": "before the client token is stored",
    "after_token": "after it, before CreateImage",
    "after_create": "after CreateImage, before the ARN is stored",
    "after_arn": "after the ARN is stored",
    "before_wait": "before the wait begins",
}
"""Where a worker is killed in the submit (``dags/kill_points.py``)."""
IN_PROGRESS = frozenset({"PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING"})
needs_retry_image = pytest.mark.skipif(not has_retry_image(), reason="this boto3 is older than RetryImage")


def add_pipeline(service: LocalService, name: str, *workflows: str) -> None:
    """
    Create a pipeline.

    :param workflows: its workflows as type and name, such as ``build/golden-build``; none: AWS's own.
    """
    role: dict[str, Any] = {"executionRole": "ImageBuilderExecution"} if workflows else {}
    service.client("imagebuilder").create_image_pipeline(
        name=name,
        imageRecipeArn=f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
        infrastructureConfigurationArn=f"{PREFIX}:infrastructure-configuration/golden-build",
        workflows=[{"workflowArn": f"{PREFIX}:workflow/{name}/1.0.0/1"} for name in workflows],
        **role,
    )


def until(condition: Callable[[], T | None], seconds: float, what: Callable[[], object]) -> T:
    """
    Call ``condition`` until it returns something true, and return that.

    :param condition: what is waited for.
    :param seconds: how long to wait.
    :param what: returns the present state, for the message of the error.
    :raises AssertionError: the time is up.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not reached within {seconds:.0f} s; now: {what()}")
        time.sleep(0.25)
    return found


@dataclass(frozen=True)
class Task:
    """One task instance of a run."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


@dataclass(frozen=True)
class Scene:
    """The two servers."""

    airflow: AirflowStack
    service: LocalService

    @cached_property
    def api(self) -> AirflowApi:
        """Airflow's REST API, with patience: SQLite on a busy machine can keep it waiting."""
        return AirflowApi(self.airflow.url, self.airflow.username, self.airflow.password, patience=240)

    def start(self, dag_id: str, runs: int = 1) -> list[str]:
        """Start runs of a Dag and return their ids."""
        self.api.wait_for_dag(dag_id)
        return [self.api.trigger(dag_id) for _ in range(runs)]

    def arn(self, task: Task, *, seconds: float = 180, but: str | None = None) -> str:
        """
        Wait until a task has published its image, and return the ARN.

        :param but: the ARN of an earlier try, which does not count.
        """

        def known() -> str | None:
            try:
                found: str = self.api.xcom(task.dag_id, task.run_id, task.task_id, ARN_KEY, task.map_index)
            except AirflowApiError as error:
                if error.status != httpx.codes.NOT_FOUND:
                    raise
                return None
            return None if found == but else found

        return until(known, seconds, lambda: self.api.states(task.dag_id, task.run_id))

    def kept(self, task: dict[str, Any], key: str) -> Any:
        """Return a value that a task has stored, ``None`` if it has no such key."""
        path = f"dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        try:
            if not stores_in_variables():
                return self.api.call("GET", f"{path}/state-store/{key}")["value"]
            ti = SimpleNamespace(**{**task, "run_id": task["dag_run_id"]})
            return json.loads(self.api.call("GET", f"variables/{VariableStore(ti).variable(key)}")["value"])[
                "value"
            ]
        except AirflowApiError as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise
            return None

    def state(self, task: Task) -> str | None:
        """Return a task's state."""
        state: str | None = self.api.task(task.dag_id, task.run_id, task.task_id, task.map_index)["state"]
        return state

    def await_state(self, task: Task, *states: str, seconds: float = 180) -> None:
        """Wait until a task is in one of the states."""
        until(lambda: self.state(task) in states, seconds, lambda: self.api.states(task.dag_id, task.run_id))

    def statuses(self, arns: Iterable[str]) -> Counter[str]:
        """Count images by their status on AWS."""
        wanted = set(arns)
        return Counter(i["status"] for i in self.service.records()["images"] if i["arn"] in wanted)

    def calls(self, operation: str, arn: str | None = None) -> list[dict[str, Any]]:
        """Return the recorded calls of an operation that changes something."""
        changes = self.service.records()["changes"]
        return [c for c in changes if c["operation"] == operation and arn in (None, c["arn"])]

    def pipelines(self) -> Counter[str]:
        """Count the images that were ever built by the name of their pipeline."""
        client = self.service.client("imagebuilder")
        arns = [image["arn"] for image in self.service.records()["images"]]
        images = [client.get_image(imageBuildVersionArn=arn)["image"] for arn in arns]
        return Counter(i["sourcePipelineArn"].split("/")[1] for i in images if "sourcePipelineArn" in i)

    def tags(self) -> list[dict[str, str]]:
        """Return the tags of every image that was ever built, one mapping per image."""
        client = self.service.client("imagebuilder")
        arns = [image["arn"] for image in self.service.records()["images"]]
        return [client.get_image(imageBuildVersionArn=arn)["image"].get("tags", {}) for arn in arns]
