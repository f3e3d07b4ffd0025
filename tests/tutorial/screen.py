"""Screen: the reader's browser. A step is done with the words of the page, so wrong words are found."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from playwright.sync_api import TimeoutError as Late
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.tutorial.output import Words
    from tests.tutorial.page import Browser

MOST_BYTES = 150_000
"""Of a picture."""
_ROLES = ("link", "button", "tab", "menuitem", "checkbox", "row", "cell")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+\S*")
_QUICK = 1_500


class Screen:
    """A page of a browser.

    :param words: what the addresses and passwords of the page are in this run.
    :param pictures: the folder of the screenshots.
    """

    def __init__(self, page: Page, words: Words, pictures: Path) -> None:
        self._page, self._words, self._pictures = page, words, pictures
        self._seconds = 90.0

    def do(self, item: Browser, seconds: float) -> None:
        """Do what an item of the page says, in the order of its comment.

        :param seconds: how long each step may take.
        :raises AssertionError: a step cannot be done; what is on the screen is kept as a picture.
        """
        self._seconds = seconds
        for step in item.steps:
            verb, _, name = step.partition(" ")
            try:
                VERBS[verb](self, item, name)
            except (AssertionError, Late) as error:
                kept = self._pictures / "failed.png"
                self._page.screenshot(path=kept)
                where = f"line {item.line}: {item.words}\nstep {step!r} on {self._page.url} (see {kept})"
                raise AssertionError(f"{where}\n{error}") from error

    def _open(self, item: Browser, _: str) -> None:
        """Open the address that the item names."""
        address = _ADDRESS.search(" ".join(item.code))
        assert address, "the item names no address"
        self._page.goto(self._words.here(address[0]))

    def _login(self, item: Browser, _: str) -> None:
        """Log in with the user and the password that the item names."""
        user, password = (self._words.here(code) for code in item.code[-2:])
        self._page.fill("input[name=username]", user)
        self._page.fill("input[name=password]", password)
        self._page.click("button[type=submit]")
        self._page.wait_for_url(lambda url: "login" not in url)

    def _click(self, item: Browser, _: str) -> None:
        """Click on what the item has in bold, one after the other."""
        for label in item.bold:
            self._named(label).click(timeout=self._seconds * 1000)

    def _confirm(self, item: Browser, _: str) -> None:
        """Click on what the item has in bold, in the dialog."""
        dialog = self._page.get_by_role("dialog").filter(visible=True).first
        for label in item.bold:
            dialog.get_by_role("button", name=label, exact=True).click(timeout=self._seconds * 1000)
        expect(dialog).not_to_be_visible(timeout=self._seconds * 1000)

    def _square(self, item: Browser, _: str) -> None:
        """Select the square of a task group in the grid, in the row that the item has in bold."""
        (group,) = item.bold
        square = self._page.locator(f'a[href*="/runs/"][href$="/tasks/group/{group}"]')
        square.first.click(timeout=self._seconds * 1000)
        # Until then the page has the buttons of the run, which have the same names.
        expect(self._page.get_by_role("button", name="Mark Task Group as...")).to_be_visible()

    def _reload(self, item: Browser, _: str) -> None:
        """Load the page again until it shows what the item has as code."""
        end = time.monotonic() + self._seconds
        while not all(self._shown(text, _QUICK) for text in item.code):
            assert time.monotonic() < end, f"the page does not show {item.code}"
            self._page.reload()
            self._settle()

    def _settle(self) -> None:
        """Wait until the page has what it asked for; while a run is active, it asks again and again."""
        with suppress(Late):
            self._page.wait_for_load_state("networkidle", timeout=2 * _QUICK)

    def _shown(self, text: str, milliseconds: float) -> bool:
        try:
            self._page.get_by_text(text, exact=True).filter(visible=True).first.wait_for(timeout=milliseconds)
        except Late:
            return False
        return True

    def _named(self, label: str) -> Locator:
        """Return the first visible thing with a name, as soon as there is one."""
        by_role = [self._page.get_by_role(role, name=label, exact=True) for role in _ROLES]  # type: ignore[arg-type]
        found = by_role[0]
        for other in (*by_role[1:], self._page.get_by_text(label, exact=True)):
            found = found.or_(other)
        shown = found.filter(visible=True).first
        expect(shown).to_be_visible(timeout=self._seconds * 1000)
        return shown

    def _see(self, item: Browser, _: str) -> None:
        """See what the item has as code."""
        for text in item.code:
            here = self._words.here(text)
            found = self._page.get_by_text(here).or_(self._page.get_by_role("button", name=here))
            expect(found.filter(visible=True).first).to_be_visible(timeout=self._seconds * 1000)

    def _picture(self, _: Browser, name: str) -> None:
        """Keep a picture of the screen."""
        self._page.mouse.move(0, 0)
        self._settle()
        path = self._pictures / f"{name}.png"
        self._page.screenshot(path=path, animations="disabled")
        assert path.stat().st_size <= MOST_BYTES, f"{path} has {path.stat().st_size} bytes"


VERBS: dict[str, Callable[[Screen, Browser, str], None]] = {
    "open": Screen._open,
    "login": Screen._login,
    "click": Screen._click,
    "confirm": Screen._confirm,
    "square": Screen._square,
    "reload": Screen._reload,
    "see": Screen._see,
    "picture": Screen._picture,
}
"""What a comment may say."""
