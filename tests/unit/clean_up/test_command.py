"""``python -m airflow_imagebuilder.clean_up``: its options, what it prints, and its exit code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_imagebuilder.clean_up import ApiError, MwaaEnvironment, Report, __main__

URL = ["--url", "http://airflow"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command asks for; the clean-up itself does nothing."""
    calls: list[dict[str, Any]] = []

    def record(api: Any, **options: Any) -> Report:
        calls.append({"api": type(api).__name__, **options})
        return Report(
            removed={"imagebuilder-1": "its run is gone"},
            kept=["imagebuilder-2"],
            runs={"imagebuilder-1": ("bake", "manual__1"), "imagebuilder-2": ("bake", "manual__2")},
        )

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
    assert "to remove: imagebuilder-1 bake manual__1 (its run is gone)" in printed
    assert (
        "1 to remove, 1 kept for runs in progress or ended recently, 0 not written by this package, "
        "0 could not be checked or removed\n"
    ) in printed
    assert "with --delete they are removed" in printed


def test_with_delete_it_removes(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--mwaa", "my-environment", "--delete", "--older-than", "0.5"]) == 0
    assert asked == [{"api": "MwaaEnvironment", "older_than": timedelta(hours=12), "delete": True}]
    assert "removed: imagebuilder-1 bake manual__1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of the arguments --url --mwaa is required"),
        ([*URL, "--mwaa", "m"], "not allowed with"),
        ([*URL, "--username", "admin"], "its password in AIRFLOW_PASSWORD"),
        ([*URL, "--region", "eu-west-1"], "--region is for --mwaa"),
        (["--mwaa", "m", "--username", "admin"], "--username is for --url"),
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


def test_what_could_not_be_checked_is_the_exit_code(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(
        unreadable={"imagebuilder-3": "503"},
        foreign=["imagebuilder-region"],
        runs={"imagebuilder-3": ("bake", "manual__3")},
    )
    monkeypatch.setattr(__main__, "clean_up", lambda *_, **__: report)
    assert __main__.main([*URL, "--delete"]) == 1
    printed = capsys.readouterr().out
    assert "kept, could not be checked or removed: imagebuilder-3 bake manual__3: 503\n" in printed
    assert "kept, not written by this package: imagebuilder-region\n" in printed
    assert "1 not written by this package, 1 could not be checked or removed\n" in printed


def test_the_region_of_mwaa_is_passed_on(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    regions: list[str | None] = []

    def environment(name: str, *, region_name: str | None) -> MwaaEnvironment:
        regions.append(region_name)
        return MwaaEnvironment(name, region_name=region_name)

    monkeypatch.setattr(__main__, "MwaaEnvironment", environment)
    assert __main__.main(["--mwaa", "m", "--region", "eu-west-1"]) == 0
    assert regions == ["eu-west-1"]


def test_without_a_list_nothing_was_removed(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> Report:
        raise ApiError("GET /variables: 403")

    monkeypatch.setattr(__main__, "clean_up", fail)
    assert __main__.main([*URL, "--delete"]) == 1
    assert capsys.readouterr().err == "Nothing was removed: GET /variables: 403\n"
