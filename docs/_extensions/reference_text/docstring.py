"""The docstrings of this package: a body, then fields."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

_FIELD = re.compile(r"^:(param|return|raises)\s*([^:]*):\s?(.*)$")


@dataclass
class Docstring:
    """
    What a docstring says.

    :param body: everything but the fields, as it is written.
    :param params: the text of each parameter, by name, in the order of the docstring.
    :param returns: what is returned; empty if the docstring does not say it.
    :param raises: the text of each error, by its name.
    """

    body: str = ""
    params: dict[str, str] = field(default_factory=dict)
    returns: str = ""
    raises: dict[str, str] = field(default_factory=dict)


def read(thing: object) -> Docstring:
    """Return what the docstring of an object itself says; an inherited docstring does not count."""
    found, body = Docstring(), list[str]()
    fields: list[tuple[str, str, list[str]]] = []
    inside = False
    for line in inspect.cleandoc(getattr(thing, "__doc__", None) or "").splitlines():
        if begun := _FIELD.match(line):
            fields.append((begun[1], begun[2].strip(), [begun[3]]))
            inside = True
        elif inside and (line.startswith(" ") or not line):
            fields[-1][2].append(line.strip())
        else:
            inside = False
            body.append(line)
    for kind, name, lines in fields:
        text = " ".join(filter(None, lines))
        if kind == "return":
            found.returns = text
        else:
            (found.params if kind == "param" else found.raises)[name] = text
    found.body = "\n".join(body).strip()
    return found


def summary(thing: object) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join(read(thing).body.partition("\n\n")[0].split())


def indented(text: str, by: str = "   ") -> str:
    """Return the text, each line that is not empty further in."""
    return "\n".join(f"{by}{line}" if line else "" for line in text.splitlines())


def plain(text: object) -> str:
    """Return text that has no markup, so that reStructuredText shows it as it is."""
    return escaped(" ".join(str(text).split()))


def escaped(text: str) -> str:
    """Return text whose characters mean nothing in reStructuredText."""
    return re.sub(r"([\\*`|_<>])", r"\\\1", text)


def literal(text: object) -> str:
    """Return text as code."""
    return f"``{text}``" if str(text).strip() else ""


def table(widths: tuple[int, ...], rows: list[tuple[str, ...]], css: str = "reference") -> str:
    """
    Return a table.

    :param widths: the share of each column.
    :param rows: cells of reStructuredText; the first row is the head.
    :param css: the class of the table.
    """
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {' '.join(map(str, widths))}",
        f"   :class: {css}",
        "",
    ]
    for row in rows:
        for number, cell in enumerate(row):
            first, *others = cell.splitlines() or [""]
            lines.append(f"   {'* -' if number == 0 else '  -'} {first}".rstrip())
            lines += [f"       {line}".rstrip() for line in others]
    return "\n".join(lines) + "\n"
