"""
What the local Image Builder models, guesses and does not do, as a page: ``make coverage-page``.

All of it comes from the code: the table of operations, what is declared beside it, the guesses, and the
members that the walk through AWS's model never meets.
"""

from __future__ import annotations

from pathlib import Path

from airflow_imagebuilder.local.emulator.engine import Engine, guesses
from airflow_imagebuilder.local.emulator.engine.operations.coverage import COVERAGE, EVERYWHERE
from tests.unit.local.emulator.walk.test_model_walk import NEVER

PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"
_HEAD = """\
# What the local Image Builder covers

Written from the code by `make coverage-page`; a test fails when it is out of date. It shows, for each of the
{operations} operations of AWS's model, what the [local Image Builder](local-image-builder.md) models, where
it guesses because the public documents are silent, and what it does not do. `make verify-aws` compares the
{guesses} guesses with an account.
"""


def page() -> str:
    """Return the page."""
    answered = Engine(seed=1).operations
    lines = [_HEAD.format(operations=len(answered), guesses=len(guesses.REGISTRY))]
    lines += ["## In every operation", "", *(f"- {text}" for text in EVERYWHERE)]
    lines += [f"- Guessed: {', '.join(_links(guesses.EVERY))}.", ""]
    lines += [
        "## Operations",
        "",
        "| Operation | Modelled | Guessed | Not done |",
        "| --- | --- | --- | --- |",
    ]
    for operation in sorted(answered):
        found = COVERAGE[operation]
        guessed = ", ".join(_links(operation))
        lines.append(f"| {operation} | {found.modelled} | {guessed} | {found.missing} |")
    lines += ["", "## Members that are never answered", ""]
    lines += ["As patterns of their paths.", "", "| Member | Why |", "| --- | --- |"]
    lines += [f"| `{pattern.replace('|', chr(92) + '|')}` | {why} |" for pattern, why in NEVER.items()]
    lines += ["", "## Guesses", ""]
    lines += ["`--guess NAME=VALUE` starts the service with another value, if a guess has one."]
    for id_, guess in sorted(guesses.REGISTRY.items()):
        other = "" if guess.structural else f" AWS might have: `{guesses.as_text(guess.otherwise)}`."
        here = f"Here: `{guesses.as_text(guess.here)}`.{other}"
        lines += ["", f"### {id_}", "", f"{guess.says} {here} Searched: {guess.searched}"]
    return "\n".join(lines) + "\n"


def _links(operation: str) -> list[str]:
    """Return links to the guesses of an operation; GitHub gives a heading its text in small letters."""
    ids = sorted(id_ for id_, guess in guesses.REGISTRY.items() if operation in guess.operations)
    return [f"[{id_}](#{id_.lower()})" for id_ in ids]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
