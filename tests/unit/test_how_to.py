"""The how-to pages: each shows whole files of docs/how-to, as they are, and each file is on a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = sorted(FOLDER.glob("*.md"))
FILES = {str(p.relative_to(FOLDER)): p for p in FOLDER.rglob("*") if p.suffix in (".py", ".json", ".tf")}
SHOWN = re.compile(r"^`([\w./-]+)`:\n+```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
"""A line with the file's path below docs/how-to and a colon, then the file as a code block."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_its_files_as_they_are(page: Path) -> None:
    shown = dict(SHOWN.findall(page.read_text("utf-8")))
    # Some pages show no file of their own.
    assert shown == {name: FILES[name].read_text("utf-8") for name in shown}


def test_each_file_is_on_a_page() -> None:
    shown = {name for page in PAGES for name, _ in SHOWN.findall(page.read_text("utf-8"))}
    assert set(FILES) == shown


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_json_can_be_read(name: str) -> None:
    assert json.loads(FILES[name].read_text("utf-8"))
