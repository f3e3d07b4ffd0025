"""A worker that dies at any point of the submit: the next try finds its image, and no second one is built."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.scene import KILL_POINTS

if TYPE_CHECKING:
    from tests.faults.report import Report
    from tests.faults.scene import Scene

MODES = {"deferred": "deferrable", "on_worker": "not deferrable"}
PIPELINES = "StartImagePipelineExecution"


@pytest.mark.matrix
def test_a_worker_killed_at_any_point_of_the_submit_builds_one_image(
    scene: Scene, report: Report, runs: int
) -> None:
    # Both at once: the workers mostly wait for Airflow to notice that a process has died.
    few = max(1, runs // 2)
    started = {"kill_points": scene.start("kill_points", runs)}
    started["kill_points_of_pipelines"] = scene.start("kill_points_of_pipelines", few)
    ended = {dag_id: _ended(scene, dag_id, ids) for dag_id, ids in started.items()}
    images = Counter(f"{tags.get('point')}__{tags.get('mode')}" for tags in scene.tags())
    of_images = _Kills(scene, "kill_points", started["kill_points"], images, "CreateImage")
    of_pipelines = _Kills(
        scene,
        "kill_points_of_pipelines",
        started["kill_points_of_pipelines"],
        scene.pipelines(),
        PIPELINES,
    )
    for kills in (of_images, of_pipelines):
        kills.report(report, ended[kills.dag_id])
    for kills in (of_images, of_pipelines):
        wanted = dict.fromkeys(kills.names, kills.runs)
        assert ended[kills.dag_id] == {"success": kills.runs}
        assert dict(kills.killed) == wanted
        assert dict(kills.succeeded) == wanted
        assert {name: kills.images[name] for name in wanted} == wanted


def _ended(scene: Scene, dag_id: str, started: list[str]) -> Counter[str]:
    return Counter(scene.api.wait_for_run(dag_id, run, 1000)["state"] for run in started)


class _Kills:
    """What became of the tasks of one Dag, and of their images."""

    names = tuple(f"{point}__{mode}" for mode in MODES for point in KILL_POINTS)

    def __init__(
        self, scene: Scene, dag_id: str, started: list[str], images: Counter[str], operation: str
    ) -> None:
        self.dag_id, self.runs, self.images, self.operation = dag_id, len(started), images, operation
        tasks: list[dict[str, Any]] = [task for run in started for task in scene.api.tasks(dag_id, run)]
        self.succeeded = Counter(task["task_id"] for task in tasks if task["state"] == "success")
        self.killed = Counter(task["task_id"] for task in tasks if scene.kept(task, "died_at"))

    def report(self, report: Report, ended: Counter[str]) -> None:
        pipeline = self.operation == PIPELINES
        of = ", of a pipeline" if pipeline else ""
        for mode, kind in MODES.items():
            for point, when in KILL_POINTS.items():
                name = f"{point}__{mode}"
                report.add(
                    f"worker SIGKILLed in the submit{of}, {kind}",
                    f"{when.replace('CreateImage', self.operation)}: {self.runs} runs, "
                    f"{self.killed[name]} killed once",
                    f"{self.images[name]} images for {self.runs} wanted, "
                    f"{self.succeeded[name]} of {self.runs} runs in success",
                )
        done, wanted = sum(self.images[name] for name in self.names), self.runs * len(self.names)
        what = f"worker SIGKILLed at 5 points of the submit{of}, deferrable and not, {self.runs} runs each"
        report.figures[what] = f"{done} images for {wanted} wanted, runs: {dict(ended)}"
