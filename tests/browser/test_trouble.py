"""An api-server that stops: the pages say so, keep their last answer, and recover by themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.chromium import OURS
from tests.browser.scenes import RUNNING
from tests.browser.test_run_view import bars

if TYPE_CHECKING:
    from tests.browser.pages import Pages
    from tests.browser.scenes import Scenes

TROUBLE = re.compile("does not answer|answers with an error")


def test_while_the_server_is_stopped_the_last_answer_stays_and_then_the_next_one_comes(
    pages: Pages, stage: Scenes
) -> None:
    pages.troubled = True
    view, images = pages.run(RUNNING).page, pages.images(query="?view=images").page
    rows = images.get_by_role("table").last.locator("tbody tr")
    expect(rows.first).to_be_visible()
    shown, listed = bars(view).count(), rows.count()
    assert shown
    stage.airflow.kill("api-server")
    try:
        images.get_by_role("button", name="Refresh").click()
        for page in (view, images):
            expect(page.locator(OURS).get_by_text(TROUBLE).first).to_be_visible(timeout=60_000)
        assert (bars(view).count(), rows.count()) == (shown, listed)
        pages.shoot(view, "run-running-server-stopped")
        pages.shoot(images, "images-server-stopped")
    finally:
        stage.airflow.launch("api-server")
        stage.airflow.wait_ready()
    images.get_by_role("button", name="Refresh").click()
    for page in (view, images):
        expect(page.locator(OURS).get_by_text(TROUBLE)).to_have_count(0, timeout=60_000)
    expect(bars(view)).to_have_count(shown)
