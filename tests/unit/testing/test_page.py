"""docs/testing-your-dags.md shows the files of its project as they are."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parents[3] / "docs" / "testing-your-dags"
SHOWN = re.compile(r"^`([\w./-]+)`:\n+```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_page_shows_the_files_of_the_project_as_they_are() -> None:
    files = {
        str(path.relative_to(PROJECT)): path.read_text("utf-8")
        for path in PROJECT.rglob("*")
        if path.suffix in (".py", ".toml")
    }
    assert dict(SHOWN.findall(PROJECT.with_suffix(".md").read_text("utf-8"))) == files
