"""README, pages, metadata, constraints and CI name the same versions of Airflow and of Python."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]


def text(name: str) -> str:
    return (REPOSITORY / name).read_text("utf-8")


def key(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


PYPROJECT = text("pyproject.toml")
PYTHONS = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PYPROJECT)
AIRFLOWS = sorted(
    (path.stem.removeprefix("airflow-") for path in (REPOSITORY / "constraints").glob("airflow-*.txt")),
    key=key,
)
MATRIX = yaml.safe_load(text(".github/workflows/ci.yml"))["jobs"]["tests"]["strategy"]["matrix"]
RELEASES = [version.rpartition(".")[0] for version in AIRFLOWS]


def test_there_is_something_to_compare() -> None:
    assert len(PYTHONS) >= 4
    assert len(AIRFLOWS) >= 4


def test_the_metadata_name_the_oldest_of_both() -> None:
    assert f'requires-python = ">={PYTHONS[0]}"' in PYPROJECT
    assert f'"apache-airflow>={AIRFLOWS[0]},<{int(AIRFLOWS[-1][0]) + 1}"' in PYPROJECT
    oldest = PYTHONS[0].replace(".", "")
    assert f'target-version = "py{oldest}"' in PYPROJECT
    assert f'python_version = "{PYTHONS[0]}"' in PYPROJECT


def test_the_versions_have_no_gap() -> None:
    assert [key(version)[1] for version in PYTHONS] == list(range(10, 10 + len(PYTHONS)))
    assert [key(version)[1] for version in AIRFLOWS] == list(range(len(AIRFLOWS)))


def test_ci_runs_the_unit_tests_on_each_of_them() -> None:
    assert MATRIX["airflow"] == AIRFLOWS
    assert MATRIX["python"] == PYTHONS
    # Airflow's own metadata: 3.0 runs on Python below 3.13.
    assert MATRIX["exclude"] == [{"airflow": AIRFLOWS[0], "python": "3.13"}]


def test_each_file_of_constraints_is_of_the_version_in_its_name() -> None:
    for version in AIRFLOWS:
        assert f"\napache-airflow=={version}\n" in text(f"constraints/airflow-{version}.txt")
        assert version == AIRFLOWS[-1] or f"  {version}) echo " in text("constraints/resolve.sh")


def test_the_documents_name_the_range() -> None:
    first, last = AIRFLOWS[0], RELEASES[-1]
    assert re.search(rf"{re.escape(first)}[^.]*?\sto\s+{re.escape(last)}\b", text("README.md"))
    for release in RELEASES:
        assert release in text("docs/airflow-versions.md"), release
    section = text("CHANGELOG.md").partition("### ")[0]
    assert f"Airflow {first}" in section
    assert all(release in section for release in RELEASES)
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in section
    assert re.search(rf"Python {re.escape(PYTHONS[0])} or newer", text("README.md"))


def test_the_file_for_compose_and_its_image_take_the_newest_airflow() -> None:
    assert f"apache/airflow:{AIRFLOWS[-1]}-python" in text("Dockerfile")
