"""The images page: thousands of images, found, sorted and paged, as AWS and Airflow have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.many import IMAGES, NAMES
from tests.browser.scenes import MAPPED

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.pages import Pages
    from tests.browser.scenes import Scenes

pytestmark = pytest.mark.usefixtures("many")

ALL = "?view=images"
ONE, OF_ONE = "golden-7", IMAGES // NAMES
"""A name of many images, and how many it has."""


def table(page: Page) -> Locator:
    return page.get_by_role("table").last


def rows(page: Page) -> Locator:
    return table(page).locator("tbody tr")


def column(page: Page, number: int) -> list[str]:
    return [row.locator("th, td").nth(number).inner_text() for row in rows(page).all()]


# -- how it appears ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("names", ""),
        ("all", ALL),
        ("one-name", f"?name={ONE}"),
        ("scenes", f"{ALL}&text=golden-al2023"),
        ("nothing-matches", f"{ALL}&text=nowhere"),
        ("no-such-name", "?name=nowhere"),
    ],
)
def test_in_airflow_the_page_appears_well_in_every_light_and_width(
    pages: Pages, name: str, query: str
) -> None:
    opened = pages.images(query=query)
    expect(opened.page.get_by_role("table").or_(opened.page.get_by_role("heading")).first).to_be_visible()
    pages.settled(opened.page)
    assert pages.look(opened, f"images-{name}") == []


def test_without_the_frame_the_page_appears_well_too(pages: Pages) -> None:
    opened = pages.images(framed=False)
    pages.settled(opened.page)
    assert pages.look(opened, "images-unframed", whole=True) == []


def test_where_there_is_no_image_the_page_says_how_to_begin(pages: Pages) -> None:
    empty = '{"total": 0, "limit": 25, "offset": 0, "items": []}'
    pages.context.route("**/api/v1/names*", lambda route: route.fulfill(json=None, body=empty))
    opened = pages.images()
    expect(opened.page.get_by_text("ImageBuilderTaskGroup").first).to_be_visible()
    assert pages.look(opened, "images-empty") == []


# -- what it says ------------------------------------------------------------------------------------------


def test_an_image_has_the_state_the_tests_and_the_amis_that_aws_says(pages: Pages, stage: Scenes) -> None:
    (aws,) = [stage.aws_image("passed")]
    page = pages.images(query=f"{ALL}&text={quote(aws['arn'])}").page
    expect(rows(page)).to_have_count(1)
    row = rows(page).first
    expect(row).to_contain_text("available")
    expect(row).to_contain_text("4 passed")
    expect(row).to_contain_text(aws["version"] if "/" in aws["version"] else "1.0.0/1")
    for ami in aws["outputResources"]["amis"]:
        expect(row).to_contain_text(ami["image"])
        expect(row).to_contain_text(ami["region"])
    assert len(aws["outputResources"]["amis"]) == 2


@pytest.mark.parametrize(
    ("scene", "state"),
    [("failed_test", "available"), ("failed_build", "failed"), ("cancelled", "cancelled")],
)
def test_an_image_that_did_not_end_well_shows_how(
    pages: Pages, stage: Scenes, scene: str, state: str
) -> None:
    page = pages.images(query=f"?name={stage.image(scene)['name']}").page
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text(state)
    if scene == "failed_test":
        expect(rows(page).first).to_contain_text("1 failed")


def test_the_findings_of_a_scan_gate_are_shown(pages: Pages) -> None:
    page = pages.images(query="?name=golden-web-container").page
    expect(rows(page).first).to_contain_text("2 high")
    expect(rows(page).first).to_contain_text("5 medium")


def test_an_image_that_a_run_only_waited_for_says_so(pages: Pages) -> None:
    page = pages.images(query="?name=sensed").page
    expect(rows(page).first).to_contain_text("only waited for it")


def test_each_image_of_a_mapped_task_has_a_row(pages: Pages) -> None:
    page = pages.images(query=f"{ALL}&text=mapped-").page
    expect(rows(page)).to_have_count(len(MAPPED))


def test_the_run_that_built_an_image_is_one_click_away(pages: Pages, stage: Scenes) -> None:
    page = pages.images(query="?name=failed-build").page
    run = stage.runs["failed_build"]
    rows(page).first.get_by_role("link", name=run.dag_id).click()
    page.wait_for_url(
        re.compile(rf"/dags/{run.dag_id}/runs/{re.escape(quote(run.run_id))}/plugin/image-build$")
    )
    expect(page.get_by_text("No space left on device").first).to_be_visible()


def test_an_ami_is_copied_as_it_is(pages: Pages, stage: Scenes) -> None:
    ami = stage.aws_image("passed")["outputResources"]["amis"][0]
    page = pages.images(query=f"{ALL}&text={ami['image']}").page
    page.get_by_role("button", name=f"Copy {ami['image']}").click()
    assert page.evaluate("navigator.clipboard.readText()") == ami["image"]


# -- thousands ---------------------------------------------------------------------------------------------


def test_pages_of_a_list_follow_each_other_to_its_end(pages: Pages) -> None:
    page = pages.images(query=f"?name={ONE}").page
    status = page.get_by_role("status").filter(has_text="Images ")
    expect(status).to_have_text(f"Images 1 to 25 of {OF_ONE}")
    first = column(page, 0)
    page.get_by_role("button", name="Next page").click()
    expect(status).to_have_text(f"Images 26 to 50 of {OF_ONE}")
    second = column(page, 0)
    page.get_by_role("button", name="Last page").click()
    expect(status).to_have_text(f"Images 51 to {OF_ONE} of {OF_ONE}")
    seen = [*first, *second, *column(page, 0)]
    assert len(seen) == len(set(seen)) == OF_ONE
    page.go_back()
    expect(status).to_have_text(f"Images 26 to 50 of {OF_ONE}")


def test_a_list_is_sorted_by_a_click_on_its_column_and_the_address_keeps_it(pages: Pages) -> None:
    page = pages.images(query=f"?name={ONE}").page
    header = page.get_by_role("columnheader", name="Duration").last
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", re.compile("ascending|descending"))
    pages.settled(page)
    page.reload()
    header = page.get_by_role("columnheader", name="Duration").last
    order = header.get_attribute("aria-sort")
    pages.settled(page)
    number = table(page).locator("thead th").all_inner_texts()
    at = next(place for place, title in enumerate(number) if "Duration" in title)
    took = [seconds(text) for text in column(page, at)]
    assert len(set(took)) > 1
    assert took == sorted(took, reverse=order == "descending")


def seconds(shown: str) -> int:
    """Return the seconds of a duration as the page writes it, e.g. ``15 min 2 s``."""
    units = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+) (d|h|min|s)\b", shown))


def test_what_is_typed_is_searched_for(pages: Pages) -> None:
    page = pages.images(query=ALL).page
    page.get_by_role("searchbox").fill("mapped-two")
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text("mapped-two")
    assert "text=mapped-two" in page.url


def test_images_are_filtered_by_their_state(pages: Pages) -> None:
    page = pages.images(query=ALL).page
    page.get_by_role("combobox", name="State").select_option("FAILED")
    expect(rows(page).filter(has_text="failed-build")).to_have_count(1)
    expect(rows(page).filter(has_text="available")).to_have_count(0)


def test_the_trend_has_a_point_for_each_image_that_arrow_keys_reach(pages: Pages) -> None:
    page = pages.images(query=f"?name={ONE}").page
    points = page.locator("svg a")
    expect(points).to_have_count(OF_ONE)
    points.last.focus()
    page.keyboard.press("ArrowLeft")
    expect(points.nth(OF_ONE - 2)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/plugin/image-build$"))
