"""Where an allow-list comes from: the Dag file, a file beside it, a Variable."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_imagebuilder.operators.gates.allow_list import load_allow_list
from airflow_imagebuilder.service.errors import InvalidRequestError
from airflow_imagebuilder.service.gates.allow_list import AllowedFinding

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = [{"id": "CVE-1", "until": "2026-12-31", "reason": "r"}]
ENTRY = AllowedFinding(id="CVE-1", until=date(2026, 12, 31), reason="r")


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    kept: dict[str, str] = {}

    def get(name: str) -> str:
        if name not in kept:
            kind = ErrorType.VARIABLE_NOT_FOUND if name != "broken" else ErrorType.API_SERVER_ERROR
            raise AirflowRuntimeError(ErrorResponse(error=kind))
        return kept[name]

    monkeypatch.setattr(Variable, "get", get)
    return kept


@pytest.mark.parametrize("name", ["allowed.json", "allowed.yaml", "lists/allowed"])
def test_a_file_beside_the_dag_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(CONTENT), "utf-8")
    assert load_allow_list(name, str(tmp_path)) == (ENTRY,)
    assert load_allow_list(path, "/nowhere") == (ENTRY,)


def test_json_may_be_indented_by_tabs(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(CONTENT, indent="\t"), "utf-8")
    assert load_allow_list("a.json", str(tmp_path)) == (ENTRY,)


def test_dates_of_yaml_are_dates(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("CVE-1: {until: 2026-12-31, reason: r}\n", "utf-8")
    assert load_allow_list("a.yml", str(tmp_path)) == (ENTRY,)


def test_a_variable_is_read(variables: dict[str, str]) -> None:
    variables["accepted_findings"] = json.dumps(CONTENT)
    assert load_allow_list("accepted_findings", "") == (ENTRY,)


@pytest.mark.parametrize(
    "text",
    [
        '{"CVE-1": "2026-01-01", "CVE-2": "2026-01-01", "CVE-1": "2029-01-01"}',
        "[{id: CVE-1, until: 2026-01-01, until: 2029-01-01}]",
    ],
)
def test_a_key_that_is_there_twice_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="is there more than once"):
        load_allow_list(text, "")


def test_text_may_be_the_list_itself() -> None:
    assert load_allow_list(json.dumps(CONTENT), "") == (ENTRY,)
    assert load_allow_list(" {CVE-1: 2026-12-31}", "")[0].id == "CVE-1"


@pytest.mark.parametrize("given", [None, "", " ", "None", [], {}])
def test_none_is_an_empty_list(given: Any) -> None:
    assert load_allow_list(given, "") == ()


def test_faults_name_the_place(tmp_path: Path, variables: dict[str, str]) -> None:
    variables["v"] = "CVE-1: soon"
    for given, where in (("v", r"Variable v\[CVE-1\]\.until"), ("a.yaml", r"a\.yaml\[0\]\.id")):
        (tmp_path / "a.yaml").write_text("- {until: 2026-12-31}", "utf-8")
        with pytest.raises(InvalidRequestError, match=where):
            load_allow_list(given, str(tmp_path))


@pytest.mark.parametrize("content", ["{", "CVE-1", "\t- a", "7"])
def test_a_file_without_a_list_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.yaml").write_text(content, "utf-8")
    with pytest.raises(InvalidRequestError, match=r"a\.yaml"):
        load_allow_list("a.yaml", str(tmp_path))


def test_a_folder_and_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    for name in ("./", "b.json", "missing.json"):
        with pytest.raises(InvalidRequestError, match="cannot be read on this worker"):
            load_allow_list(name, str(tmp_path))


@pytest.mark.usefixtures("variables")
def test_a_variable_that_is_not_there_is_refused_and_one_that_airflow_does_not_show_is_trouble() -> None:
    with pytest.raises(InvalidRequestError, match="no Variable of this name"):
        load_allow_list("missing", "")
    with pytest.raises(AirflowRuntimeError):
        load_allow_list("broken", "")
