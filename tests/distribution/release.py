"""
What has to be true of a tag before it is published, and the notes of its release.

``python -m tests.distribution.release check v1.2.3``, and ``... notes``: what the changelog says of it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import airflow_imagebuilder

REPOSITORY = Path(__file__).parents[2]
VERSION = airflow_imagebuilder.__version__
HEADING = re.compile(r"^## (\d+\.\d+\.\d+\S*) \((.+)\)$", re.MULTILINE)
"""A version of the changelog, with its date or "unreleased"."""


def sections(changelog: str) -> dict[str, tuple[str, str]]:
    """Return, by version and in the order of the file, its date and its text."""
    found = list(HEADING.finditer(changelog))
    texts = HEADING.split(changelog)[3::3]
    return {heading[1]: (heading[2], text.strip()) for heading, text in zip(found, texts, strict=True)}


def problems(tag: str, version: str, changelog: str) -> list[str]:
    """Return what is wrong with a tag, for the version of the package and its changelog."""
    wrong = []
    if tag != f"v{version}":
        wrong.append(f"the tag is {tag}, and the version in airflow_imagebuilder/__init__.py is {version}")
    dated = sections(changelog)
    if next(iter(dated), None) != version:
        wrong.append(f"the first version in CHANGELOG.md is {next(iter(dated), 'missing')}, not {version}")
        return wrong
    date, text = dated[version]
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        wrong.append(f"CHANGELOG.md says {version} ({date}); a release has its date there: YYYY-MM-DD")
    if not text:
        wrong.append(f"CHANGELOG.md says nothing about {version}")
    return wrong


def main(command: str, *arguments: str) -> int:
    """Run a command, and return its exit code."""
    changelog = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    if command == "notes":
        # GitHub shows each line break of a release: a paragraph becomes one line.
        print(re.sub(r"(?<=\S)\n(?: +|(?=[\w`*(\[]))(?![-#])", " ", sections(changelog)[VERSION][1]))
        return 0
    wrong = problems(arguments[0], VERSION, changelog)
    for line in wrong:
        print(f"release: {line}", file=sys.stderr)
    return len(wrong) and 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
