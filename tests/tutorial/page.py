"""The page of the tutorial as a list of what its reader does, one after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "tutorial.md"

STAYS = "stays"
"""The comment before a block whose command keeps running, until the reader interrupts it."""

_PART = re.compile(
    r"^```(?P<language>\w*)\n(?P<code>.*?)^```$"
    r"|^<!-- (?P<comment>[^\n]*) -->$"
    r"|^(?P<item>\d+\. .*?)(?=^\d+\. |^```|^$|\Z)"
    r"|^`(?P<file>[\w./-]+)`:$",
    re.DOTALL | re.MULTILINE,
)
_STEPS = re.compile(r"<!-- steps?: (.*?) -->", re.DOTALL)
_PLAIN = re.compile(r"\s+")


class PageError(ValueError):
    """The page has a place that cannot be followed; the message names its line."""


@dataclass(frozen=True)
class Command:
    """One command of a block, and what it prints according to the page, a line each."""

    text: str
    prints: tuple[str, ...]


@dataclass(frozen=True)
class Terminal:
    """A block of commands.

    :param stays: whether its last command keeps running.
    """

    line: int
    commands: tuple[Command, ...]
    stays: bool = False


@dataclass(frozen=True)
class File:
    """A file that the reader writes."""

    line: int
    path: str
    text: str


@dataclass(frozen=True)
class Replacement:
    """A text of a file that the reader replaces by another."""

    line: int
    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Browser:
    """What the reader does in the browser.

    :param words: the item as it is read.
    :param steps: what is done, a word and perhaps a name: the item's comment.
    :param bold: what the item has in bold: what the reader clicks on.
    :param code: what the item has as code: what the reader sees.
    """

    line: int
    words: str
    steps: tuple[str, ...]
    bold: tuple[str, ...]
    code: tuple[str, ...]


@dataclass(frozen=True)
class Interrupt:
    """Ctrl-C in the terminal whose command stays."""

    line: int
    prints: tuple[str, ...] = field(default=())


Action = Terminal | File | Replacement | Browser | Interrupt


def actions(text: str) -> list[Action]:
    """Return what the reader of a page does.

    :raises PageError: a numbered item has no comment with its steps, or a block cannot be read.
    """
    walk = _Walk()
    return [
        action
        for part in _PART.finditer(text)
        for action in walk.read(part, text.count("\n", 0, part.start()) + 1)
    ]


class _Walk:
    """The page from top to bottom: the last comment and the last file name say what a block is."""

    def __init__(self) -> None:
        self._mark, self._path = "", ""

    def read(self, part: re.Match[str], line: int) -> Iterator[Action]:
        """Yield what one part of the page lets the reader do."""
        if part["comment"] is not None:
            self._mark = part["comment"]
            if self._mark == "interrupt":
                yield Interrupt(line)
        elif part["file"]:
            self._path = part["file"]
        elif part["item"]:
            yield _item(part["item"], line)
        elif part["language"] == "console":
            yield _terminal(part["code"], line, stays=self._taken() == STAYS)
        elif part["language"] == "python":
            yield File(line, self._file(line), part["code"])
        elif part["language"] == "diff":
            old, new = (_lines(part["code"], sign) for sign in "-+")
            yield Replacement(line, self._file(line), old, new)
        elif part["language"] != "text":
            raise PageError(f"line {line}: nothing is done with this block: {part['code'][:60]!r}")

    def _taken(self) -> str:
        mark, self._mark = self._mark, ""
        return mark

    def _file(self, line: int) -> str:
        if not self._path:
            raise PageError(f"line {line}: no line before this block names its file")
        path, self._path = self._path, ""
        return path


def _lines(code: str, sign: str) -> str:
    """Return the lines that a difference removes or adds."""
    return "".join(f"{row[1:]}\n" for row in code.splitlines() if row.startswith(sign))


def _terminal(code: str, line: int, *, stays: bool) -> Terminal:
    commands: list[tuple[str, list[str]]] = []
    for row in code.splitlines():
        if row.startswith("$ "):
            commands.append((row[2:], []))
        elif row.startswith("> ") and commands and not commands[-1][1]:
            commands[-1] = (f"{commands[-1][0]}\n{row[2:]}", [])
        elif not commands:
            raise PageError(f"line {line}: the block begins with output: {row!r}")
        elif row:
            commands[-1][1].append(row)
    return Terminal(line, tuple(Command(text, tuple(rows)) for text, rows in commands), stays)


def _item(item: str, line: int) -> Browser:
    found = _STEPS.search(item)
    words = _PLAIN.sub(" ", _STEPS.sub("", item)).strip()
    if not found:
        raise PageError(f"line {line}: no comment says how a script does this: {words}")
    steps = tuple(step.strip() for step in _PLAIN.sub(" ", found[1]).split(";"))
    bold = tuple(re.findall(r"\*\*(.+?)\*\*", words))
    return Browser(line, words, steps, bold, tuple(re.findall(r"`(.+?)`", words)))
