"""The pages of the operator and the task group: their Dags are files of docs/examples, and each parses."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from airflow.sdk import DAG

from tests.support.airflow_names import serialized

DOCS = Path(__file__).parents[2] / "docs"
FILES = {f"examples/{path.name}": path for path in (DOCS / "examples").glob("*.py")}
PAGES = ("create-image", "task-group")
SHOWN = re.compile(r"^`(examples/\w+\.py)`:\n+```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```python\n", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_the_dags_as_they_are(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text("utf-8")
    shown = dict(SHOWN.findall(text))
    assert shown
    assert shown == {name: FILES[name].read_text("utf-8") for name in shown}
    assert len(BLOCK.findall(text)) == len(shown)  # what is Python is a file
    assert not [line for line in "".join(shown.values()).splitlines() if line.strip() == "..."]


def test_each_dag_is_on_a_page() -> None:
    texts = [(DOCS / f"{page}.md").read_text("utf-8") for page in PAGES]
    assert {name for text in texts for name, _ in SHOWN.findall(text)} == set(FILES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_dag_can_be_parsed_and_stored(name: str) -> None:
    # Under a name of its own, so that `if __name__ == "__main__"` does not run it.
    dag = runpy.run_path(str(FILES[name]))["dag"]
    assert isinstance(dag, DAG)
    assert serialized(dag).dag_id == FILES[name].stem
