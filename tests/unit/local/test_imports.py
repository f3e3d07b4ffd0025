"""The parts of local/ and what they import: the emulator must not share the package's reading of AWS."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import airflow_imagebuilder

PACKAGE = Path(airflow_imagebuilder.__file__).parent


def imports_of(folder: str, *, without: str = "") -> set[str]:
    """Return every module or member of this package that the modules of a folder import.

    :param without: a folder in it that does not count.
    """
    found = set()
    excluded = set((PACKAGE / without).rglob("*.py")) if without else set()
    for path in set((PACKAGE / folder).rglob("*.py")) - excluded:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix(f"{PACKAGE.name}.") for name in found if name.startswith(PACKAGE.name)}


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("local/emulator", ("local.emulator.",)),
        ("local/stack", ("local.stack.", "local.control.remote.")),
        ("local/scenarios", ("local.emulator.",)),
        ("local/control", ("local.control.", "local.scenarios.", "local.emulator.scenario.")),
        (
            "local/demo",
            (
                *("local.demo.", "local.stack.", "local.scenarios.", "local.emulator.scenario."),
                *("service.", "xcom.", "pages."),
            ),
        ),
        (
            "local/emulator/engine",
            ("local.emulator.engine.", "local.emulator.managed.", "local.emulator.documents."),
        ),
        ("local/emulator/managed", ("local.emulator.managed.", "local.emulator.documents.")),
        ("local/emulator/documents", ("local.emulator.documents.",)),
    ],
)
def test_a_part_imports_only_what_is_below_it(folder: str, allowed: tuple[str, ...]) -> None:
    imported = {f"{name}." for name in imports_of(folder)}
    assert imported
    assert sorted(name for name in imported if not name.startswith(allowed)) == []


def test_the_emulator_imports_the_engine_by_its_face_alone() -> None:
    engine = "local.emulator.engine."
    outside = imports_of("local/emulator", without="local/emulator/engine")
    used = {name.removeprefix(engine) for name in outside if name.startswith(engine)}
    assert used
    assert not {name for name in used if "." in name}
