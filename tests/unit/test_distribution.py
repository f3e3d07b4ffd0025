"""What is built and published: the wheel, the source distribution, and the pages in the wheel."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

import airflow_imagebuilder
from tests.support.commands import completed

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "airflow_imagebuilder"
FRONTEND = REPOSITORY / "frontend"
STATIC = PACKAGE / "ui" / "static"
BUILD = "import sys; from hatchling.build import *; print(build_sdist(sys.argv[1]), build_wheel(sys.argv[1]))"
LOCK: dict[str, dict[str, Any]] = json.loads((FRONTEND / "package-lock.json").read_text("utf-8"))["packages"]
INSTALLED = {path: package for path, package in LOCK.items() if path}
"""What npm installs: by folder, the lock file's entry of a package."""


def files_in(folder: Path) -> set[str]:
    """Return the files that are kept in the repository, relative to its root."""
    made = {"__pycache__", "node_modules"}
    found = {path.relative_to(REPOSITORY) for path in folder.rglob("*") if path.is_file()}
    return {str(path) for path in found if not made & set(path.parts)}


def build(source: Path, out: Path) -> None:
    done = completed([sys.executable, "-c", BUILD, out], seconds=120, cwd=source)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both distributions, built beside what npm, Python and a build leave behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"):
        shutil.copy(REPOSITORY / name, source)
    for folder in (PACKAGE, FRONTEND):
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(folder, source / folder.name, ignore=ignored)
    for left in (
        "frontend/node_modules/preact/index.js",
        "airflow_imagebuilder/ui/static/imagebuilder.js.map",
        "airflow_imagebuilder/ui/__pycache__/app.pyc",
        "tests/test_something.py",
    ):
        (source / left).parent.mkdir(parents=True, exist_ok=True)
        (source / left).write_text("")
    build(source, out)
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def sources(built: Path) -> set[str]:
    """The files of the source distribution, relative to its root."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


def test_the_wheel_has_the_package_with_its_pages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == files_in(PACKAGE)
    pages = {Path(name).name for name in names if name.startswith("airflow_imagebuilder/ui/static/")}
    assert pages >= {"imagebuilder.js", "imagebuilder.css", "LICENSES.txt", "icon.svg", "icon-dark.svg"}


def test_airflow_finds_the_provider_and_the_plugin_by_the_wheels_entry_points(wheel: zipfile.ZipFile) -> None:
    folder = f"airflow_imagebuilder-{airflow_imagebuilder.__version__}.dist-info"
    entry_points = wheel.read(f"{folder}/entry_points.txt").decode()
    for group, entry in {
        "apache_airflow_provider": "provider_info = airflow_imagebuilder.provider_info:get_provider_info",
        "airflow.plugins": "imagebuilder = airflow_imagebuilder.ui.plugin:ImageBuilderPlugin",
    }.items():
        assert f"[{group}]\n{entry}\n" in f"{entry_points}\n"
    assert f"{folder}/licenses/LICENSE" in wheel.namelist()


def test_the_source_distribution_has_the_sources_of_the_pages_without_what_npm_installs(
    sources: set[str],
) -> None:
    assert {name for name in sources if name.startswith("frontend/")} == files_in(FRONTEND)
    assert {name for name in sources if name.startswith("airflow_imagebuilder/")} == files_in(PACKAGE)
    assert "tests/test_something.py" in sources


def test_a_wheel_from_the_source_distribution_is_the_same(
    built: Path, wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    build(source, tmp_path / "again")
    (again,) = (tmp_path / "again").glob("*.whl")
    with zipfile.ZipFile(again) as other:
        assert {i.filename: i.CRC for i in other.infolist()} == {i.filename: i.CRC for i in wheel.infolist()}


# -- the pages ---------------------------------------------------------------------------------------------


def test_the_pages_name_no_source_map_and_load_nothing_from_elsewhere() -> None:
    for name in ("imagebuilder.js", "imagebuilder.css"):
        text = (STATIC / name).read_text("utf-8")
        assert "sourceMappingURL" not in text
        loads = re.findall(r"""(?:import\s*\(?|@import|url\(|\bfrom)\s*["']?(?:https?:)?//[^"')\s]+""", text)
        assert loads == []


def test_each_package_in_the_pages_has_the_text_of_its_licence() -> None:
    texts = (STATIC / "LICENSES.txt").read_text("utf-8").split(f"\n{'-' * 80}\n\n")
    assert texts
    for text in texts:
        title, _, licence = text.partition("\n\n")
        named = re.fullmatch(r"(\S+) (\S+) \((.+)\)", title)
        assert named, title
        assert LOCK[f"node_modules/{named[1]}"]["version"] == named[2]
        assert "permission" in licence.lower(), title
        assert "copyright" in licence.lower(), title


def test_the_lock_file_names_versions_and_hashes_but_no_registry() -> None:
    assert INSTALLED
    for path, package in INSTALLED.items():
        assert "resolved" not in package, path
        assert package["integrity"].startswith("sha512-"), path


def test_each_package_that_the_build_needs_is_pinned() -> None:
    wanted = LOCK[""]["dependencies"] | LOCK[""]["devDependencies"]
    declared = json.loads((FRONTEND / "package.json").read_text("utf-8"))
    assert declared["dependencies"] | declared["devDependencies"] == wanted
    assert {name: LOCK[f"node_modules/{name}"]["version"] for name in wanted} == wanted


@pytest.mark.parametrize("machine", ["linux-x64", "linux-arm64", "darwin-arm64"])
def test_the_tools_of_the_build_are_there_for_each_machine_in_the_same_version(machine: str) -> None:
    for tool, binary in {"esbuild": "@esbuild/", "typescript": "@typescript/typescript-"}.items():
        built = LOCK[f"node_modules/{binary}{machine}"]
        assert built["version"] == LOCK[f"node_modules/{tool}"]["version"], tool


@pytest.mark.parametrize("tool", ["esbuild", "typescript"])
def test_the_tools_of_the_build_run_on_the_oldest_node_that_is_asked_for(tool: str) -> None:
    asked = LOCK[""]["engines"]["node"]
    assert asked == ">=18"
    least = re.fullmatch(r">=(\d+)(?:\.\d+)*", LOCK[f"node_modules/{tool}"]["engines"]["node"])
    assert least
    assert int(least[1]) <= int(asked.removeprefix(">="))
