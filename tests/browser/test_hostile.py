"""Names, reasons and messages from outside: markup in every text of a record stays text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.many import HOSTILE_DAG, HOSTILE_RUN, MARKUP

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.pages import Pages

pytestmark = pytest.mark.usefixtures("hostile")

PLACES = {
    "run": "/dags/{}/runs/{}/plugin/image-build",
    "run-unframed": "/imagebuilder/runs/{}/{}",
    "images": "/plugin/golden-images?view=images&text=hostile",
    "images-unframed": "/imagebuilder/?text=hostile",
}


def assert_only_text(page: Page) -> None:
    assert page.evaluate("window.owned") is None
    assert page.locator("img[src='x'], .owned").count() == 0
    assert page.locator(".imagebuilder script").count() == 0


@pytest.mark.parametrize("place", PLACES)
def test_markup_in_a_record_makes_no_element_and_runs_nothing(pages: Pages, place: str) -> None:
    run = HOSTILE_RUN.replace(":", "%3A").replace("+", "%2B")
    opened = pages.open(PLACES[place].format(HOSTILE_DAG, run))
    page = opened.page
    expect(page.get_by_text(MARKUP[:20]).first).to_be_visible()
    for control in page.locator(
        ".imagebuilder [aria-expanded=false], .imagebuilder details:not([open]) > summary"
    ).all():
        if control.is_visible():
            control.click()
            assert_only_text(page)
            page.keyboard.press("Escape")
    assert_only_text(page)
    pages.settled(page)
    assert pages.look(opened, f"hostile-{place}") == []
