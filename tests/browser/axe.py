"""axe-core: the accessibility checker, from the packages of frontend/."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser.chromium import OURS

if TYPE_CHECKING:
    from playwright.sync_api import Page

SOURCE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"


def missing() -> str | None:
    """Return what has to be installed, in one line; None if everything is there."""
    if not SOURCE.exists():
        return "axe-core is missing. With Node.js 18 or newer: npm --prefix frontend ci"
    return None


@cache
def _source() -> str:
    return SOURCE.read_text("utf-8")


def findings(page: Page, *, whole: bool = False) -> list[str]:
    """
    Return what axe finds, one line for each element.

    :param whole: the whole page; by default our part of Airflow's.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_source())
    context: Any = None if whole else {"include": [OURS]}
    found = page.evaluate("context => axe.run(context ?? document, {resultTypes: ['violations']})", context)
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:160]} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
