"""The run view of every scene: how it appears, and that it says what AWS and Airflow say."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import NARROW, OURS, WIDE
from tests.browser.pages import SCHEMES, WIDTHS, forms
from tests.browser.scenes import ENDED, LIVE, MAPPED, MARKUP, RUNNING, WEAK, let_live_go

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.pages import Pages
    from tests.browser.scenes import Scenes

BAR = re.compile(r", (build|test|distribution)\b")
"""Part of the name of a bar of the timeline."""
SINGLE = ("passed", "failed_test", "failed_build", "repaired", "cancelled", "ten", "alone", RUNNING)
"""Scenes with one image, that their run submits."""
OUTCOMES = {
    "COMPLETED": "passed",
    "FAILED": "failed",
    "ROLLBACK_COMPLETED": "failed",
    "CANCELLED": "cancelled",
    "SKIPPED": "skipped",
    "RUNNING": "running",
    "PENDING": "pending",
}
"""AWS's status of a workflow execution, and the word of the page."""


def bars(page: Page) -> Locator:
    return page.locator(OURS).get_by_role("button", name=BAR)


def names_of(found: Locator) -> list[str]:
    """Return the names of bars: the first line, which is for screen readers; what is seen follows it."""
    return [text.splitlines()[0] for text in found.all_inner_texts()]


# -- how it appears ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", [RUNNING, *ENDED])
def test_the_view_appears_well_light_and_dark_wide_and_narrow(pages: Pages, scene: str) -> None:
    # On a narrow screen Airflow's own frame leaves no room for a tab.
    framed, bare = pages.run(scene), pages.run(scene, framed=False)
    pages.settled(framed.page)
    pages.settled(bare.page)
    found = pages.look(framed, f"run-{scene}", widths=[WIDE])
    assert found + pages.look(bare, f"run-{scene}", widths=[NARROW], whole=True) == []


def test_the_short_form_shows_each_scene_wide_and_narrow_and_every_form_of_a_scene() -> None:
    seen = {scene: set(forms(f"run-{scene}", WIDTHS, full=False)) for scene in (RUNNING, *ENDED)}
    assert {frozenset(width for _, width in shown) for shown in seen.values()} == {frozenset(WIDTHS)}
    assert {frozenset(scheme for scheme, _ in shown) for shown in seen.values()} == {frozenset(SCHEMES)}
    assert set().union(*seen.values()) == set(forms("any", WIDTHS, full=True))
    assert len(forms("any", WIDTHS, full=True)) == len(SCHEMES) * len(WIDTHS)


CROSSING = """() => [...document.querySelectorAll('.ib-workflow')].map((bar) => {
  const block = bar.querySelector('.ib-block').getBoundingClientRect()
  const name = bar.querySelector('.ib-workflow-name')
  const text = name.getBoundingClientRect()
  const beside = text.top < block.bottom && block.top < text.bottom
  const over = (edge) => text.left < edge - 1 && edge + 1 < text.right
  return beside && (over(block.left) || over(block.right)) ? name.innerText : ''
}).filter(Boolean)"""
"""The texts of bars that are written across an edge of their bar."""


@pytest.mark.parametrize("scene", ["repaired", "ten"])
def test_no_text_is_written_across_the_edge_of_its_bar(pages: Pages, scene: str) -> None:
    opened = pages.run(scene, framed=False)
    crossing = {}
    for width in (WIDE, 700, NARROW):
        opened.dress("light", width)
        expect(bars(opened.page).first).to_be_visible()
        crossing[width] = opened.page.evaluate(CROSSING)
    assert crossing == {WIDE: [], 700: [], NARROW: []}


# -- what it says ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", SINGLE)
def test_each_workflow_execution_of_aws_is_a_bar_with_its_outcome(
    pages: Pages, stage: Scenes, scene: str
) -> None:
    page = pages.run(scene).page
    expect(bars(page).first).to_be_visible()
    shown = Counter((name.split(", ")[0], outcome_in(name)) for name in names_of(bars(page)))
    there = Counter((e["workflow"], OUTCOMES[e["status"]]) for e in executed(stage, scene))
    assert there
    assert there - shown == Counter(), "AWS has executions that are not shown"
    waiting = shown - there
    assert {outcome for _, outcome in waiting} <= {"pending", "skipped", "cancelled"}, waiting


def outcome_in(name: str) -> str:
    return next(word for word in name.split(", ") if word in OUTCOMES.values())


def test_ten_tests_are_in_two_bands_with_the_names_of_their_groups(pages: Pages) -> None:
    page = pages.run("ten").page
    for group in ("functional", "security"):
        tests = page.locator(OURS).get_by_role("button", name=re.compile(f"test, group {group}"))
        expect(tests).to_have_count(5)
        expect(page.locator(OURS).get_by_text(group, exact=True).first).to_be_visible()


