"""A worker that dies at any point of the submit: the next try finds its image, and no second one is built."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.report import Report
    from tests.faults.scene import Scene

POINTS = {
    "before_token": "before the client token is stored",
    "after_token": "after it, before CreateImage",
    "after_create": "after CreateImage, before the ARN is stored",
    "after_arn": "after the ARN is stored",
    "before_wait": "before the wait begins",
}
MODES = {"deferred": "deferrable", "on_worker": "not deferrable"}


@pytest.mark.matrix
def test_a_worker_killed_at_any_point_of_the_submit_builds_one_image(
    scene: Scene, report: Report, runs: int
) -> None:
    started = scene.start("kill_points", runs)
    ended = Counter(scene.api.wait_for_run("kill_points", run, 1000)["state"] for run in started)
    tasks = [task for run in started for task in scene.api.tasks("kill_points", run)]
    succeeded = Counter(task["task_id"] for task in tasks if task["state"] == "success")
    killed = Counter(task["task_id"] for task in tasks if scene.kept(task, "died_at"))
    images = Counter(f"{tags.get('point')}__{tags.get('mode')}" for tags in scene.tags())
    for mode, kind in MODES.items():
        for point, when in POINTS.items():
            name = f"{point}__{mode}"
            report.add(
                f"worker SIGKILLed in the submit, {kind}",
                f"{when}: {runs} runs, {killed[name]} killed once",
                f"{images[name]} images for {runs} wanted, {succeeded[name]} of {runs} runs in success",
            )
    wanted = {f"{point}__{mode}": runs for mode in MODES for point in POINTS}
    done = sum(images[name] for name in wanted)
    report.figures[f"worker SIGKILLed at 5 points of the submit, deferrable and not, {runs} runs each"] = (
        f"{done} images for {sum(wanted.values())} wanted, runs: {dict(ended)}"
    )
    assert ended == {"success": runs}
    assert dict(killed) == wanted
    assert dict(succeeded) == wanted
    assert {name: images[name] for name in wanted} == wanted
