"""What is built and published: the wheel, the source distribution, and the pages in the wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tarfile
import zipfile
from email import message_from_string
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import airflow_imagebuilder
from tests.support.commands import completed

if TYPE_CHECKING:
    from email.message import Message

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "airflow_imagebuilder"
FRONTEND = REPOSITORY / "frontend"
STATIC = PACKAGE / "ui" / "static"
DIST_INFO = f"airflow_imagebuilder-{airflow_imagebuilder.__version__}.dist-info"
BUILD = "import sys; from hatchling.build import *; print(build_sdist(sys.argv[1]), build_wheel(sys.argv[1]))"
LOCK: dict[str, dict[str, Any]] = json.loads((FRONTEND / "package-lock.json").read_text("utf-8"))["packages"]
INSTALLED = {path: package for path, package in LOCK.items() if path}
"""What npm installs: by folder, the lock file's entry of a package."""


LEFT_OUT: dict[str, str] = {}
"""Files of the repository that the source distribution does not have, with the reason."""
LARGEST_WHEEL = 1_000_000
"""Bytes; on 2026-11-26 it had 755 000. What is larger has something that it should not."""
LINKED = re.compile(r"\]\(([^)\s]+)\)")


def is_made(path: Path) -> bool:
    """Return whether git ignores a file, as ``.gitignore`` says."""
    patterns = [line.rstrip("/") for line in (REPOSITORY / ".gitignore").read_text("utf-8").splitlines()]
    return any(fnmatch(part, pattern) for part in path.parts for pattern in patterns)


def files_in(folder: Path) -> set[str]:
    """Return the files that are kept in a folder of the repository, relative to its root."""
    found = {path.relative_to(REPOSITORY) for path in folder.rglob("*") if path.is_file()}
    return {str(path) for path in found if not is_made(path)}


def repository() -> set[str]:
    """Return every file of the repository: what git tracks, and what it will; without git, what is there."""
    if not (REPOSITORY / ".git").exists():
        return files_in(REPOSITORY) - {"PKG-INFO"}
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = completed(command, seconds=60, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return {name for name in done.stdout.split("\0") if name and (REPOSITORY / name).exists()}


def copy_repository(to: Path) -> Path:
    """Copy the files of the repository, without their times."""
    for name in repository():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, to / name)
    return to


