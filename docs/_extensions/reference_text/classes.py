"""Operators, the sensor, the task group and the triggers, each with all of its parameters."""

from __future__ import annotations

import inspect
import typing
from dataclasses import dataclass
from typing import Any

import airflow_imagebuilder
from reference_text import docstring
from reference_text.docstring import indented, literal, plain, table

PACKAGE = "airflow_imagebuilder"
TITLES = {
    "ImageBuilderBaseOperator": "Of every operator",
    "ImageBuilderWaitingOperator": "Of every operator that waits for an image",
    "ImageBuilderSubmittingOperator": "Of every operator that submits an image",
    "ImageBuilderTrigger": "Of every trigger",
}
"""The heading above the parameters that a class inherits."""

_MISSING = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    """
    One parameter of a class.

    :param name: its name.
    :param text: what its docstring says.
    :param kind: its annotation, as written; empty if there is none.
    :param default: its default, as code; empty if it has none.
    :param templated: whether Airflow renders templates in it.
    """

    name: str
    text: str
    kind: str
    default: str
    templated: bool


def own_bases(cls: type) -> list[type]:
    """Return the class and its bases that are of this package, in the order in which Python asks them."""
    return [base for base in cls.__mro__ if base.__module__.startswith(PACKAGE)]


def groups(cls: type) -> list[tuple[str, list[Parameter]]]:
    """
    Return the parameters of a class: its own ones, then those of each base that documents others.

    :return: pairs of a heading and parameters. A parameter is in the first group that documents it.
    """
    known: set[str] = set()
    found = []
    templates = set(getattr(cls, "template_fields", ()))
    for base in own_bases(cls):
        texts = {name: text for name, text in docstring.read(base).params.items() if name not in known}
        known |= texts.keys()
        parameters = [
            Parameter(name, text, *_signature(cls, name), templated=name in templates)
            for name, text in texts.items()
        ]
        if parameters:
            title = "Parameters" if base is cls else TITLES.get(base.__name__, f"Of {base.__name__}")
            found.append((title, parameters))
    return found


def accepted(cls: type) -> list[str]:
    """Return the names of all parameters that the constructors of a class in this package name."""
    names = dict[str, None]()
    for base in own_bases(cls):
        if "__init__" in vars(base):
            names |= dict.fromkeys(_parameters(base))
    return [name for name in names if name not in ("self", "kwargs", "arguments")]


def members_of_unpack(cls: type) -> list[str]:
    """Return the names of the keywords that the task group takes by ``**arguments: Unpack[...]``.

    Those of operators are parameters of their bases, which are listed there, and Airflow's own.
    """
    for parameter in inspect.signature(vars(cls).get("__init__", cls.__init__)).parameters.values():
        text = str(parameter.annotation)
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and text.startswith("Unpack["):
            home = __import__(f"{PACKAGE}.task_groups.arguments", fromlist=["_"])
            named = getattr(home, text[len("Unpack[") : -1], None)
            return list(typing.cast("Any", named).__annotations__) if named else []
    return []


def class_text(name: str) -> str:
    """
    Return the description of a class of the package.

    :param name: its name in ``airflow_imagebuilder``.
    """
    cls = getattr(airflow_imagebuilder, name)
    says = docstring.read(cls)
    parts = [says.body]
    for title, parameters in groups(cls):
        parts += [f".. rubric:: {title}", parameter_table(parameters)]
    if more := members_of_unpack(cls):
        parts.append(
            "``**arguments`` takes "
            + ", ".join(map(literal, more))
            + ", and every other argument of Airflow's ``TaskGroup``."
        )
    elif hasattr(cls, "template_fields"):
        parts.append(f"It takes every argument of Airflow's ``{_airflow_base(cls)}``, too.")
    parts += [_fields(says), _links(cls)]
    body = indented("\n\n".join(filter(None, parts)))
    return f".. py:class:: {name}\n   :module: {PACKAGE}\n\n{body}\n"


def parameter_table(parameters: list[Parameter]) -> str:
    """Return the table of parameters."""
    rows = [("Parameter", "Default", "Meaning")]
    for one in parameters:
        notes = [f"Type: {literal(one.kind)}"] if one.kind else []
        notes += ["templated"] if one.templated else []
        note = f"\n\n:ref-note:`{', '.join(_as_note(note) for note in notes)}`" if notes else ""
        rows.append((literal(one.name), literal(one.default) or "required", f"{one.text}{note}"))
    return table((34, 17, 49), rows, css="reference parameters")


def _as_note(text: str) -> str:
    return text.replace("``", "")


def _fields(says: docstring.Docstring) -> str:
    lines = [f":return: {says.returns}"] if says.returns else []
    lines += [f":raises {name}: {text}" for name, text in says.raises.items()]
    return "\n".join(lines)


def _links(cls: type) -> str:
    links = [link.name for link in getattr(cls, "operator_extra_links", ()) or () if hasattr(link, "name")]
    return f"Links of the task in Airflow's UI: {', '.join(map(plain, links))}." if links else ""


def _airflow_base(cls: type) -> str:
    bases = [base.__name__ for base in cls.__mro__ if not base.__module__.startswith(PACKAGE)]
    return "BaseSensorOperator" if "BaseSensorOperator" in bases else "BaseOperator"


def _signature(cls: type, name: str) -> tuple[str, str]:
    """Return the annotation and the default of a parameter, from the first class that names it."""
    for base in own_bases(cls):
        if "__init__" in vars(base) and name in (parameters := _parameters(base)):
            parameter = parameters[name]
            kind = "" if parameter.annotation is _MISSING else str(parameter.annotation)
            return kind, _default(parameter)
    return "", "unset" if hasattr(cls, "template_fields") or name == "arguments" else ""


def _parameters(cls: type) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(vars(cls)["__init__"]).parameters)


def _default(parameter: inspect.Parameter) -> str:
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return "none"
    if parameter.default is _MISSING:
        return ""
    value = parameter.default
    if hasattr(value, "total_seconds"):
        return _duration(value.total_seconds())
    if hasattr(value, "value"):
        return repr(value.value)
    return repr(value)


def _duration(seconds: float) -> str:
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds % size == 0:
            return f"timedelta({unit}={seconds / size:g})"
    return f"timedelta(seconds={seconds:g})"


def own_members(cls: type) -> list[str]:
    """Return the public methods and properties of a class that this package defines, in their order."""
    names = dict[str, None]()
    for base in own_bases(cls):
        for name, member in vars(base).items():
            documented = inspect.getdoc(getattr(member, "__func__", member))
            if not name.startswith("_") and documented and not isinstance(member, (str, int, bool)):
                names[name] = None
    return list(names)


def hook_text() -> str:
    """Return the description of the hook: what it adds to the hook of the amazon provider."""
    names = ", ".join(own_members(airflow_imagebuilder.ImageBuilderHook))
    return (
        f".. autoclass:: {PACKAGE}.ImageBuilderHook\n   :members: {names}\n"
        "   :exclude-members: __init__, __new__\n"
    )
