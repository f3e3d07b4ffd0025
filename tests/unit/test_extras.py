"""An extra that is not installed: each way in ends with one line that says what to install."""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder import extras
from tests.support.commands import completed

if TYPE_CHECKING:
    import subprocess

REPOSITORY = Path(__file__).parents[2]
ABSENT = """
import sys
from importlib import metadata
absent, hidden = {absent!r}, {hidden!r}
real = metadata.Distribution.from_name.__func__
def from_name(cls, name):
    if name.lower() in absent:
        raise metadata.PackageNotFoundError(name)
    return real(cls, name)
metadata.Distribution.from_name = classmethod(from_name)
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in absent | hidden:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Finder)
"""
"""A ``sitecustomize.py`` that makes distributions absent, and hides modules of others that are installed."""
LOCAL = "airflow_imagebuilder.local needs the extra 'local' (moto is missing): pip install "
TESTING = "airflow_imagebuilder.testing needs the extra 'testing' (moto is missing): pip install "


def without(
    folder: Path, *command: str, absent: str = "moto", hidden: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run Python where a distribution is absent, and a module of another one is hidden."""
    code = ABSENT.format(absent={absent}, hidden={hidden} - {""})
    (folder / "sitecustomize.py").write_text(code, "utf-8")
    path = os.pathsep.join([str(folder), str(REPOSITORY)])
    return completed(
        [sys.executable, *command], seconds=120, cwd=folder, env={**os.environ, "PYTHONPATH": path}
    )


@pytest.mark.parametrize(
    "module",
    ["local", "local.demo", "local.demo.compose", "local.stack.watchdog"],
)
def test_a_command_without_its_extra_prints_one_line_and_ends_with_2(tmp_path: Path, module: str) -> None:
    done = without(tmp_path, "-m", f"airflow_imagebuilder.{module}", "--help")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(LOCAL)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("import airflow_imagebuilder.local", LOCAL),
        ("import airflow_imagebuilder.local.stack", LOCAL),
        ("from airflow_imagebuilder.local.stack.airflow_client import AirflowApi", LOCAL),
        ("import airflow_imagebuilder.testing", TESTING),
        ("from airflow_imagebuilder.testing import local_image_builder", TESTING),
        ("import airflow_imagebuilder.testing.plugin", TESTING),
    ],
)
def test_an_import_without_its_extra_is_an_import_error_with_the_line(
    tmp_path: Path, statement: str, line: str
) -> None:
    code = f"try:\n    {statement}\nexcept ModuleNotFoundError as error:\n    print(error)"
    done = without(tmp_path, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(line)
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("configured", ["command line", "addopts"])
def test_pytest_without_the_extra_ends_with_a_usage_error_of_one_line(
    tmp_path: Path, configured: str
) -> None:
    plugin = "-p airflow_imagebuilder.testing.plugin"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = {plugin if configured == 'addopts' else ''}\n")
    done = without(tmp_path, "-m", "pytest", *(plugin.split() if configured == "command line" else []))
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stdout.strip() == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"ERROR: {TESTING}")


def test_a_test_module_without_the_extra_can_be_skipped(tmp_path: Path) -> None:
    skips = 'import pytest\npytest.importorskip("airflow_imagebuilder.testing", exc_type=ImportError)\n'
    (tmp_path / "test_it.py").write_text(skips)
    done = without(tmp_path, "-m", "pytest", "-rs", "test_it.py")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout
    assert "1 skipped" in done.stdout


def test_what_an_extra_of_an_extra_lacks_is_named_too(tmp_path: Path) -> None:
    done = without(tmp_path, "-m", "airflow_imagebuilder.local", "--help", absent="flask-cors")
    assert done.returncode == 2
    assert "(flask-cors is missing)" in done.stderr


def test_a_missing_module_that_is_not_of_the_extra_is_not_hidden(tmp_path: Path) -> None:
    done = without(tmp_path, "-m", "airflow_imagebuilder.local", "--help", absent="", hidden="botocore")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'botocore'"


def test_sources_without_metadata_are_not_checked(tmp_path: Path) -> None:
    done = without(tmp_path, "-m", "airflow_imagebuilder.local", "--help", absent="airflow-imagebuilder")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_clean_up_needs_no_extra(tmp_path: Path) -> None:
    done = without(tmp_path, "-m", "airflow_imagebuilder.clean_up", "--help")
    assert (done.returncode, done.stderr) == (0, "")


def test_several_missing_distributions_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "missing", lambda _: ["httpx", "moto", "rich"])
    with pytest.raises(extras.MissingExtraError, match=r"\(httpx, moto and rich are missing\): pip install"):
        extras.need("local", "this")


def test_all_that_an_extra_needs_is_installed_here() -> None:
    assert extras.missing("testing") == []


class Distribution:
    """A distribution with one file in its metadata."""

    def __init__(self, origin: dict[str, Any] | None) -> None:
        self._origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self._origin is None else json.dumps(self._origin)


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'airflow-imagebuilder[local]'"),
        ({"url": "file://{here}", "dir_info": {}}, "pip install '{here}[local]'"),
        ({"url": "file://{here}", "dir_info": {"editable": True}}, "pip install -e '{here}[local]'"),
        ({"url": "file:///nowhere/clone", "dir_info": {}}, "pip install '.[local]' in a clone"),
        (
            {"url": "file://{here}/a.whl", "archive_info": {}},
            "pip install 'airflow-imagebuilder[local] @ {uri}/a.whl'",
        ),
        ({"url": "file:///wheels/a.whl", "archive_info": {}}, "pip install 'airflow-imagebuilder[local]'"),
        (
            {
                "url": "https://example.org/a.git",
                "vcs_info": {"vcs": "git", "commit_id": "abc", "requested_revision": "v1"},
            },
            "pip install 'airflow-imagebuilder[local] @ git+https://example.org/a.git@v1'",
        ),
    ],
    ids=[
        "index",
        "folder",
        "editable",
        "a folder that was removed",
        "wheel",
        "a wheel that was removed",
        "git",
    ],
)
def test_the_command_installs_from_where_the_package_was_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, origin: dict[str, Any] | None, command: str
) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    (folder / "a.whl").touch()
    if origin is not None:
        origin = {**origin, "url": origin["url"].replace("{here}", folder.as_uri().removeprefix("file://"))}
    monkeypatch.setattr(metadata, "distribution", lambda _: Distribution(origin))
    assert extras.command("local") == command.replace("{here}", str(folder)).replace("{uri}", folder.as_uri())