def build(source: Path, out: Path, **env: str) -> None:
    command = [sys.executable, "-c", BUILD, out]
    done = completed(command, seconds=120, cwd=source, env={**os.environ, **env})
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both distributions, built beside what npm, Python, a build and a person leave behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    copy_repository(source)
    for left in (
        ".env",
        ".venv/bin/python",
        "build/docs/index.html",
        "dist/airflow_imagebuilder-0.0.1.tar.gz",
        "notes.txt",
        "frontend/node_modules/preact/index.js",
        "airflow_imagebuilder/ui/static/imagebuilder.js.map",
        "airflow_imagebuilder/ui/__pycache__/app.pyc",
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
def described(wheel: zipfile.ZipFile) -> Message:
    """The fields of the wheel's METADATA, and the description as its payload."""
    return message_from_string(wheel.read(f"{DIST_INFO}/METADATA").decode())


@pytest.fixture(scope="module")
def sources(built: Path) -> set[str]:
    """The files of the source distribution, relative to its root."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


# -- the wheel ---------------------------------------------------------------------------------------------


def test_the_wheel_has_the_package_with_its_pages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == {name for name in repository() if name.startswith("airflow_imagebuilder/")}
    pages = {Path(name).name for name in names if name.startswith("airflow_imagebuilder/ui/static/")}
    assert pages >= {"imagebuilder.js", "imagebuilder.css", "LICENSES.txt", "icon.svg", "icon-dark.svg"}
    assert "airflow_imagebuilder/py.typed" in names
    folders = {name.partition("/")[0] for name in wheel.namelist()}
    assert folders == {"airflow_imagebuilder", DIST_INFO}
    own = {name.removeprefix(f"{DIST_INFO}/") for name in wheel.namelist() if name.startswith(DIST_INFO)}
    assert own == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_the_wheel_has_no_kind_of_file_that_a_package_does_not_need(wheel: zipfile.ZipFile) -> None:
    kinds = {Path(name).suffix for name in wheel.namelist() if ".dist-info/" not in name}
    assert kinds <= {".py", ".typed", ".js", ".css", ".svg", ".txt", ".json", ".yaml", ".md"}, kinds


def test_the_wheel_is_not_large(built: Path) -> None:
    (path,) = built.glob("*.whl")
    assert path.stat().st_size < LARGEST_WHEEL


def test_airflow_finds_the_provider_and_the_plugin_by_the_wheels_entry_points(wheel: zipfile.ZipFile) -> None:
    entry_points = wheel.read(f"{DIST_INFO}/entry_points.txt").decode()
    assert entry_points == (
        "[airflow.plugins]\nimagebuilder = airflow_imagebuilder.ui.plugin:ImageBuilderPlugin\n\n"
        "[apache_airflow_provider]\n"
        "provider_info = airflow_imagebuilder.provider_info:get_provider_info\n"
    )


def test_the_wheel_fits_every_platform_and_python(wheel: zipfile.ZipFile) -> None:
    text = wheel.read(f"{DIST_INFO}/WHEEL").decode()
    assert "Root-Is-Purelib: true" in text
    assert "Tag: py3-none-any" in text


def test_the_metadata_says_what_a_reader_of_the_index_needs(described: Message) -> None:
    assert described["Name"] == "airflow-imagebuilder"
    assert described["Version"] == airflow_imagebuilder.__version__
    assert described["License-Expression"] == "Apache-2.0"
    assert described.get_all("License-File") == ["LICENSE"]
    assert not [name for name in described.get_all("Classifier") or [] if name.startswith("License ::")]
    assert described["Requires-Python"] == ">=3.10"
    labels = [line.partition(", ")[0] for line in described.get_all("Project-URL") or []]
    assert labels == ["Documentation", "Source", "Changelog", "Issues", "Security"]
    assert described["Description-Content-Type"] == "text/markdown"
    assert (described["Author"], described["Maintainer"]) != (None, None)


def test_the_metadata_asks_for_the_dependencies_of_the_package_and_of_each_extra(described: Message) -> None:
    asked: dict[str, set[str]] = {}
    for line in described.get_all("Requires-Dist") or []:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra == '(\w+)'", marker)
        name = re.match(r"[\w.-]+", requirement)
        assert name
        asked.setdefault(extra[1] if extra else "", set()).add(name[0].lower())
    assert asked[""] == {
        "apache-airflow",
        "apache-airflow-providers-amazon",
        "apache-airflow-providers-standard",
        "boto3",
        "httpx",
        "packaging",
        "tenacity",
    }
    assert set(described.get_all("Provides-Extra") or []) == {"local", "testing", "docs", "dev", "compose"}
    assert "moto" in asked["local"]
    assert asked["testing"] == asked["local"] | {"pytest"}
    assert asked["dev"] >= asked["local"]
    assert not (asked[""] | asked["local"]) & {"sphinx", "furo", "mypy", "ruff", "playwright", "twine"}


def test_each_link_of_the_description_leads_somewhere_from_the_index_too(described: Message) -> None:
    text = str(described.get_payload())
    source = dict(line.split(", ", 1) for line in described.get_all("Project-URL") or [])["Source"]
    links = LINKED.findall(text)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    tag = f"v{airflow_imagebuilder.__version__}"
    own = [re.fullmatch(rf"{source}/(?:blob|raw)/{tag}/([^#]+)(?:#.+)?", link) for link in links]
    assert [match[1] for match in own if match and not (REPOSITORY / match[1]).exists()] == []
    assert any(own)
    pictures = re.findall(r"!\[[^\]]*\]\((\S+)\)", text)
    assert all("/raw/" in picture for picture in pictures), pictures


def test_the_index_takes_both_distributions(built: Path) -> None:
    files = sorted(str(path) for path in built.iterdir())
    assert len(files) == 2
    done = completed([sys.executable, "-m", "twine", "check", "--strict", *files], seconds=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


# -- the source distribution -------------------------------------------------------------------------------


def test_the_source_distribution_has_the_files_of_the_repository_and_nothing_else(sources: set[str]) -> None:
    assert sources - {"PKG-INFO"} == repository() - set(LEFT_OUT)
    assert set(LEFT_OUT) <= repository()


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
    (same,) = built.glob("*.whl")
    assert again.read_bytes() == same.read_bytes()


def test_two_builds_of_one_state_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    made: list[dict[str, str]] = []
    for name, umask, time, zone in (
        ("here", 0o022, 1_700_000_000, "UTC"),
        ("a folder with another name", 0o077, 1_800_000_000, "Pacific/Chatham"),
    ):
        before = os.umask(umask)
        try:
            source = copy_repository(tmp_path / name)
            for path in source.rglob("*"):
                os.utime(path, (time, time))
            build(
                source,
                tmp_path / f"{name}-built",
                TZ=zone,
                SOURCE_DATE_EPOCH="1790000000",
                PYTHONHASHSEED=str(umask),
            )
        finally:
            os.umask(before)
        out = sorted((tmp_path / f"{name}-built").iterdir())
        made.append({path.name: sha256(path.read_bytes()).hexdigest() for path in out})
    assert len(made[0]) == 2
    assert made[0] == made[1]


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
