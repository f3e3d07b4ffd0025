"""The environments of local servers: no real account in reach, secrets for the user alone."""

from __future__ import annotations

import json
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.stack.environment import (
    airflow_environment,
    api_server_environment,
    aws_environment,
    clean_environment,
    free_port,
    home_secrets,
)

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


@pytest.mark.parametrize(
    "name",
    ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AIRFLOW_HOME", "AIRFLOW__CORE__EXECUTOR", "PYTEST_CURRENT_TEST"],
)
def test_a_server_inherits_nothing_of_a_real_airflow_an_aws_account_or_pytest(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")
    assert name not in clean_environment()


def test_a_server_inherits_the_rest_and_reaches_this_machine_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:8080")
    monkeypatch.setenv("NO_PROXY", "intranet")
    environment = clean_environment()
    assert environment["HTTPS_PROXY"] == "http://proxy:8080"
    assert environment["NO_PROXY"] == environment["no_proxy"] == "intranet,127.0.0.1,localhost"


def test_aws_libraries_and_the_default_connection_reach_the_local_endpoint_alone() -> None:
    environment = aws_environment("http://127.0.0.1:5005")
    connection: dict[str, Any] = json.loads(environment["AIRFLOW_CONN_AWS_DEFAULT"])
    assert environment["AWS_ENDPOINT_URL"] == connection["extra"]["endpoint_url"] == "http://127.0.0.1:5005"
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"
    assert connection["login"] == environment["AWS_ACCESS_KEY_ID"] == "local"


def test_the_secrets_of_a_home_are_made_once_and_differ_between_homes(tmp_path: Path) -> None:
    homes = [tmp_path / "a", tmp_path / "b"]
    for home in homes:
        home.mkdir()
    first, other = (home_secrets(home) for home in homes)
    assert set(first) == {"password", "fernet", "api", "jwt"}
    assert home_secrets(homes[0]) == first
    assert not set(first.values()) & set(other.values())


def test_the_key_that_signs_tokens_is_as_long_as_sha_512_wants_it(tmp_path: Path) -> None:
    assert len(home_secrets(tmp_path)["jwt"].encode()) >= 64


def test_only_the_user_can_read_secrets_and_passwords(tmp_path: Path) -> None:
    airflow_environment(tmp_path, [tmp_path / "dags"], 8080)
    assert [stat.S_IMODE(path.stat().st_mode) for path in sorted(tmp_path.glob("*.json"))] == [0o600, 0o600]
    passwords = json.loads((tmp_path / "passwords.json").read_text())
    assert passwords == {"admin": home_secrets(tmp_path)["password"]}


def test_airflow_listens_on_this_machine_alone_and_finds_its_own_execution_api(tmp_path: Path) -> None:
    environment = airflow_environment(tmp_path, [tmp_path / "dags"], 8123)
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8123/execution/"
    assert environment["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] == "False"
    assert environment[DATABASE].startswith(f"sqlite:///{tmp_path}/airflow.db")


def test_each_folder_of_dags_is_a_bundle_with_a_name_of_its_own(tmp_path: Path) -> None:
    folders = [tmp_path / "one" / "dags", tmp_path / "two" / "dags"]
    environment = airflow_environment(tmp_path, folders, 8080)
    bundles = json.loads(environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert [(bundle["name"], bundle["kwargs"]["path"]) for bundle in bundles] == [
        ("one-dags", str(folders[0])),
        ("two-dags", str(folders[1])),
    ]


def test_the_api_server_gives_up_sqlites_lock_soon_and_the_others_wait_for_it(tmp_path: Path) -> None:
    environment = airflow_environment(tmp_path, [tmp_path], 8080)
    api_server = api_server_environment(environment)
    assert environment[DATABASE].endswith("?timeout=30")
    assert api_server[DATABASE].endswith("?timeout=5")
    assert api_server["AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW"] == "-1"


def test_the_api_server_keeps_another_database() -> None:
    url = "postgresql://airflow@db/airflow"
    assert api_server_environment({DATABASE: url})[DATABASE] == url


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert server.getsockname()[1] > 1024
