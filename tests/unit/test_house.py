"""The house: which package may import which, how many things are on a level, which words are not used."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "airflow_imagebuilder"
NAME = PACKAGE.name

FLOORS = (
    "extras",
    "provider_info",
    "aws_model",
    "service.results.states",
    "service.arns.grammar",
    "service.text",
    "service.results",
    "service.errors",
    "service.arns",
    "service.request",
    "service.client",
    "service.events",
    "service.watcher",
    "service.submission",
    "service.monitoring",
    "service.gates",
    "build_record",
    "variable_store",
    "clean_up",
    "compat",
    "xcom",
    "assets",
    "pages",
    "links",
    "hooks",
    "triggers",
    "operators",
    "sensors",
    "task_groups",
    "ui",
    "local",
    "testing",
)
"""From the ground up: a module imports from its own floor and from those before it."""

WIDEST = 11
"""Things on one level below the root: about nine can be read at a glance."""

WORDS = re.compile(
    r"\b(?:tells?|told|telling|anew|nobody|somebody|whoever|bears?|bore|borne|bearing"
    r"|go(?:es|ing)? on|went on|gone on|that (?:is|are) none|for ever|look(?:s|ed|ing)?(?! like| up)"
    r"|stands?(?!-)|stood"
    r"|hand(?:s|ed)? over|lets? pass|to be had|lest|whence|thereby|hereby|aloud|speaks?|spoke|spoken)\b"
    r"|(?<!there )(?<!There )\b(?:is|are|was) no (?!longer\b|more\b|less\b)\w+",
    re.IGNORECASE,
)
"""Words that a reader has to translate first: each has a plain one (CONTRIBUTING.md, "Prose")."""

QUOTED: dict[str, tuple[str, ...]] = {}
"""Files that quote AWS's or Airflow's own words, with the quotes."""


def module_of(path: Path) -> str:
    """Return a module's dotted name below the package; a package's own module has the name of the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE}
MODULES |= {path.stem: path for path in sorted(PACKAGE.glob("*.py")) if path.stem != "__init__"}


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return the package's modules that a module imports, wherever in it, for types too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == NAME:
            base = node.module.removeprefix(NAME).removeprefix(".")
            names = {f"{base}.{alias.name}".removeprefix(".") for alias in node.names}
            found |= {name if name in MODULES else base for name in names}
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix(f"{NAME}.") for a in node.names if a.name.startswith(f"{NAME}.")}
    return frozenset(found - {""})


def is_in(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def floor_of(module: str) -> int:
    """Return the number of the floor that a module is on: that of the longest name that fits."""
    fitting = [floor for floor in FLOORS if is_in(module, floor)]
    assert fitting, f"{module} is on no floor: give its package a place in FLOORS"
    return FLOORS.index(max(fitting, key=len))


@pytest.mark.parametrize("module", [module for module in MODULES if module != "service"])
def test_a_module_imports_only_from_its_floor_and_those_below(module: str) -> None:
    above = {name for name in imports_of(module) if floor_of(name) > floor_of(module)}
    assert not above


@pytest.mark.parametrize("folder", ["service", "build_record", "local"])
def test_what_is_below_airflow_does_not_import_it(folder: str) -> None:
    paths = list((PACKAGE / folder).rglob("*.py"))
    assert paths
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert "airflow" not in {name.split(".")[0] for name in names}, path


def test_imports_are_absolute() -> None:
    relative = {
        f"{path}:{node.lineno}"
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    }
    assert not relative


def test_no_import_goes_in_a_circle() -> None:
    try:
        TopologicalSorter({module: imports_of(module) - {module} for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_a_level_can_be_read_at_a_glance() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE}
    counts = {
        str(folder.relative_to(PACKAGE)): len(
            [
                item
                for item in folder.iterdir()
                if not item.name.startswith(("_", ".")) or item.name == "__main__.py"
            ]
        )
        for folder in folders
    }
    assert counts
    assert {folder: count for folder, count in counts.items() if count > WIDEST} == {}


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what a reader reads of a file: its lines; of Python its strings, comments and names of tests."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        read = token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string)
        if read or token.type == getattr(tokenize, "FSTRING_MIDDLE", None):
            yield from enumerate(token.string.split("\n"), token.start[0])
        elif token.type == tokenize.NAME and token.string.startswith("test_"):
            yield token.start[0], token.string.replace("_", " ")


def texts() -> list[Path]:
    """Return what a person reads of the repository: code, documents, build files."""
    folders = (
        "airflow_imagebuilder",
        "dags",
        "tests",
        "benchmarks",
        "docs",
        "docker",
        "frontend",
        ".ci",
        ".github",
    )
    kinds = {".py", ".md", ".sh", ".yaml", ".yml", ".toml", "", ".Dockerfile", ".ts", ".tsx", ".css", ".mjs"}
    found = {path for folder in folders for path in (REPOSITORY / folder).rglob("*")}
    found |= set(REPOSITORY.glob("*")) - {REPOSITORY / "LICENSE"}
    own = Path(__file__)  # it has the list itself
    return sorted(
        path
        for path in found
        if path.is_file()
        and path.suffix in kinds
        and not {"__pycache__", "node_modules", "static"} & set(path.parts)
        and path != own
        and not path.name.startswith(".")
    )


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_the_prose_is_plain(path: Path) -> None:
    quoted = QUOTED.get(str(path.relative_to(REPOSITORY)), ())
    hits = [
        f"{path.name}:{line}: {match[0]!r} in {text.strip()!r}"
        for line, text in prose_of(path)
        for match in WORDS.finditer(text)
        if not any(quote in text for quote in quoted)
    ]
    assert not hits, "\n".join(hits)
