"""Debian's Chromium, driven by Playwright: pages that record what must not happen on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright, StorageState

    from airflow_imagebuilder.local.stack.airflow import AirflowStack

EXECUTABLE = which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NARROW, WIDE = 360, 1600
HEIGHT = 1000
OURS = ".imagebuilder"
"""Our part of a page, as a selector."""
OWN = "/imagebuilder/"
"""Part of every address that our pages ask."""
_VIOLATIONS = """
window.refused = [];
document.addEventListener('securitypolicyviolation',
  event => window.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


def missing() -> str | None:
    """Return what has to be installed, in one line; None if everything is there."""
    if not Path(EXECUTABLE).exists():
        return "Chromium is missing. On Debian and Ubuntu: apt-get install chromium"
    return None


def launch(playwright: Playwright) -> Browser:
    """Start Chromium."""
    return playwright.chromium.launch(executable_path=EXECUTABLE, args=list(FLAGS))


def log_in(browser: Browser, airflow: AirflowStack) -> StorageState:
    """Log in through Airflow's own form, and return the cookies."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{airflow.url}/auth/login/")
        page.fill("input[name=username]", airflow.username)
        page.fill("input[name=password]", airflow.password)
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "login" not in url)
        return context.storage_state()


@dataclass
class Watched:
    """A page, and what happened on it that must not happen."""

    page: Page
    host: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        address = str(message.location.get("url"))
        # Airflow's UI asks for what a Dag without a file does not have; this does not count.
        is_airflows = message.text.startswith("Failed to load resource") and OWN not in address
        if message.type == "error" and not is_airflows:
            self.errors.append(f"console: {message.text} ({address})")

    def _request(self, request: Any) -> None:
        target = urlsplit(request.url)
        if target.scheme not in {"data", "blob"} and target.netloc != self.host:
            self.foreign.append(request.url)

    def troubles(self) -> list[str]:
        """Return errors, requests to other hosts, and what the content security policy has refused."""
        refused = [f"content security policy: {text}" for text in self.page.evaluate("window.refused")]
        return [*self.errors, *(f"request to {url}" for url in self.foreign), *refused]

    def dress(self, scheme: str, width: int) -> None:
        """Show the page light or dark, at a width in pixels."""
        # Airflow sets the class that its user has chosen; without its frame the system's choice counts.
        self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        self.page.evaluate(
            """scheme => {
              const root = document.documentElement
              if (!root.classList.contains('light') && !root.classList.contains('dark')) return
              root.classList.remove('light', 'dark')
              root.classList.add(scheme)
              root.style.colorScheme = scheme
            }""",
            scheme,
        )
        self.page.set_viewport_size({"width": width, "height": HEIGHT})


def new_context(browser: Browser, state: StorageState | None, width: int = WIDE) -> BrowserContext:
    """Return a context: logged in as ``state``, in UTC, and allowed to write to the clipboard."""
    context = browser.new_context(
        storage_state=state,
        viewport={"width": width, "height": HEIGHT},
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.add_init_script(_VIOLATIONS)
    context.set_default_timeout(15_000)
    return context
