"""The scenes: runs that end in every way a run can end, and two that are held in the middle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.browser.accounts import SLOW_ACCOUNT, arn
from tests.integration.bakes import Run, add_recipes, add_workflow, held, let_go, the_image, until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.local.stack.airflow import AirflowStack
    from airflow_imagebuilder.local.stack.airflow_client import AirflowApi
    from airflow_imagebuilder.local.stack.image_builder import LocalService

SPEED, SLOW_SPEED = 600, 60
"""Virtual seconds per second; the second service, that of the running scene, stops nearly once it is held."""

ENDED = {
    "passed": "success",
    "failed_test": "failed",
    "failed_build": "failed",
    "repaired": "success",
    "cancelled": "failed",
    "ten": "success",
    "container": "success",
    "alone": "success",
    "mapped": "success",
    "no_image": "success",
    "sensor": "success",
}
"""Scenes that end, with the state in which Airflow ends the run."""

RUNNING, LIVE = HELD = "running", "live"
"""Scenes that are held in the middle of their tests: one stays so, one is let go by a test."""
MAPPED = ("mapped-one", "mapped-two", "mapped-three")
MARKUP = "<img src=x onerror=alert(1)>"
WEAK = "weak password rules: PASS_MAX_DAYS is 99999"
FAILURES: list[dict[str, Any]] = [
    {"workflow": "cis-level-1", "image": "failed-test", "message": WEAK},
    {
        "component": "golden-base",
        "phase": "build",
        "image": "failed-build",
        "message": f"No space left on device {MARKUP}",
    },
    {"workflow": "network", "image": "repaired", "times": 1, "per": "image", "message": "no route to host"},
]
_RECIPES = (
    "failed-test",
    "failed-build",
    "repaired",
    "cancelled",
    "ten",
    "alone",
    "sensed",
    *MAPPED,
)


@dataclass
class Scenes:
    """The servers, and the run of each scene."""

    airflow: AirflowStack
    service: LocalService
    slow: LocalService
    runs: dict[str, Run]

    @property
    def api(self) -> AirflowApi:
        return self.airflow.api

    def image(self, name: str) -> dict[str, Any]:
        """Return the local service's own record of an image, by the name of its recipe."""
        recipe = "golden-al2023" if name in {RUNNING, "passed"} else name.replace("_", "-")
        return the_image(self._service(name), recipe)

    def aws_image(self, name: str) -> dict[str, Any]:
        """Return an image as GetImage answers it."""
        client = self._service(name).client("imagebuilder")
        asked = client.get_image(imageBuildVersionArn=self.image(name)["arn"])
        image: dict[str, Any] = asked["image"]
        return image

    def _service(self, name: str) -> LocalService:
        return self.slow if name in HELD else self.service


def prepare(service: LocalService, slow: LocalService) -> None:
    """Give the services the recipes, workflows and failures of the scenes."""
    add_recipes(service, _RECIPES)
    add_workflow(service, "HELD", "soak", 1, SPEED)
    add_workflow(service, "TEST", "secrets", 0.5, SPEED)
    add_workflow(slow, "HELD", "soak", 1, SLOW_SPEED)
    add_recipes(slow, ["live"], account=SLOW_ACCOUNT)
    service.control(failures=FAILURES, findings={"high": 2, "medium": 5})


def start(airflow: AirflowStack, service: LocalService, slow: LocalService) -> Scenes:
    """Start a run of each scene."""
    service.client("imagebuilder").create_image(
        imageRecipeArn=arn("image-recipe/sensed/1.0.0"),
        infrastructureConfigurationArn=arn("infrastructure-configuration/golden-build"),
        clientToken="a-colleague",
    )
    # The long ones first: the others end while these wait.
    order = sorted([*HELD, *ENDED], key=lambda name: name not in {*HELD, "cancelled", "repaired", "ten"})
    runs = {name: Run.start(airflow.api, f"scene_{name}") for name in order}
    return Scenes(airflow, service, slow, runs)


PATIENCE = 240
"""Seconds for which a scene may take: a busy machine starts a worker in seconds, and there are many."""


def play(scenes: Scenes) -> None:
    """Hold the running scene, kill the one to be cancelled, and wait until the others have ended."""
    with ThreadPoolExecutor() as pool:
        for job in [pool.submit(_hold, scenes), pool.submit(_kill, scenes)]:
            job.result()
    for name, expected in ENDED.items():
        state = scenes.runs[name].wait(PATIENCE)
        if state != expected:
            states = scenes.runs[name].states()
            raise AssertionError(f"scene {name} ended {state}, not {expected}: {states}")


def _hold(scenes: Scenes) -> None:
    until(lambda: held(scenes.slow, "golden-al2023") and held(scenes.slow, LIVE), PATIENCE)
    until(lambda: _tests(scenes).get("boot") == "COMPLETED", PATIENCE)
    scenes.slow.control(speed=1)
    until(lambda: _deferred(scenes.runs[RUNNING], ("bake.image", "bake.functional.test[1]")), PATIENCE)
    until(lambda: _deferred(scenes.runs[LIVE], ("bake.image", "bake.functional.test[0]")), PATIENCE)


def _tests(scenes: Scenes) -> dict[str, str]:
    return {execution["workflow"]: execution["status"] for execution in scenes.image(RUNNING)["executions"]}


def _kill(scenes: Scenes) -> None:
    run = scenes.runs["cancelled"]
    until(lambda: held(scenes.service, "cancelled"), PATIENCE)
    until(lambda: _deferred(run, ("bake.image", "bake.functional.test[1]")), PATIENCE)
    scenes.api.set_task_state(run.dag_id, run.run_id, "bake.image", "failed")
    until(lambda: scenes.image("cancelled")["status"] == "CANCELLED")


def _deferred(run: Run, tasks: tuple[str, ...]) -> bool:
    states: Mapping[str, str | None] = run.states()
    return all(states.get(task) == "deferred" for task in tasks)


def let_live_go(scenes: Scenes) -> None:
    """Let the live scene run to its end."""
    let_go(scenes.slow, LIVE)
    scenes.slow.control(speed=SPEED)
