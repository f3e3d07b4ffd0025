"""The table of supported versions: it agrees with pyproject.toml and with the files in constraints/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "airflow-versions.md").read_text("utf-8")
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")


def rows() -> list[dict[str, str]]:
    table = PAGE.partition("<!-- supported -->")[2].partition("<!-- /supported -->")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def minors(text: str) -> list[str]:
    """Return the minor versions of ``3.10 to 3.13``."""
    first, last = (Version(part) for part in text.split(" to "))
    return [f"3.{minor}" for minor in range(first.minor, last.minor + 1)]


def required(name: str) -> SpecifierSet:
    (found,) = [
        requirement
        for line in re.findall(
            r'^  "([^"]+)",$', PROJECT.partition("dependencies = [")[2].partition("]\n")[0], re.MULTILINE
        )
        if (requirement := Requirement(line)).name == name
    ]
    return found.specifier


def pinned(file: str, name: str) -> str:
    """Return the newest version of a package in a file of constraints."""
    lines = (ROOT / "constraints" / file).read_text("utf-8").splitlines()
    found = [Requirement(line) for line in lines if re.match(rf"{re.escape(name)}(?![\w-])", line)]
    return str(max(Version(str(one.specifier).removeprefix("==")) for one in found))


def test_each_file_of_constraints_is_a_row() -> None:
    files = sorted(path.name for path in (ROOT / "constraints").glob("airflow-*.txt"))
    assert sorted(row["constraints"].strip("`") for row in rows()) == files


def test_the_oldest_and_the_newest_python_are_those_of_pyproject() -> None:
    classified = re.findall(r"Programming Language :: Python :: (3\.\d+)", PROJECT)
    (requires,) = re.findall(r'requires-python = "([^"]+)"', PROJECT)
    for row in rows()[:-1]:
        assert minors(row["Python"]) == classified, row["Airflow"]
    assert set(minors(rows()[-1]["Python"])) < set(classified)
    assert all(SpecifierSet(requires).contains(f"{version}.0") for version in classified)
    assert not SpecifierSet(requires).contains("3.9.20")


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["Airflow"]))
def test_a_row_names_what_its_constraints_have(row: dict[str, Any]) -> None:
    file = row["constraints"].strip("`")
    amazon, boto3 = row["amazon provider, boto3 there"].split(", ")
    assert pinned(file, "apache-airflow-providers-amazon") == amazon
    assert pinned(file, "boto3") == boto3
    patch = file.removeprefix("airflow-").removesuffix(".txt")
    assert pinned(file, "apache-airflow") == patch
    assert row["Airflow"].startswith(patch.rpartition(".")[0])
    assert f"({patch})" in row["held by"]


def test_what_is_pinned_is_within_the_ranges_of_pyproject() -> None:
    for row in rows():
        file = row["constraints"].strip("`")
        for name in ("apache-airflow", "apache-airflow-providers-amazon", "boto3"):
            assert required(name).contains(pinned(file, name)), (file, name)


def test_the_page_repeats_the_ranges_of_pyproject() -> None:
    (requires,) = re.findall(r'requires-python = "([^"]+)"', PROJECT)
    (text,) = re.findall(r"`pyproject.toml` has the ranges: (.+?)\. ", PAGE, re.DOTALL)
    ranges = {
        name: set(given.split(","))
        for name, given in re.findall(r"(Airflow|amazon provider|boto3|Python) `([^`]+)`", text)
    }
    assert ranges == {
        "Airflow": {str(one) for one in required("apache-airflow")},
        "amazon provider": {str(one) for one in required("apache-airflow-providers-amazon")},
        "boto3": {str(one) for one in required("boto3")},
        "Python": {requires},
    }


def test_what_ci_runs_on_each_change_is_what_the_table_says() -> None:
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    oldest = re.findall(r"oldest=(3\.0\.\d+)", ci)
    each_change = [row["constraints"] for row in rows() if row["held by"].startswith("each change")]
    assert each_change == [rows()[0]["constraints"], *(f"`airflow-{version}.txt`" for version in oldest)]
