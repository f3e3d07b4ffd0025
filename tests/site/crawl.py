"""A crawler: it follows the links of a built site from its first page, as a reader could."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

_LOADED = {"script": "src", "img": "src", "link": "href", "source": "src", "iframe": "src"}


class Page(HTMLParser):
    """What a page names: links, what it loads, its anchors, its pictures without a description."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()
        self.undescribed: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element names."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if values.get(_LOADED.get(tag, "")):
            self.loaded.add(values[_LOADED[tag]])
        if tag == "img" and not values.get("alt", "").strip():
            self.undescribed.append(values.get("src", ""))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


@dataclass
class Site:
    """
    A site that was crawled.

    :param pages: each page that can be reached, by its file.
    :param dead: each link, or file to load, that leads nowhere: the page, and what it names.
    :param foreign: each file that a page loads from another host.
    """

    root: Path
    pages: dict[Path, Page] = field(default_factory=dict)
    dead: list[tuple[str, str]] = field(default_factory=list)
    foreign: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def crawl(cls, root: Path) -> Site:
        """Follow every link from ``index.html``."""
        site, waiting = cls(root), deque([root / "index.html"])
        while waiting:
            path = waiting.popleft()
            if path not in site.pages:
                site.pages[path] = Page(path.read_text("utf-8"))
                waiting += site._named(path)
        site._check_anchors()
        return site

    def name(self, path: Path) -> str:
        """Return the page's name: its path below the root."""
        return str(path.relative_to(self.root))

    def _named(self, path: Path) -> list[Path]:
        """Return the pages that a page links to, and note what does not exist."""
        page = self.pages[path]
        found: list[Path] = []
        for address in sorted(page.links | page.loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.loaded and parts.scheme != "data":
                    self.foreign.append((self.name(path), address))
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                self.dead.append((self.name(path), address))
            elif target.suffix == ".html":
                found.append(target)
        return found

    def _check_anchors(self) -> None:
        for path, page in self.pages.items():
            for address in sorted(page.links):
                parts = urlsplit(address)
                if parts.scheme or parts.netloc or not parts.fragment:
                    continue
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                there = self.pages.get(target)
                if there and unquote(parts.fragment) not in there.anchors:
                    self.dead.append((self.name(path), address))
