"""Five pages in a real Chromium: light and dark, wide and narrow; screenshots in build/screenshots."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.browser import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.site.crawl import Site

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PAGES = ("index", "tutorial", "task-group", "reference/operators", "security")
WIDTHS = {"wide": 1400, "narrow": 360}
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
BROKEN = "() => [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing: the tests say what is wrong."""


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    """The address of the site, served on this machine alone."""
    handler = functools.partial(_Quiet, directory=str(site.root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; without it the suite fails, because a suite that skips looks like one that passes."""
    if missing := chromium.missing():
        pytest.fail(missing)
    with sync_playwright() as playwright, chromium.launch(playwright) as started:
        yield started


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_loads(browser: Browser, address: str, name: str, scheme: str, width: str) -> None:
    errors: list[str] = []
    shot = SHOTS / f"site-{name.replace('/', '-')}-{scheme}-{width}.png"
    with browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": WIDTHS[width], "height": 1000},
    ) as context:
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("requestfailed", lambda request: errors.append(request.url))
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        page.screenshot(path=shot)
        assert errors == []
        assert page.evaluate(BROKEN) == []
        assert page.evaluate(OVERFLOW) <= 0
        # The scheme of the system decides.
        colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert (max(int(part) for part in colour[4:-1].split(",")[:3]) < 100) == (scheme == "dark"), colour
