"""The ``if`` of a step.

Source: User Guide, "Use conditional statements in your workflow steps".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.documents import paths
from airflow_imagebuilder.local.emulator.documents.text import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_LEVELS = 4
MAX_BRANCHES = 10
# The guide's own pattern wants two digits, and its examples have one.
_NUMBER = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]{1,300})?")


def _as_number(value: Any) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _as_boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _compare(
    convert: Callable[[Any], Any], test: Callable[[Any, Any], bool]
) -> tuple[Callable[[Any], Any], Callable[[Any, Any], bool]]:
    return convert, test


OPERATORS: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], bool]]] = {
    "booleanEquals": _compare(_as_boolean, lambda value, wanted: value is wanted),
    "stringEquals": _compare(_as_text, lambda value, wanted: value == wanted),
    "numberEquals": _compare(_as_number, lambda value, wanted: value == wanted),
    "numberGreaterThan": _compare(_as_number, lambda value, wanted: value > wanted),
    "numberGreaterThanEquals": _compare(_as_number, lambda value, wanted: value >= wanted),
    "numberLessThan": _compare(_as_number, lambda value, wanted: value < wanted),
    "numberLessThanEquals": _compare(_as_number, lambda value, wanted: value <= wanted),
}
_BRANCHES = ("and", "or", "not")


def check(condition: Any, level: int = 1) -> None:
    """Check a condition.

    :raises DocumentError: the guide does not allow it.
    """
    condition = _single(condition)
    if not isinstance(condition, dict):
        raise DocumentError(f"'if' is a statement with an operator, not {condition!r}.")
    if level > MAX_LEVELS:
        raise DocumentError(f"'if' has at most {MAX_LEVELS} levels.", condition)
    statements = [key for key in condition if key in _BRANCHES or key in OPERATORS]
    if len(statements) != 1:
        allowed = ", ".join((*_BRANCHES, *OPERATORS))
        raise DocumentError(f"A statement of 'if' has exactly one of: {allowed}.", condition)
    (name,) = statements
    if name == "not":
        _check_keys(condition, {"not"})
        check(condition["not"], level + 1)
    elif name in _BRANCHES:
        _check_branch(condition, name, level)
    else:
        _check_comparison(condition, name)


def _single(condition: Any) -> Any:
    """Return the statement of a list with one, as the guide also writes it."""
    return condition[0] if isinstance(condition, list) and len(condition) == 1 else condition


def _check_keys(condition: dict[str, Any], allowed: set[str]) -> None:
    if unknown := sorted(set(condition) - allowed):
        raise DocumentError(f"A statement of 'if' has no {', '.join(unknown)}.", condition)


def _check_branch(condition: dict[str, Any], name: str, level: int) -> None:
    _check_keys(condition, {name})
    children = condition[name]
    if not isinstance(children, list) or not 1 <= len(children) <= MAX_BRANCHES:
        raise DocumentError(f"'{name}' is a list of 1 to {MAX_BRANCHES} statements.", condition)
    for child in children:
        check(child, level + 1)


def _check_comparison(condition: dict[str, Any], name: str) -> None:
    _check_keys(condition, {name, "value"})
    if "value" not in condition:
        raise DocumentError(f"'{name}' needs a 'value'.", condition)
    convert = OPERATORS[name][0]
    for value in (condition[name], condition["value"]):
        if not paths.is_path(value) and convert(value) is None:
            raise DocumentError(f"'{name}' cannot compare {value!r}.", condition)


def references(condition: Any) -> Iterator[str]:
    """Yield every path in a condition."""
    condition = _single(condition)
    for child in condition.values():
        if paths.is_path(child):
            yield child
        elif isinstance(child, list):
            for item in child:
                yield from references(item)
        elif isinstance(child, dict):
            yield from references(child)


def holds(condition: Any, values: Mapping[str, Any]) -> bool:
    """Whether a checked condition is true; a comparison with a path that leads to nothing is false.

    :param condition: the ``if`` of the document; None is true.
    :param values: what the paths refer to (:func:`.paths.find`).
    """
    if condition is None:
        return True
    condition = _single(condition)
    if "and" in condition:
        return all(holds(child, values) for child in condition["and"])
    if "or" in condition:
        return any(holds(child, values) for child in condition["or"])
    if "not" in condition:
        return not holds(condition["not"], values)
    name = next(key for key in condition if key in OPERATORS)
    convert, test = OPERATORS[name]
    value, wanted = (convert(_value(condition[key], values)) for key in ("value", name))
    return value is not None and wanted is not None and test(value, wanted)


def _value(value: Any, values: Mapping[str, Any]) -> Any:
    if not paths.is_path(value):
        return value
    try:
        return paths.find(value, values)
    except paths.UnresolvedError:
        return None
