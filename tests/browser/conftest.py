"""One Airflow, two local Image Builders and one Chromium per session; all scenes run first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.local.stack.airflow import AirflowStack
from airflow_imagebuilder.local.stack.image_builder import LocalService
from tests.browser import axe, chromium, scenes
from tests.browser.accounts import SLOW_ACCOUNT
from tests.browser.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, StorageState

HERE = Path(__file__).parent
SHOTS = HERE.parents[1] / "build" / "screenshots"
SETTINGS = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__IMAGEBUILDER__POLL_INTERVAL": "1",
    # A busy scheduler can fail a task that resumes before it has noticed that the task deferred.
    "AIRFLOW__IMAGEBUILDER__FIRST_LOOK": "8",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the suite."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def tools() -> None:
    """Fail where Chromium or axe is missing: a suite that skips looks like one that passes."""
    if missing := chromium.missing() or axe.missing():
        pytest.exit(missing, returncode=1)


@pytest.fixture(scope="session")
def stage(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[scenes.Scenes]:
    """The servers, with every scene at its end, and one held in the middle of its tests."""
    home = tmp_path_factory.mktemp("browser")
    service = LocalService(speed=scenes.SPEED, home=home / "service")
    slow = LocalService(speed=scenes.SLOW_SPEED, home=home / "slow", account=SLOW_ACCOUNT)
    with service, slow:
        connection = {**json.loads(service.env["AIRFLOW_CONN_AWS_DEFAULT"])}
        connection["extra"] = {**connection["extra"], "endpoint_url": slow.url}
        env = {**service.env, **SETTINGS, "AIRFLOW_CONN_AWS_SLOW": json.dumps(connection)}
        scenes.prepare(service, slow)
        with AirflowStack(home / "airflow", HERE / "dags", env) as airflow:
            started = scenes.start(airflow, service, slow)
            scenes.play(started)
            yield started


@pytest.fixture(scope="session")
def many(stage: scenes.Scenes) -> None:
    """Thousands of images beside those of the scenes."""
    from tests.browser.many import add_many

    add_many(stage.airflow)


@pytest.fixture(scope="session")
def hostile(stage: scenes.Scenes) -> None:
    """An image with markup in every text."""
    from tests.browser.many import add_hostile

    add_hostile(stage.airflow)


@pytest.fixture(scope="session")
def browser(tools: None) -> Iterator[Browser]:
    """Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, chromium.launch(playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def admin(browser: Browser, stage: scenes.Scenes) -> StorageState:
    """The cookies of a user who has logged in."""
    return chromium.log_in(browser, stage.airflow)


@pytest.fixture
def pages(
    browser: Browser, admin: StorageState, stage: scenes.Scenes, pytestconfig: pytest.Config
) -> Iterator[Pages]:
    """Opens pages; each must be without errors when the test ends."""
    with chromium.new_context(browser, admin) as context:
        opened = Pages(context, stage, SHOTS, full=pytestconfig.getoption("--full"))
        yield opened
        opened.assert_clean()
