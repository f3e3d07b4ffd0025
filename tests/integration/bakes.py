"""What the tests of the Dags share: resources that fail on demand, and a run seen from every side."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.stack.airflow_client import TERMINAL, AirflowApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_imagebuilder.local.stack.airflow_client import AirflowApi
    from airflow_imagebuilder.local.stack.image_builder import LocalService

ACTIVE = frozenset({"queued", "running", "deferred"})

_STEPS = {
    "BUILD": ("LaunchInstance", "ExecuteComponents", "CreateImage", "TerminateInstance"),
    "TEST": ("LaunchInstance", "ExecuteComponents", "TerminateInstance"),
    "HELD": ("LaunchInstance", "WaitForAction", "TerminateInstance"),
}
_ON_INSTANCE = ", inputs: {instanceId.$: $.stepOutputs.LaunchInstance.instanceId}"
_INPUTS = {
    "LaunchInstance": ", inputs: {waitFor: ssmAgent}",
    "ExecuteComponents": _ON_INSTANCE,
    "CreateImage": _ON_INSTANCE,
    "TerminateInstance": _ON_INSTANCE,
    "WaitForAction": "",
}


def until(condition: Callable[[], Any], seconds: float = 90, pause: float = 0.5) -> Any:
    """
    Ask until the answer is true, and return it.

    What Airflow does not know yet counts as no answer.
    """
    deadline = time.monotonic() + seconds
    while True:
        with suppress(AirflowApiError):
            if answer := condition():
                return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {condition!r}")
        time.sleep(pause)


@dataclass(frozen=True)
class Run:
    """A run that a test has started."""

    api: AirflowApi
    dag_id: str
    run_id: str

    @classmethod
    def start(cls, api: AirflowApi, dag_id: str, conf: Mapping[str, Any] | None = None) -> Run:
        api.wait_for_dag(dag_id)
        api.unpause(dag_id)
        return cls(api, dag_id, api.trigger(dag_id, conf))

    @property
    def state(self) -> str:
        return str(self.api.run(self.dag_id, self.run_id)["state"])

    def wait(self, seconds: float = 150) -> str:
        """Wait until the run has ended; one request per second, because many runs share the machine."""
        until(lambda: self.state in TERMINAL, seconds, pause=1)
        return self.state

    def states(self) -> dict[str, str | None]:
        return self.api.states(self.dag_id, self.run_id)

    def in_state(self, task_id: str, *states: str) -> bool:
        return self.states().get(task_id) in states

    def task(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        return self.api.task(self.dag_id, self.run_id, task_id, map_index)

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        return self.api.xcom(self.dag_id, self.run_id, task_id, key, map_index)

    def log(self, task_id: str, map_index: int = -1, try_number: int | None = None) -> str:
        """Return the log of one try, or of all of them."""
        last = int(self.task(task_id, map_index)["try_number"])
        tries = [try_number] if try_number else range(1, last + 1)
        return "\n".join(self._log(task_id, number, map_index) for number in tries)

    def _log(self, task_id: str, number: int, map_index: int) -> str:
        """Return the log of one try; a try that the scheduler ended before it ran on a worker has none."""
        try:
            return self.api.task_log(self.dag_id, self.run_id, task_id, number, map_index)
        except AirflowApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return ""

    def reasons(self, task_id: str) -> list[str]:
        """Return the reasons that the log of a task's first try gives beside its messages."""
        path = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{task_id}/logs/1"
        lines = self.api.call("GET", path, params={"full_content": True})["content"]
        return [line["reason"] for line in lines if "reason" in line]

    def links(self, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        path = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{task_id}/links"
        found = self.api.call("GET", path, params={"map_index": map_index})
        links: dict[str, str | None] = found["extra_links"]
        return links

    def names(self, task_id: str) -> list[str]:
        """Return what the grid calls the map indexes of a task."""
        tasks = [t for t in self.api.tasks(self.dag_id, self.run_id) if t["task_id"] == task_id]
        return [t["rendered_map_index"] for t in sorted(tasks, key=lambda t: t["map_index"])]


def add_workflow(service: LocalService, kind: str, name: str, seconds: float, speed: float) -> None:
    """Create a workflow that takes so many real seconds; a HELD one is a test that waits for ``let_go``."""
    steps = "".join(f"\n  - {{name: {action}, action: {action}{_INPUTS[action]}}}" for action in _STEPS[kind])
    service.client("imagebuilder").create_workflow(
        name=name,
        type="TEST" if kind == "HELD" else kind,
        semanticVersion="1.0.0",
        data=f"name: {name}\nschemaVersion: 1.0\nsteps:{steps}\n",
    )
    service.control(workflows={name: seconds * speed})


def add_recipes(service: LocalService, names: Iterable[str], account: str = "123456789012") -> None:
    """
    Create copies of golden-al2023: a recipe's name identifies its images, and makes them fail.

    :param account: that of the service.
    """
    client = service.client("imagebuilder")
    arn = f"arn:aws:imagebuilder:us-east-1:{account}:image-recipe/golden-al2023/1.0.0"
    golden = client.get_image_recipe(imageRecipeArn=arn)["imageRecipe"]
    kept = {key: golden[key] for key in ("parentImage", "components")}
    for name in names:
        client.create_image_recipe(name=name, semanticVersion="1.0.0", **kept)


def images(service: LocalService, name: str) -> list[dict[str, Any]]:
    """Return the local service's own records of the images of a recipe."""
    return [image for image in service.records()["images"] if image["name"] == name]


def the_image(service: LocalService, name: str) -> dict[str, Any]:
    """Return the local service's own record of the one image of a recipe."""
    (image,) = images(service, name)
    return image


def held(service: LocalService, name: str) -> dict[str, Any] | None:
    """Return the waiting step of the image of a recipe, once its HELD test has come to it."""
    steps = service.client("imagebuilder").list_waiting_workflow_steps()["steps"]
    return next((step for step in steps if f":image/{name}/" in step["imageBuildVersionArn"]), None)


def let_go(service: LocalService, name: str) -> None:
    """Resume the HELD test of the image of a recipe."""
    step = held(service, name)
    if step is None:
        raise AssertionError(f"no step of {name} waits")
    wanted = {key: step[key] for key in ("stepExecutionId", "imageBuildVersionArn")}
    # A repaired image comes to the step again, with another id.
    token = f"{name}-{step['stepExecutionId'][-8:]}"
    service.client("imagebuilder").send_workflow_step_action(action="RESUME", clientToken=token, **wanted)


def changes(service: LocalService, arn: str) -> list[str]:
    """Return the operations that changed an image, in their order."""
    return [change["operation"] for change in service.records()["changes"] if change["arn"] == arn]


def most_at_once(spans: Iterable[tuple[str, str]]) -> int:
    """Return how many of these spans of time (ISO 8601, in one zone) overlap at most."""
    edges = [edge for start, end in spans for edge in ((start, 1), (end, -1))]
    most = now = 0
    for _, step in sorted(edges):
        now += step
        most = max(most, now)
    return most