def test_a_failed_test_shows_its_message_in_place(pages: Pages) -> None:
    (image,) = pages.api_run("failed_test")["images"]
    assert (image["status"], image["tests_failed"]) == ("AVAILABLE", 1)
    page = pages.run("failed_test").page
    expect(page.locator(OURS)).to_contain_text("3 of 4 passed, 1 failed")
    expect(page.locator(OURS)).to_contain_text(WEAK)


def test_a_failed_build_shows_component_and_reason_as_text(pages: Pages) -> None:
    page = pages.run("failed_build").page
    failure = pages.api_run("failed_build")["images"][0]["failure"]
    assert failure["advice"], failure
    for text in (failure["step"], failure["component"], "No space left on device", MARKUP):
        expect(page.locator(OURS)).to_contain_text(text)
    for line in failure["advice"].splitlines():
        expect(page.locator(OURS)).to_contain_text(line.strip())


def test_a_repaired_image_shows_both_attempts(pages: Pages) -> None:
    page = pages.run("repaired").page
    shown = [name for name in names_of(bars(page)) if name.startswith("network, ")]
    assert len(shown) == 2
    assert {"failed", "passed"} == {outcome_in(name) for name in shown}
    assert all(f"attempt {number} of 2" in " ".join(shown) for number in (1, 2))


def test_a_killed_build_is_shown_as_cancelled(pages: Pages) -> None:
    (image,) = pages.api_run("cancelled")["images"]
    assert image["status"] == "CANCELLED" or image["stale"], image["status"]
    expect(pages.run("cancelled").page.locator(OURS)).to_contain_text(re.compile("cancelled|last seen"))


@pytest.mark.parametrize("scene", ["passed", "repaired", "failed_test"])
def test_the_amis_are_those_of_aws_and_are_copied_as_they_are(
    pages: Pages, stage: Scenes, scene: str
) -> None:
    page = pages.run(scene).page
    amis = stage.aws_image(scene)["outputResources"]["amis"]
    assert {ami["region"] for ami in amis} == {"us-east-1", "eu-west-1"}
    for ami in amis:
        expect(page.locator(OURS)).to_contain_text(ami["image"])
        page.get_by_role("button", name=re.compile(f"Copy.*{ami['image']}")).first.click()
        assert page.evaluate("navigator.clipboard.readText()") == ami["image"]


def test_a_container_image_shows_its_uris_and_the_findings_of_its_scan(pages: Pages, stage: Scenes) -> None:
    page = pages.run("container").page
    (image,) = pages.api_run("container")["images"]
    uris = [uri for container in image["containers"] for uri in container["image_uris"]]
    assert uris
    for text in (*uris, "2 high", "5 medium"):
        expect(page.locator(OURS)).to_contain_text(text)


def test_each_image_of_a_mapped_task_is_shown(pages: Pages) -> None:
    page = pages.run("mapped").page
    for recipe in MAPPED:
        expect(page.locator(OURS).get_by_role("heading", name=re.compile(recipe))).to_be_visible()


def test_a_run_without_an_image_says_so(pages: Pages) -> None:
    page = pages.run("no_image").page
    expect(page.locator(OURS)).to_contain_text(re.compile("no image", re.IGNORECASE))
    assert bars(page).count() == 0


def test_an_image_that_a_sensor_waited_for_is_marked(pages: Pages) -> None:
    (image,) = pages.api_run("sensor")["images"]
    assert image["submitted"] is False
    expect(pages.run("sensor").page.locator(OURS)).to_contain_text(re.compile("wait", re.IGNORECASE))


def test_a_running_build_says_how_long_it_still_takes_from_the_last_one(pages: Pages) -> None:
    (image,) = pages.api_run(RUNNING)["images"]
    assert image["estimate"]["based_on"] >= 1
    expect(pages.run(RUNNING).page.locator(OURS)).to_contain_text(re.compile("left|slower than"))


# -- keyboard, links ---------------------------------------------------------------------------------------


def test_tab_leads_to_the_timeline_and_arrow_keys_to_every_bar_of_it(pages: Pages) -> None:
    page = pages.run("failed_test").page
    wanted = set(names_of(bars(page)))
    page.locator(OURS).get_by_role("button", name="Workflows as a table").focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        if focused(page) in wanted:
            break
    page.keyboard.press("Home")
    met = {focused(page)}
    for _ in range(len(wanted)):
        page.keyboard.press("ArrowRight")
        met.add(focused(page))
    assert wanted == met


def test_enter_opens_the_details_of_a_bar_and_escape_closes_them(pages: Pages) -> None:
    page = pages.run("failed_test").page
    bar = bar_of(page, "cis-level-1")
    bar.focus()
    page.keyboard.press("Enter")
    details = page.get_by_role("region", name="Workflow cis-level-1")
    expect(details).to_contain_text(WEAK)
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    expect(bar).to_be_focused()


def bar_of(page: Page, workflow: str) -> Locator:
    return page.locator(OURS).get_by_role("button", name=re.compile(f"^{workflow}, "))


def focused(page: Page) -> str:
    text: str = page.evaluate("document.activeElement?.innerText ?? ''")
    return text.splitlines()[0] if text else ""


