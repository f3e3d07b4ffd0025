"""``make pictures``: the pictures of README and docs, taken of real runs of the example Dags."""

from __future__ import annotations

import re
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect, sync_playwright

from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.image_builder import LocalService
from airflow_imagebuilder.pages import images_page, run_page
from tests.browser import chromium
from tests.browser.conftest import SETTINGS
from tests.integration.bakes import Run, images, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from playwright.sync_api import Browser, Page

REPOSITORY = Path(__file__).parents[2]
IMAGES = REPOSITORY / "docs" / "images"
WIDTH, MOST_BYTES = 1400, 200_000
QUICK, SLOW = 1200, 60
"""Virtual seconds per second, while nothing is photographed, and before the picture of a running build."""
DAG, NAME = "golden_image", "golden-al2023"
FAILURE = {
    "workflow": "cis-level-1",
    "message": "5.4.1 Ensure password expiration is 365 days or less: PASS_MAX_DAYS is 99999",
}
GROUPS = 3
"""Test groups of the Dag, ungrouped tests among them."""
_RESTS = """() => {
  const at = document.querySelector('.react-flow__viewport').style.transform;
  const rests = at === window.wasAt;
  window.wasAt = at;
  return rests;
}"""
"""Whether the graph has stopped to move since the frame before."""
ENOUGH = 4
"""Tests that have ended in the picture of a running build."""


def main() -> int:
    """Take the pictures and return the exit code."""
    if missing := chromium.missing():
        sys.stderr.write(f"{missing}\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with LocalService(speed=QUICK, home=home / "service") as service:
            env = {**service.env, **SETTINGS}
            with (
                AirflowStack(home / "airflow", REPOSITORY / "dags", env) as airflow,
                sync_playwright() as playwright,
                chromium.launch(playwright) as browser,
            ):
                _take_all(browser, airflow, service)
    return 0


def _take_all(browser: Browser, airflow: AirflowStack, service: LocalService) -> None:
    for run in _earlier_runs(airflow):
        run.wait(240)
    service.control(failures=[FAILURE])
    failed = Run.start(airflow.api, DAG)
    failed.wait(240)
    service.control(clear_failures=True, speed=SLOW)
    built = len(images(service, NAME))
    running = Run.start(airflow.api, DAG)
    until(lambda: len(images(service, NAME)) > built and _tests_ended(service) >= ENOUGH, 240)
    service.control(speed=1)
    state = chromium.log_in(browser, airflow)
    with chromium.new_context(browser, state, WIDTH) as context:
        page = context.new_page()
        _take(page, airflow, running, "run-view", shows=re.compile(", running, "))
        _take(page, airflow, failed, "run-view-failed", shows=re.compile("^cis-level-1, "))
        _take_grid_and_graph(page, airflow, running)
    with chromium.new_context(browser, state, WIDTH) as context:
        # Ages are counted by the browser's clock, and that of the local service is hours ahead of it.
        context.clock.install(time=_now(service))
        page = context.new_page()
        page.goto(airflow.url + images_page(framed=True, base=""))
        expect(page.get_by_role("link", name=NAME)).to_be_visible()
        _keep(page, "images-page")


def _earlier_runs(airflow: AirflowStack) -> list[Run]:
    confs: Iterable[tuple[str, Mapping[str, Any] | None]] = (
        (DAG, None),
        (DAG, None),
        ("golden_image_manual", {"platform": "Ubuntu 24.04"}),
        ("golden_container", None),
        ("image_matrix", None),
    )
    return [Run.start(airflow.api, dag_id, conf) for dag_id, conf in confs]


def _newest(service: LocalService) -> dict[str, Any]:
    """Return the newest image of the Dag: the last one that was submitted."""
    return images(service, NAME)[-1]


def _tests_ended(service: LocalService) -> int:
    ended = [execution for execution in _newest(service)["executions"] if execution["status"] == "COMPLETED"]
    return len(ended) - 1  # the build


def _now(service: LocalService) -> datetime:
    """Return the time of the local service's clock."""
    return datetime.fromtimestamp(service.control()["epoch"], timezone.utc)


def _take(page: Page, airflow: AirflowStack, run: Run, name: str, *, shows: re.Pattern[str]) -> None:
    page.goto(airflow.url + run_page(run.dag_id, run.run_id, framed=True, base=""))
    bars = page.locator(".imagebuilder").get_by_role("button", name=shows)
    expect(bars.first).to_be_visible(timeout=30_000)
    _keep(page, name)


def _take_grid_and_graph(page: Page, airflow: AirflowStack, run: Run) -> None:
    """Take Airflow's own grid and graph of a run, with all task groups open."""
    page.set_viewport_size({"width": 1600, "height": 690})
    page.goto(f"{airflow.url}/dags/{run.dag_id}/runs/{run.run_id}")
    page.get_by_role("button", name="Expand all task groups").click()
    expect(page.get_by_text("test [ ]")).to_have_count(GROUPS)
    _keep(page, "grid")
    page.get_by_role("button", name="Show Graph").click()
    page.set_viewport_size({"width": 1900, "height": 560})
    page.get_by_role("button", name="Collapse Details Panel").click()
    expect(page.get_by_role("tab", name="Task Instances")).to_be_hidden()
    expect(page.locator(".react-flow__node").filter(has_text="ready")).to_be_visible()
    page.get_by_role("button", name="Fit View").click()
    page.wait_for_function(_RESTS)
    _keep(page, "graph")


def _keep(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    size = path.stat().st_size
    sys.stdout.write(f"{path.relative_to(REPOSITORY)}: {size // 1000} KB\n")
    if size > MOST_BYTES:
        raise SystemExit(f"{path} has {size} bytes, more than {MOST_BYTES}")


if __name__ == "__main__":
    sys.exit(main())
