"""The parameters of workflow documents: as declared, as given, and their values.

Source: User Guide, "Create a YAML workflow document"; service model, ``WorkflowParameterDetail``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.documents.text import Doc, DocumentError, Mapping

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as AnyMapping

MAX_PARAMETERS = 25
MAX_NAME = 128
TYPES = ("string", "integer", "boolean", "stringList")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_KEYS = frozenset({"name", "type", "default", "description"})


def read(declared: Any) -> list[Doc]:
    """Read the declarations of a document.

    :param declared: its ``parameters``; None without any.
    :raises DocumentError: the guide does not allow them.
    :return: ``WorkflowParameterDetail`` of each; every default is a list of texts.
    """
    items = [] if declared is None else declared
    if not isinstance(items, list) or len(items) > MAX_PARAMETERS:
        raise DocumentError(f"parameters: at most {MAX_PARAMETERS} items in a list.")
    details = [_detail(item) for item in items]
    names = [detail["name"] for detail in details]
    for name in names:
        if names.count(name) > 1:
            raise DocumentError(f"Parameter '{name}' is declared more than once.")
    return details


def _detail(item: Any) -> Doc:
    if not isinstance(item, Mapping):
        raise DocumentError(f"parameters: {item!r} is not a mapping.")
    name, type_ = item.get("name"), item.get("type")
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise DocumentError(f"A parameter has a name of 1 to {MAX_NAME} characters.", item)
    if unknown := sorted(set(item) - _KEYS):
        raise DocumentError(f"Parameter '{name}' has no '{unknown[0]}'.", item)
    if not isinstance(type_, str) or type_ not in TYPES:
        raise DocumentError(f"Parameter '{name}': type is one of {', '.join(TYPES)}, not {type_!r}.", item)
    detail: Doc = {"name": name, "type": type_}
    if item.get("default") is not None:
        detail["defaultValue"] = _texts(item["default"])
        if why := fault(detail, detail["defaultValue"]):
            raise DocumentError(f"Parameter '{name}': its default {why}.", item)
    if item.get("description") is not None:
        detail["description"] = str(item["description"])[:1024]
    return detail


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]


def fault(detail: Doc, given: list[str]) -> str | None:
    """Return what is wrong with the value of a parameter; None if it fits.

    :param detail: ``WorkflowParameterDetail``.
    """
    type_ = detail["type"]
    if type_ == "stringList":
        return None
    if len(given) != 1:
        return f"has {len(given)} values, and a {type_} has one"
    if type_ == "integer" and not _INTEGER.fullmatch(given[0]):
        return f"is not an integer: '{given[0]}'"
    if type_ == "boolean" and given[0].lower() not in ("true", "false"):
        return f"is neither true nor false: '{given[0]}'"
    return None


def refused(declared: Iterable[Doc], given: AnyMapping[str, list[str]]) -> str | None:
    """Return why the parameters of a request are refused; None if they fit the document.

    :param declared: what :func:`read` returned.
    :param given: names and values of the request.
    """
    details = {detail["name"]: detail for detail in declared}
    if unknown := sorted(set(given) - set(details)):
        return f"The workflow has no parameter {', '.join(unknown)}."
    required = {name for name, detail in details.items() if "defaultValue" not in detail}
    if lacking := sorted(required - set(given)):
        return f"The workflow needs a value for {', '.join(lacking)}."
    for name, value in given.items():
        if why := fault(details[name], value):
            return f"The value of parameter {name} {why}."
    return None


def values(declared: Iterable[Doc], given: AnyMapping[str, list[str]]) -> Doc:
    """Return the values of ``$.parameters``: those of the request or the defaults, in the declared types.

    :param declared: what :func:`read` returned.
    :param given: names and values of the request, which :func:`refused` has accepted.
    """
    return {
        detail["name"]: _typed(detail["type"], given.get(detail["name"], detail.get("defaultValue", [])))
        for detail in declared
    }


def _typed(type_: str, given: list[str]) -> Any:
    if type_ == "stringList":
        return list(given)
    if type_ == "boolean":
        return given[0].lower() == "true"
    return int(given[0]) if type_ == "integer" else given[0]
