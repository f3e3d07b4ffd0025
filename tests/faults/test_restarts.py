"""Servers that die under thirty deferred bakes: no image is lost, doubled or cancelled."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.scene import IN_PROGRESS, SPEED, Scene, until

if TYPE_CHECKING:
    from tests.faults.report import Report

DAG = "fleet"
SIZES = {"deferred": 30, "on_worker": 4}
HEADING = "server SIGKILLed and restarted: 30 bakes deferred, 4 waiting on workers"


class Fleet:
    """The run whose bakes wait while servers die."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.run_id = scene.start(DAG)[0]
        self.cancels = 0

    def rows(self, mode: str) -> list[dict[str, Any]]:
        return [task for task in self.scene.api.tasks(DAG, self.run_id) if task["task_id"] == mode]

    def states(self) -> Counter[str]:
        return Counter(f"{t['task_id']} {t['state']}" for t in self.scene.api.tasks(DAG, self.run_id))

    def images(self) -> dict[str, int]:
        return Counter(tags["fleet"] for tags in self.scene.tags() if "fleet" in tags)

    def await_waiting(self) -> None:
        """Wait until every bake has its image and waits for it."""
        waiting = {"deferred deferred": 30, "on_worker running": 4}
        until(lambda: self.states() == waiting, 300, self.states)
        until(lambda: self.images() == SIZES, 120, self.images)

    def triggerers(self) -> set[int | None]:
        """Return the ids of the triggerer jobs that watch, ``None`` for a trigger that has none."""
        return {(row["triggerer_job"] or {}).get("id") for row in self.rows("deferred")}

    def summary(self) -> str:
        cancels = len(self.scene.calls("CancelImageCreation"))
        progress = sum(1 for _ in self.in_progress())
        return f"{progress} of 34 builds in progress, {cancels - self.cancels} cancelled"

    def in_progress(self) -> list[str]:
        client = self.scene.service.client("imagebuilder")
        images = [i for i in self.scene.service.records()["images"] if i["status"] in IN_PROGRESS]
        arns = [image["arn"] for image in images]
        tagged = [client.get_image(imageBuildVersionArn=arn)["image"] for arn in arns]
        return [image["arn"] for image in tagged if "fleet" in image.get("tags", {})]


@pytest.mark.matrix
def test_servers_that_are_killed_and_restarted_lose_double_and_cancel_nothing(
    scene: Scene, report: Report
) -> None:
    fleet = Fleet(scene)
    fleet.await_waiting()
    fleet.cancels = len(scene.calls("CancelImageCreation"))
    outcomes = {"triggerer": _kill_triggerer(fleet), "scheduler, with its workers": _kill_scheduler(fleet)}
    outcomes["local Image Builder"] = _kill_service(fleet)
    scene.service.control(advance=3600 * SPEED)
    ended = scene.api.wait_for_run(DAG, fleet.run_id, 600)["state"]
    for server, outcome in outcomes.items():
        report.add(HEADING, server, outcome)
    images = fleet.images()
    report.add(
        HEADING,
        "all three, then the builds end",
        f"run in {ended}: {dict(fleet.states())}; {sum(images.values())} images for 34 wanted",
    )
    for server, outcome in outcomes.items():
        report.figures[f"{server} SIGKILLed and restarted under 34 bakes"] = outcome
    report.figures["then the 34 builds end"] = f"run in {ended}, {sum(images.values())} images"
    assert set(outcomes.values()) == {"34 of 34 builds in progress, 0 cancelled"}
    assert fleet.states() == {"deferred success": 30, "on_worker success": 4}
    assert images == SIZES
    assert scene.calls("CancelImageCreation") == []


def _kill_triggerer(fleet: Fleet) -> str:
    before = fleet.triggerers()
    fleet.scene.airflow.kill("triggerer")
    fleet.scene.airflow.launch("triggerer")
    until(lambda: fleet.triggerers().isdisjoint({*before, None}), 180, fleet.triggerers)
    return fleet.summary()


def _kill_scheduler(fleet: Fleet) -> str:
    """Kill the scheduler; the executor's workers die with it, and the bakes that wait on them."""
    fleet.scene.airflow.kill("scheduler")
    fleet.scene.airflow.launch("scheduler")
    until(
        lambda: all(row["try_number"] > 1 and row["state"] == "running" for row in fleet.rows("on_worker")),
        240,
        fleet.states,
    )
    return fleet.summary()


def _kill_service(fleet: Fleet) -> str:
    service = fleet.scene.service
    service.kill()
    service.restart()
    until(lambda: "GetImage" in service.records()["calls"], 120, lambda: service.records()["calls"])
    fleet.cancels = 0  # a restarted service counts its calls from zero
    return fleet.summary()
