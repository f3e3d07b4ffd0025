"""The pages: their addresses, how they are opened and photographed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from zlib import crc32

from playwright.sync_api import expect

from tests.browser.axe import findings
from tests.browser.chromium import NARROW, OURS, WIDE, Watched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from tests.browser.scenes import Scenes

SCHEMES = ("light", "dark")
WIDTHS = (WIDE, NARROW)


def forms(name: str, widths: Sequence[int], *, full: bool) -> list[tuple[str, int]]:
    """
    Return the forms in which a page is photographed: pairs of light or dark, and a width.

    In the short form a page has each width once, one of them light and the other dark, as its name decides.
    """
    turn = crc32(name.encode())
    return [
        (scheme, width)
        for scheme, width in product(SCHEMES, widths)
        if full or (SCHEMES.index(scheme) + WIDTHS.index(width) + turn) % len(SCHEMES) == 0
    ]


@dataclass
class Pages:
    """Opens pages in one context, and remembers what happened on them."""

    context: BrowserContext
    stage: Scenes
    shots: Path
    opened: list[Watched] = field(default_factory=list)
    full: bool = False
    """Whether a page is photographed in every form."""
    troubled: bool = False
    """Whether the server stops in this test: Chromium logs each request without an answer as an error."""

    @property
    def base(self) -> str:
        return self.stage.airflow.url

    def open(self, address: str, ready: str = f"{OURS} *") -> Watched:
        """Open an address below Airflow's, and wait for an element."""
        watched = Watched(self.context.new_page(), urlsplit(self.base).netloc)
        self.opened.append(watched)
        watched.page.goto(self.base + address)
        watched.page.wait_for_selector(ready)
        return watched

    def run(self, scene: str, *, framed: bool = True, ready: str = f"{OURS} h2") -> Watched:
        """Open the run view of a scene, in Airflow's UI or without its frame."""
        run = self.stage.runs[scene]
        parts = (quote(run.dag_id, safe=""), quote(run.run_id, safe=""))
        framed_address = "/dags/{}/runs/{}/plugin/image-build".format(*parts)
        return self.open(framed_address if framed else "/imagebuilder/runs/{}/{}".format(*parts), ready)

    def api_run(self, scene: str) -> dict[str, Any]:
        """Return what the JSON API answers of the run of a scene."""
        run = self.stage.runs[scene]
        answer = self.context.request.get(
            f"{self.base}/imagebuilder/api/v1/dags/{run.dag_id}/runs/{quote(run.run_id, safe='')}"
        )
        assert answer.ok, f"{answer.status}: {answer.text()}"
        body: dict[str, Any] = answer.json()
        return body

    def images(self, *, framed: bool = True, query: str = "") -> Watched:
        """Open the images page."""
        return self.open(("/plugin/golden-images" if framed else "/imagebuilder/") + query)

    def settled(self, page: Page) -> None:
        """Wait until our part of the page has all that it asks for."""
        page.wait_for_load_state("networkidle")
        expect(page.locator(f"{OURS} [aria-busy=true]")).to_have_count(0)

    def look(
        self, watched: Watched, name: str, *, whole: bool = False, widths: Sequence[int] = WIDTHS
    ) -> list[str]:
        """Photograph a page in its forms, and return what axe finds."""
        found = []
        for scheme, width in forms(name, widths, full=self.full):
            watched.dress(scheme, width)
            self.shoot(watched.page, f"{name}-{scheme}-{width}")
            found += [f"{scheme} {width}: {finding}" for finding in findings(watched.page, whole=whole)]
        return found

    def shoot(self, page: Page, name: str) -> None:
        """Keep a screenshot below build/."""
        page.screenshot(path=self.shots / f"{name}.png", full_page=True, animations="disabled")

    def assert_clean(self) -> None:
        """Assert that no page has had an error, asked another host, or broken its content security policy."""
        troubles = [f"{w.page.url}: {text}" for w in self.opened for text in w.troubles()]
        if self.troubled:
            # Airflow's own page logs each request that fails.
            expected = ("net::ERR_", "Failed to fetch")
            troubles = [text for text in troubles if not any(part in text for part in expected)]
        assert not troubles, "\n".join(troubles)
