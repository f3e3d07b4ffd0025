"""The files of .github/: valid, safe, and made of commands that run on a developer's machine too."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tests.support.commands import completed

REPOSITORY = Path(__file__).parents[2]
GITHUB = REPOSITORY / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*") if path.stem != "config")
SCHEMAS = {
    **dict.fromkeys(WORKFLOWS, "vendor.github-workflows"),
    **dict.fromkeys(FORMS, "vendor.github-issue-forms"),
    GITHUB / "ISSUE_TEMPLATE" / "config.yml": "vendor.github-issue-config",
    GITHUB / "dependabot.yml": "vendor.dependabot",
}
BIN = Path(sys.executable).parent
TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
OTHERS = {
    'sudo env "PATH=$PATH" .ci/run',
    'gh release create "$TAG" --repo "$GITHUB_REPOSITORY" --verify-tag --notes-file notes.md dist/*',
}
"""Commands of the workflows that are not make targets."""


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    return found


JOBS = [pytest.param(path, name, id=f"{path.stem}-{name}") for path in WORKFLOWS for name in jobs(path)]


def test_both_workflows_and_both_forms_are_found() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]
    assert [path.name for path in FORMS] == ["bug.yml", "idea.yml"]


@pytest.mark.skipif(
    not hasattr(click.ParamType, "__class_getitem__"),
    reason="check-jsonschema needs a newer click than that of this Airflow's constraints",
)
@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_file_follows_githubs_schema(path: Path) -> None:
    done = completed([BIN / "check-jsonschema", "--builtin-schema", SCHEMAS[path], path], seconds=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_of_workflows_finds_nothing() -> None:
    done = completed([BIN / "zizmor", "--offline", "--no-progress", GITHUB], seconds=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_of_workflows_refuses_what_is_not_safe(tmp_path: Path) -> None:
    text = (GITHUB / "workflows" / "ci.yml").read_text("utf-8")
    unsafe = text.replace("- run: make docs", "- run: echo ${{ github.event.pull_request.title }}")
    assert unsafe != text
    (tmp_path / "ci.yml").write_text(unsafe)
    done = completed([BIN / "zizmor", "--offline", "--no-progress", tmp_path / "ci.yml"], seconds=60)
    assert done.returncode != 0
    assert "template-injection" in done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_pinned_to_a_commit_with_its_version(path: Path) -> None:
    uses = re.findall(r"uses: (.+)", path.read_text("utf-8"))
    assert uses
    assert [use for use in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []


def test_one_action_has_one_commit() -> None:
    pins = {pin for path in WORKFLOWS for pin in re.findall(r"uses: (\S+)@(\S+)", path.read_text("utf-8"))}
    assert len(pins) == len(dict(pins))


@pytest.mark.parametrize(("path", "name"), JOBS)
def test_a_job_has_an_end_and_only_the_rights_that_it_names(path: Path, name: str) -> None:
    job = jobs(path)[name]
    assert 0 < job["timeout-minutes"] <= 90
    assert job["permissions"]
    assert yaml.safe_load(path.read_text("utf-8"))["permissions"] == {}
    writes = {right for right, level in job["permissions"].items() if level == "write"}
    checkouts = [step for step in job["steps"] if "actions/checkout" in step.get("uses", "")]
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []
    if checkouts:
        assert writes == set(), "a job that runs code of the repository may write nothing"


def test_only_the_job_that_publishes_may_publish_and_it_runs_nothing_else() -> None:
    found = jobs(GITHUB / "workflows" / "release.yml")
    publishing = [name for name, job in found.items() if "gh-action-pypi-publish" in str(job)]
    assert publishing == ["publish"]
    assert found["publish"]["environment"] == "pypi"
    assert found["publish"]["permissions"] == {"id-token": "write"}
    assert [step for step in found["publish"]["steps"] if "run" in step] == []
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text("utf-8")


@pytest.mark.parametrize(("path", "name"), JOBS)
def test_a_step_of_ours_is_a_make_target(path: Path, name: str) -> None:
    commands = [step["run"].strip() for step in jobs(path)[name]["steps"] if "run" in step]
    for command in commands:
        if command not in OTHERS:
            match = re.fullmatch(r"make (?:--silent )?([a-z-]+)(?: > [\w.]+)?", command)
            assert match, command
            assert match[1] in TARGETS, command


def test_each_address_of_the_project_begins_with_one_of_the_metadata() -> None:
    declared = re.search(
        r"\[project\.urls\]\n(.*?)\n\n", (REPOSITORY / "pyproject.toml").read_text("utf-8"), re.DOTALL
    )
    assert declared
    urls = dict(re.findall(r'^(\w+) = "(\S+)"$', declared[1], re.MULTILINE))
    assert all(urls[name].startswith(urls["Source"]) for name in ("Changelog", "Issues", "Security"))
    files = [*SCHEMAS, *WORKFLOWS, *REPOSITORY.glob("*.md")]
    named = {
        url
        for path in files
        for url in re.findall(r"https://[^\s)>\"']+", path.read_text("utf-8"))
        if "airflow-imagebuilder" in url
    }
    assert named
    assert {url for url in named if not url.startswith((urls["Source"], urls["Documentation"]))} == set()
    security = (REPOSITORY / "SECURITY.md").read_text("utf-8")
    assert f"{urls['Source']}/security/advisories/new" in security
    assert f"--repo\n{urls['Source'].removeprefix('https://github.com/')}" in security
