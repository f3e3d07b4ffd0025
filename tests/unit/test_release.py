"""What is checked of a tag before it is published."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import airflow_imagebuilder
from tests.distribution import release

CHANGELOG = (Path(__file__).parents[2] / "CHANGELOG.md").read_text("utf-8")
DATED = "# Changelog\n\n## 1.1.0 (2027-01-31)\n\n- A thing.\n\n## 1.0.0 (2026-12-01)\n\n- The first.\n"
SILENT = DATED.replace("- A thing.\n\n", "")


def test_a_tag_of_a_dated_version_is_published() -> None:
    assert release.problems("v1.1.0", "1.1.0", DATED) == []


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "problem"),
    [
        ("v1.2.0", "1.1.0", DATED, "the tag is v1.2.0"),
        ("1.1.0", "1.1.0", DATED, "the tag is 1.1.0"),
        ("v1.2.0", "1.2.0", DATED, "the first version in CHANGELOG.md is 1.1.0, not 1.2.0"),
        ("v1.0.0", "1.0.0", DATED, "the first version in CHANGELOG.md is 1.1.0, not 1.0.0"),
        ("v1.1.0", "1.1.0", DATED.replace("2027-01-31", "unreleased"), "1.1.0 (unreleased)"),
        (
            "v1.1.0",
            "1.1.0",
            "## 1.1.0 (2027-01-31)\n\n## 1.0.0 (2026-12-01)\n\n- x\n",
            "says nothing about 1.1.0",
        ),
        ("v1.1.0", "1.1.0", "", "the first version in CHANGELOG.md is missing"),
    ],
)
def test_what_is_wrong_with_a_tag_is_said(tag: str, version: str, changelog: str, problem: str) -> None:
    wrong = release.problems(tag, version, changelog)
    assert [line for line in wrong if problem in line], wrong


def test_the_changelog_begins_with_the_version_of_the_package() -> None:
    versions = release.sections(CHANGELOG)
    assert next(iter(versions)) == airflow_imagebuilder.__version__
    assert all(text for _, text in versions.values())


def test_a_section_has_the_headings_of_keep_a_changelog_alone() -> None:
    allowed = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Known limits"}
    headings = re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)
    assert headings
    assert set(headings) <= allowed


def test_the_notes_are_the_section_with_a_line_for_each_paragraph(capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main("notes") == 0
    notes = capsys.readouterr().out
    text = release.sections(CHANGELOG)[airflow_imagebuilder.__version__][1]
    assert notes.split() == text.split()
    for line in notes.splitlines():
        assert not line or line.startswith(("#", "- ", "The first version")), line


def test_the_check_ends_with_a_code_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main("check", "v0.0.0") == 1
    assert "the tag is v0.0.0" in capsys.readouterr().err
