"""
Every regular expression that meets a client's text, against texts that are as slow as possible for it.

``python -m tests.hostile.patterns SECONDS`` tries them all, and is killed when it has used so much CPU time.
It prints each expression before it is tried, so that the last line names the slow one.
"""

from __future__ import annotations

import ast
import importlib
import re
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session

from airflow_imagebuilder.local import emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SIZE = 64 * 1024
#: Beginnings of an example that are repeated.
MOST = 40
FOLDER = Path(emulator.__file__).parent
SEARCHES = frozenset({"fullmatch", "match", "search", "sub", "split", "findall", "finditer"})
#: Modules that take their expressions from a table, not from the place where they are used.
TABLES = {
    "managed/images.py": "_FAMILIES",
    "engine/operations/rules/parents.py": "_NAMES",
}
#: Expressions that are made of other texts: those of botocore's model, and the letters of a date.
MADE = {"http/codec.py": "text", "engine/simulation/outputs/ami_names.py": "'|'.join("}


def of_the_code() -> Iterator[tuple[str, str, Any]]:
    """Yield the expressions of the emulator: where each is, how it is applied, and its text or bytes."""
    for path in sorted(FOLDER.rglob("*.py")):
        module, tree = str(path.relative_to(FOLDER)), ast.parse(path.read_text("utf-8"))
        applied = {
            node.value.id: node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in SEARCHES
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.")):
                continue
            how, given = ast.unparse(node.func).removeprefix("re."), node.args[0]
            if isinstance(given, ast.Constant):
                name = _name(tree, node) if how == "compile" else None
                yield f"{module}:{node.lineno}", applied[name] if name else how, given.value
            elif module in TABLES:
                yield from _of_a_table(module, how)
            elif not ast.unparse(given).startswith(MADE[module]):
                raise LookupError(f"{module}:{node.lineno}: where does the expression come from?")


def _name(tree: ast.Module, call: ast.Call) -> str:
    """Return the name that a compiled expression has."""
    (found,) = (n for n in tree.body if isinstance(n, ast.Assign) and n.value is call)
    return ast.unparse(found.targets[0])


def _of_a_table(module: str, how: str) -> Iterator[tuple[str, str, Any]]:
    name = module.removesuffix(".py").replace("/", ".")
    table = getattr(importlib.import_module(f"{emulator.__name__}.{name}"), TABLES[module])
    for index, row in enumerate(table):
        yield f"{module} {TABLES[module]}[{index}]", how, row[0]


def of_the_model() -> Iterator[tuple[str, str, str]]:
    """Yield the expressions of botocore's model in the same way; where is the name of a shape."""
    model = botocore.session.get_session().get_service_model("imagebuilder")
    for name in model.shape_names:
        if pattern := model.shape_for(name).metadata.get("pattern"):
            yield name, "fullmatch", pattern


class _Writer:
    """Writes a text that an expression takes, in which one of its repetitions is as long as may be."""

    def __init__(self, long: int | None, size: int) -> None:
        self._long, self._size, self._seen = long, size, -1

    def text(self, tree: Iterable[Any]) -> str:
        return "".join(self._node(str(code), value) for code, value in tree)

    def _node(self, code: str, value: Any) -> str:
        kinds: dict[str, Callable[[], str]] = {
            "LITERAL": lambda: chr(value),
            "NOT_LITERAL": lambda: "a" if value != ord("a") else "b",
            "IN": lambda: _member(value),
            "ANY": lambda: "a",
            "MAX_REPEAT": lambda: self._repeat(value),
            "SUBPATTERN": lambda: self.text(value[3]),
            "BRANCH": lambda: self.text(value[1][0]),
            "AT": str,
            "ASSERT": str,
            "ASSERT_NOT": str,
        }
        return kinds[code]()

    def _repeat(self, value: Any) -> str:
        least, most, inner = value
        self._seen += 1
        is_long = self._seen == self._long
        one = self.text(inner) or "a"
        wanted = min(int(most), self._size // len(one)) if is_long else max(int(least), 1)
        return one * min(wanted, self._size // len(one))


def _member(items: Any) -> str:
    """Return a character of a class; of one that excludes some, a letter or a blank."""
    codes = [(str(code), value) for code, value in items]
    if codes[0][0] == "NEGATE":
        return next(c for c in "a b0-" if not _is_in(c, codes[1:]))
    code, value = codes[0]
    return {"LITERAL": lambda: chr(value), "RANGE": lambda: chr(value[0])}.get(
        code, lambda: {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " "}.get(str(value), "a")
    )()


def _is_in(character: str, codes: list[tuple[str, Any]]) -> bool:
    kinds = {"CATEGORY_SPACE": character.isspace(), "CATEGORY_DIGIT": character.isdigit()}
    return any(
        (code == "LITERAL" and value == ord(character))
        or (code == "RANGE" and value[0] <= ord(character) <= value[1])
        or (code == "CATEGORY" and kinds.get(str(value), True))
        for code, value in codes
    )


def texts(expression: str, size: int = SIZE) -> Iterator[str]:
    """Yield texts of a size that almost fit: each repetition at its longest, and each beginning repeated."""
    parser: Any = getattr(re, "_parser", None) or importlib.import_module("sre_parse")
    tree = parser.parse(expression)
    short = _Writer(None, size)
    example = short.text(tree) or "a"
    for index in range(short._seen + 1):
        long = _Writer(index, size).text(tree)
        # Nearly right: the end is wrong, or missing.
        yield f"{long[: size - 1]}\x00"
        yield long[:-1] + "!"
    for length in range(1, min(len(example), MOST) + 1):
        begin = example[:length]
        yield (begin * (size // length + 1))[:size]
    yield example[:-1] + " " * size


def attack(expression: Any, how: str) -> None:
    """Apply an expression to each slow text, e.g. with ``search``."""
    given = expression.decode("latin-1") if isinstance(expression, bytes) else expression
    find = getattr(re.compile(expression), {"sub": "findall"}.get(how, how))
    for text in texts(given):
        find(text.encode("latin-1") if isinstance(expression, bytes) else text)


def main(seconds: int, given: list[str]) -> None:
    """
    Attack the given expressions; by default all of the emulator and of the model.

    :param seconds: CPU time after which the system kills this process.
    """
    every = [("given", "search", text) for text in given] or [*of_the_code(), *of_the_model()]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    for where, how, expression in every:
        sys.stdout.write(f"{where} {how} {expression!r}\n")
        sys.stdout.flush()
        attack(expression, how)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
