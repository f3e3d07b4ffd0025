"""Each guess has exactly one contract test, which names it."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from airflow_imagebuilder.local.emulator.engine import guesses

CONTRACT = Path(__file__).parents[2] / "contract"
MODULES = sorted(CONTRACT.glob("test_*.py"))


def markers() -> dict[str, list[str]]:
    """Return the guesses that each contract test names, by its name."""
    return {
        node.name: [
            str(call.args[0].value)
            for call in node.decorator_list
            if isinstance(call, ast.Call)
            and ast.unparse(call.func) == "pytest.mark.guess"
            and isinstance(call.args[0], ast.Constant)
        ]
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_each_guess_has_exactly_one_contract_test() -> None:
    named = Counter(id_ for ids in markers().values() for id_ in ids)
    assert named == Counter(list(guesses.REGISTRY))


def test_a_contract_test_that_observes_names_its_guess() -> None:
    found = markers()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name in found:
                observes = "observe" in [argument.arg for argument in node.args.args]
                assert observes == bool(found[node.name]), node.name


def test_contract_tests_have_different_names_since_the_report_shows_them() -> None:
    names = [
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert names
    assert len(names) == len(set(names))
