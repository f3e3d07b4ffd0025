"""The README: its Dag can be copied, its commands and links exist, and it fits on a screen or two."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "README.md").read_text("utf-8")
DAG_FILE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
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
