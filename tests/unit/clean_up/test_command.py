"""``python -m airflow_imagebuilder.clean_up``: its options, what it prints, and its exit code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_imagebuilder.clean_up import ApiError, Report, __main__

URL = ["--url", "http://airflow"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command asks for; the clean-up itself does nothing."""
    calls: list[dict[str, Any]] = []

    def record(api: Any, **options: Any) -> Report:
        calls.append({"api": type(api).__name__, **options})
        return Report(removed={"imagebuilder-1": "its run is gone"}, kept=["imagebuilder-2"])

    monkeypatch.setattr(__main__, "clean_up", record)
    monkeypatch.setenv("AIRFLOW_TOKEN", "t1")
    monkeypatch.delenv("AIRFLOW_PASSWORD", raising=False)
    return calls


def test_without_delete_it_reports_only(
    asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert __main__.main(URL) == 0
    assert asked == [{"api": "AirflowServer", "older_than": timedelta(days=30), "delete": False}]
    printed = capsys.readouterr().out
    assert "to remove: imagebuilder-1 (its run is gone)" in printed
    assert "1 to remove, 1 kept for runs in progress or ended recently, 0 not ours" in printed
    assert "with --delete they are removed" in printed


def test_with_delete_it_removes(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--mwaa", "my-environment", "--delete", "--older-than", "0.5"]) == 0
    assert asked == [{"api": "MwaaEnvironment", "older_than": timedelta(hours=12), "delete": True}]
    assert "removed: imagebuilder-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of the arguments --url --mwaa is required"),
        ([*URL, "--mwaa", "m"], "not allowed with"),
        ([*URL, "--username", "admin"], "its password in AIRFLOW_PASSWORD"),
        ([*URL, "--older-than", "-1"], "must not be negative"),
        ([*URL, "--older-than", "nan"], "not a number of days"),
        ([*URL, "--older-than", "1e99"], "not a number of days"),
        ([*URL, "--older-than", "month"], "not a number of days"),
    ],
)
def test_wrong_options_are_explained(
    asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not asked


def test_without_a_token_it_asks_for_one(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AIRFLOW_TOKEN")
    with pytest.raises(SystemExit):
        __main__.main(URL)
    assert "a token in AIRFLOW_TOKEN" in capsys.readouterr().err


def test_a_password_is_read_from_the_environment(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_PASSWORD", "secret")
    assert __main__.main([*URL, "--username", "admin"]) == 0
    assert asked[0]["api"] == "AirflowServer"


def test_what_airflow_did_not_answer_is_the_exit_code(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(__main__, "clean_up", lambda *_, **__: Report(unreadable={"imagebuilder-3": "503"}))
    assert __main__.main([*URL, "--delete"]) == 1
    assert "kept, because Airflow did not answer: imagebuilder-3: 503" in capsys.readouterr().out


def test_without_a_list_nothing_was_removed(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> Report:
        raise ApiError("GET /variables: 403")

    monkeypatch.setattr(__main__, "clean_up", fail)
    assert __main__.main([*URL, "--delete"]) == 1
    assert capsys.readouterr().err == "Nothing was removed: GET /variables: 403\n"