def test_the_details_of_a_failed_test_have_its_steps_and_lead_to_its_task(
    pages: Pages, stage: Scenes
) -> None:
    run = stage.runs["failed_test"]
    opened = pages.run("failed_test")
    page = opened.page
    bar_of(page, "cis-level-1").click()
    details = page.get_by_role("region", name="Workflow cis-level-1")
    details.get_by_role("button", name=re.compile("^Steps")).click()
    for step in ("LaunchTestInstance", "RunTests", "TerminateTestInstance"):
        expect(details.get_by_role("rowheader", name=step)).to_be_visible()
    assert pages.look(opened, "run-failed_test-details") == []
    task = f"/dags/{run.dag_id}/runs/{quote(run.run_id)}/tasks/bake.security.test/mapped/0"
    link = details.locator(f'a[href="{task}"]')
    link.click()
    page.wait_for_url(re.compile(re.escape(task)))
    expect(page.get_by_text("cis-level-1").first).to_be_visible()


def executed(stage: Scenes, scene: str) -> list[dict[str, Any]]:
    """Return the executions of an image, without those that a repair replaced before they began."""
    return [e for e in stage.image(scene)["executions"] if e["start"] or not e["retried"]]


def test_the_workflows_are_shown_as_a_table_too(pages: Pages, stage: Scenes) -> None:
    opened = pages.run("repaired")
    opened.page.get_by_role("button", name="Workflows as a table").click()
    rows = opened.page.get_by_role("region", name=re.compile("^Workflows of")).locator("tbody tr")
    assert rows.count() >= len(executed(stage, "repaired"))
    assert pages.look(opened, "run-repaired-table") == []


def test_the_tab_of_a_task_instance_shows_the_image_of_the_task(pages: Pages, stage: Scenes) -> None:
    run = stage.runs["mapped"]
    address = f"/dags/{run.dag_id}/runs/{quote(run.run_id)}/tasks/bake/mapped/1/plugin/image-build-task"
    page = pages.open(address, ready=f"{OURS} h2").page
    expect(page.locator(f"{OURS} h2").first).to_have_text(re.compile("mapped-two"))
    pages.settled(page)
    pages.shoot(page, "run-task-tab")


def test_the_tab_of_a_monitor_shows_its_workflow_without_scrolling(pages: Pages, stage: Scenes) -> None:
    run = stage.runs["failed_test"]
    task = f"/dags/{run.dag_id}/runs/{quote(run.run_id)}/tasks/bake.security.test/mapped/0"
    page = pages.open(f"{task}/plugin/image-build-task", ready=f"{OURS} h2").page
    marked = page.locator(f"{OURS} .ib-workflow.ib-own")
    expect(marked).to_have_count(1)
    expect(marked).to_contain_text("cis-level-1")
    expect(marked).to_be_in_viewport()


# -- live --------------------------------------------------------------------------------------------------


def test_a_build_that_runs_changes_to_its_end_without_a_reload(pages: Pages, stage: Scenes) -> None:
    framed, bare = pages.run(LIVE).page, pages.run(LIVE, framed=False).page
    for page in (framed, bare):
        expect(bars(page).first).to_be_visible()
        assert any(outcome_in(name) == "running" for name in names_of(bars(page)))
        page.evaluate("window.sameDocument = true")
    let_live_go(stage)
    assert stage.runs[LIVE].wait() == "success"
    for page in (framed, bare):
        for ami in stage.aws_image(LIVE)["outputResources"]["amis"]:
            expect(page.locator(OURS)).to_contain_text(ami["image"], timeout=60_000)
        assert {outcome_in(name) for name in names_of(bars(page))} == {"passed"}
        assert page.evaluate("window.sameDocument") is True


def api_of(pages: Pages, scene: str) -> dict[str, Any]:
    (image,) = pages.api_run(scene)["images"]
    found: dict[str, Any] = image
    return found


@pytest.mark.parametrize("scene", SINGLE)
def test_the_api_says_what_aws_says(pages: Pages, stage: Scenes, scene: str) -> None:
    image, aws = api_of(pages, scene), stage.aws_image(scene)
    assert image["arn"] == aws["arn"]
    assert image["status"] == aws["state"]["status"]
    executions = {e["id"]: e for e in executed(stage, scene)}
    shown = {w["execution_id"]: w for w in image["workflows"] if w["execution_id"]}
    # What has only been planned, no task has seen yet.
    seen = {key for key, there in executions.items() if there["start"] or scene != RUNNING}
    assert shown.keys() & seen == seen
    for key, workflow in shown.items():
        there = executions[key]
        assert (workflow["name"], workflow["type"]) == (there["workflow"], there["type"])
        assert (workflow["status"], workflow["parallel_group"]) == (there["status"], there["group"])
    if scene == "ten":  # the AMI of an image without a build is its parent's
        return
    amis = aws.get("outputResources", {}).get("amis", [])
    assert {(a["region"], a["image"]) for a in image["amis"]} == {(a["region"], a["image"]) for a in amis}
