"""The README: its Dag can be copied, its commands and links exist, and it fits on a screen or two.

Links to a heading are followed on every page: the site's own check does not see those into files at the root.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "README.md").read_text("utf-8")
DAG_FILE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)
TO_A_HEADING = re.compile(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)")
BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


def test_the_dag_can_be_copied_into_a_file() -> None:
    (code,) = DAG_FILE.findall(TEXT)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    found = [value for value in names.values() if isinstance(value, DAG)]
    # ``with DAG(...)`` without a name: Airflow finds it by itself.
    assert not found
    assert "..." not in code
    assert len(code.splitlines()) <= 15


def test_the_commands_are_targets_of_make() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", TEXT))
    assert {"demo", "test", "up"} <= named <= targets


def test_each_link_leads_to_a_file() -> None:
    links = set(LINK.findall(TEXT))
    assert len(links) > 20
    assert {link for link in links if not (REPOSITORY / link).exists()} == set()


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) < 90


def headings(page: Path) -> set[str]:
    """Return the anchors of a page as GitHub makes them."""
    text = BLOCK.sub("", page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", found.lower()).replace(" ", "-") for found in HEADING.findall(text)}


def test_each_link_to_a_heading_leads_to_one() -> None:
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    links = [
        (page, target, anchor)
        for page in pages
        for target, anchor in TO_A_HEADING.findall(BLOCK.sub("", page.read_text("utf-8")))
    ]
    assert len(links) > 100
    lost = [
        f"{page.relative_to(REPOSITORY)}: {target}#{anchor}"
        for page, target, anchor in links
        if anchor not in headings((page.parent / target).resolve() if target else page)
    ]
    assert lost == []
