"""docs/tutorial.md can be followed by a script, and the script finds what is wrong in a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.tutorial.output import DiffersError, Words
from tests.tutorial.page import (
    PAGE,
    REPOSITORY,
    Browser,
    Command,
    File,
    Interrupt,
    PageError,
    Replacement,
    Terminal,
    actions,
)
from tests.tutorial.reader import URL, environment, snapshot
from tests.tutorial.screen import VERBS
from tests.tutorial.terminal import Shell, TerminalError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = PAGE.read_text("utf-8")


def test_a_script_can_follow_the_page() -> None:
    todo = actions(TEXT)
    kinds = [type(action) for action in todo]
    assert kinds[0] is Terminal
    assert kinds[-1] is Interrupt
    assert {Terminal, Browser, File, Replacement, Interrupt} == set(kinds)
    assert [action.stays for action in todo if isinstance(action, Terminal)].count(True) == 1


def test_every_step_in_the_browser_is_one_that_the_script_does() -> None:
    steps = [step for action in actions(TEXT) if isinstance(action, Browser) for step in action.steps]
    assert steps
    assert {step.split()[0] for step in steps} <= set(VERBS)


def test_the_page_shows_the_pictures_that_the_script_takes() -> None:
    steps = [step for action in actions(TEXT) if isinstance(action, Browser) for step in action.steps]
    taken = {step.split()[1] for step in steps if step.startswith("picture ")}
    shown = set(re.findall(r"\]\(images/([\w-]+)\.png\)", TEXT))
    assert taken == shown
    assert all((PAGE.parent / "images" / f"{name}.png").is_file() for name in shown)


def test_the_dag_file_of_the_page_is_a_dag_whose_name_the_page_uses() -> None:
    (file,) = [action for action in actions(TEXT) if isinstance(action, File)]
    names: dict[str, Any] = {}
    exec(compile(file.text, file.path, "exec"), names)
    assert f"**{names['dag'].dag_id}**" in TEXT
    assert [task.task_id for task in names["dag"].tasks] == ["bake"]


def test_the_change_of_the_page_fits_the_dag_file() -> None:
    changes = [action for action in actions(TEXT) if isinstance(action, Replacement)]
    assert changes
    for change in changes:
        before = (REPOSITORY / change.path).read_text("utf-8")
        assert before.count(change.old) == 1
        compile(before.replace(change.old, change.new), change.path, "exec")


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("1. Select **Dags**.\n", "line 1: no comment says how a script does this: 1. Select **Dags**."),
        ("text\n\n```bash\nrm -r x\n```\n", "line 3: nothing is done with this block: 'rm -r x"),
        ("```console\noutput\n```\n", "line 1: the block begins with output: 'output'"),
        ("```python\nx = 1\n```\n", "line 1: no line before this block names its file"),
    ],
)
def test_a_page_that_cannot_be_followed_is_refused_with_its_line(page: str, why: str) -> None:
    with pytest.raises(PageError) as caught:
        actions(page)
    assert why in str(caught.value)


def test_a_page_is_read_in_its_order() -> None:
    page = (
        "```console\n$ echo a \\\n> b\na b\n$ true\n```\n\n"
        "1. Open `x` and\n   **Press**. <!-- steps: open; click -->\n"
        "2. See. <!-- step: see -->\n\n"
        "`a.py`:\n\n```python\nx = 1\n```\n\n"
        "`b.py`:\n\n```diff\n-x = 1\n+x = 2\n```\n\n"
        "<!-- interrupt -->\n"
    )
    terminal, first, second, file, replacement, interrupt = actions(page)
    assert terminal == Terminal(1, (Command("echo a \\\nb", ("a b",)), Command("true", ())))
    assert first == Browser(8, "1. Open `x` and **Press**.", ("open", "click"), ("Press",), ("x",))
    assert second == Browser(10, "2. See.", ("see",), (), ())
    assert file == File(14, "a.py", "x = 1\n")
    assert replacement == Replacement(20, "b.py", "x = 1\n", "x = 2\n")
    assert interrupt == Interrupt(25)


def test_what_differs_in_each_run_is_learnt_once_and_used_from_then_on() -> None:
    words = Words()
    shown = ("Airflow:  http://127.0.0.1:1  user admin, password abc", "... is up")
    printed = "noise\nAirflow:       http://127.0.0.1:4711  user admin, password x-_Y\nall of it is up\n"
    assert words.missing(shown, printed) is None
    assert words.here("curl http://127.0.0.1:1/x -u abc") == "curl http://127.0.0.1:4711/x -u x-_Y"
    assert words.of("abc") == "x-_Y"
    assert words.missing(("at http://127.0.0.1:1",), "at http://127.0.0.1:4712") == "at http://127.0.0.1:1"
    with pytest.raises(DiffersError):
        words.of("http://127.0.0.1:2")


def test_an_output_in_another_order_or_with_other_words_differs() -> None:
    words = Words()
    assert words.missing(("a", "b"), "a\nb\n") is None
    assert words.missing(("b", "a"), "a\nb\n") == "a"
    assert words.missing(("ami-00000000000000001 is good",), "ami-0123456789abcdef0 is bad") is not None


def test_a_shell_keeps_its_folder_and_variables_and_reports_a_failure(tmp_path: Path) -> None:
    shell = Shell(tmp_path, environment(tmp_path))
    try:
        assert shell.run("export A=1; mkdir x; cd x; echo $A", 20) == "1\n"
        assert shell.run("pwd", 20) == f"{tmp_path}/x\n"
        with pytest.raises(TerminalError, match=r"exit code 3; it printed:\noops"):
            shell.run("echo oops; (exit 3)", 20)
        with pytest.raises(TerminalError, match="not ended in 0 s"):
            shell.run("sleep 30", 0.2)
    finally:
        shell.close()
    assert shell.ended


def test_the_reader_clones_this_checkout_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    snapshot(tmp_path / "repository")
    shell = Shell(tmp_path, environment(tmp_path / "repository"))
    try:
        shell.run(f"git clone -q {URL} clone", 60)
    finally:
        shell.close()
    assert (tmp_path / "clone" / "docs" / "tutorial.md").read_text("utf-8") == TEXT
    assert not (tmp_path / "clone" / ".venv").exists()
