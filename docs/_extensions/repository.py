"""Links from a page to a file of the repository that is not part of the site lead to the repository."""

from __future__ import annotations

import re
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
URLS = dict(line.split(", ", 1) for line in metadata("airflow-imagebuilder").get_all("Project-URL") or [])
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
"""A Markdown link to a relative path, with its anchor."""


def link_to_repository(app: Sphinx, page: str, source: list[str]) -> None:
    """Give each link of a page to a file outside of the site, or to a folder, its address."""
    folder = Path(app.env.doc2path(page)).parent

    def address(link: re.Match[str]) -> str:
        path = (folder / link[1]).resolve()
        if not path.exists() or not path.is_relative_to(ROOT):
            return link[0]
        if path.is_relative_to(app.srcdir) and path.is_file():
            return link[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"]({URLS['Source']}/{kind}/main/{path.relative_to(ROOT)}{link[2] or ''})"

    source[0] = LINK.sub(address, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect it."""
    app.connect("source-read", link_to_repository)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
