"""The command lines, from their parsers."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import os
import re
import sys
from pathlib import Path
from unittest import mock

from reference_text.docstring import escaped, indented, literal, table

ROOT = Path(__file__).parents[3]
COMMANDS = {
    "airflow_imagebuilder.local": "airflow_imagebuilder.local.__main__",
    "airflow_imagebuilder.local.demo": "airflow_imagebuilder.local.demo.local",
    "airflow_imagebuilder.local.demo.compose": "airflow_imagebuilder.local.demo.compose",
    "airflow_imagebuilder.clean_up": "airflow_imagebuilder.clean_up.__main__",
    "tests.contract": "tests.contract.__main__",
}
"""The module that ``python -m`` is given, and the module whose ``main`` reads the command line."""

OTHERS = ("airflow_imagebuilder.local control",)
"""Commands behind another one, which have parsers of their own."""


def parser_of(module: str, words: tuple[str, ...] = ()) -> argparse.ArgumentParser:
    """
    Return the parser of a command: the one that would print its help.

    :param module: the module with ``main``.
    :param words: the words between the command and its options.
    """
    asked: list[argparse.ArgumentParser] = []

    def keep(self: argparse.ArgumentParser, file: object = None) -> None:
        del file
        asked.append(self)

    # Where the documentation is built there is no pytest, which no parser needs.
    stand_in = {} if importlib.util.find_spec("pytest") else {"pytest": mock.MagicMock()}
    with mock.patch.dict(sys.modules, stand_in):
        main = importlib.import_module(module).main
    with (
        mock.patch.object(argparse.ArgumentParser, "print_help", keep),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        main([*words, "--help"])
    return asked[0]


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command, by what is written after ``python -m``."""
    found = {name: parser_of(module) for name, module in COMMANDS.items()}
    for name in OTHERS:
        first, *words = name.split()
        with contextlib.suppress(IndexError):
            parser = parser_of(COMMANDS[first], tuple(words))
            if parser.prog != found[first].prog:
                found[name] = parser
    for name, parser in list(found.items()):
        for action in parser._actions:  # noqa: SLF001 (argparse has no other way to them)
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                found |= {f"{name} {word}": below for word, below in action.choices.items()}
    return found


def command_text(name: str, parser: argparse.ArgumentParser) -> str:
    """Return the description of a command: its usage, what it does, its options."""
    with mock.patch.dict(os.environ, {"COLUMNS": "100"}):
        usage = parser.format_usage().partition(":")[2].strip()
    rows = [("Option", "Meaning")]
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, (argparse._HelpAction, argparse._SubParsersAction)):  # noqa: SLF001
            continue
        rows.append((_written(parser, action), _help(parser, action)))
    parts = [f"``python -m {name}``", f".. code-block:: text\n\n{indented(_left(usage))}"]
    parts += [_says(parser.description), table((32, 68), rows) if len(rows) > 1 else "", _says(parser.epilog)]
    return "\n\n".join(filter(None, (f".. rubric:: {parts[0]}", *parts[1:]))) + "\n"


def commands_text() -> str:
    """Return the descriptions of all commands."""
    return "\n".join(command_text(name, parser) for name, parser in commands().items())


def _written(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    value = ""
    if action.nargs != 0:
        formatter = parser._get_formatter()  # noqa: SLF001
        name = action.dest.upper() if action.option_strings else action.dest
        value = formatter._format_args(action, name)  # noqa: SLF001
    return literal(" ".join(filter(None, (*action.option_strings[-1:], value))))


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    text = parser._get_formatter()._expand_help(action) if action.help else ""  # noqa: SLF001
    choices = f" One of {', '.join(map(str, action.choices))}." if action.choices else ""
    required = " Required." if action.required and action.option_strings else ""
    return _with_options(_portable(f"{text}{choices}{required}")) or "see the description"


def _says(text: str | None) -> str:
    paragraphs = re.split(r"\n\s*\n", (text or "").strip())
    return "\n\n".join(part if "``" in part else _with_options(part) for part in paragraphs)


def _with_options(text: str) -> str:
    """Return plain text, with options as code: two hyphens would be shown as a dash."""
    parts = re.split(r"(--[a-z][\w-]*)", text)
    return "".join(literal(part) if number % 2 else escaped(part) for number, part in enumerate(parts))


def _portable(text: str) -> str:
    """Return the text without the folder of this repository."""
    return text.replace(f"{ROOT}/", "").replace(str(ROOT), "the repository's folder")


def _left(usage: str) -> str:
    lines = usage.splitlines()
    return "\n".join([lines[0], *(f"    {line.strip()}" for line in lines[1:])])
