"""Environments of local servers: they reach no real account and listen on this machine alone."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HOST = "127.0.0.1"
REGION = "us-east-1"
USER = "admin"

_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_LOCK_WAIT = "timeout=30"
"""Seconds that SQLite waits for its lock: long, because a timeout would stop the scheduler."""


def clean_environment() -> dict[str, str]:
    """Return this process's environment without variables of a real Airflow, an AWS account or pytest."""
    foreign = ("AIRFLOW", "_AIRFLOW", "AWS_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    direct = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), HOST, "localhost")))
    return {**kept, "NO_PROXY": direct, "no_proxy": direct, "PYTHONUNBUFFERED": "1"}


def aws_environment(url: str) -> dict[str, str]:
    """Return variables with which boto3, the AWS CLI and ``aws_default`` reach the endpoint ``url`` alone."""
    connection = {
        "conn_type": "aws",
        "login": "local",
        "password": "local",
        "extra": {"region_name": REGION, "endpoint_url": url},
    }
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
    }


def home_secrets(home: Path) -> dict[str, str]:
    """Return the secrets of an Airflow home, made at the first call and kept beside its database.

    :return: ``password``, ``fernet``, ``api`` and ``jwt``.
    """
    kept = home / "secrets.json"
    if not kept.exists():
        # Airflow signs with SHA-512, and each server logs a warning about a key of fewer than 64 bytes.
        made = {name: secrets.token_urlsafe(64) for name in ("api", "jwt")}
        made["password"] = secrets.token_urlsafe(9)
        made["fernet"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
        write_private(kept, made)
    read: dict[str, str] = json.loads(kept.read_text(encoding="utf-8"))
    return read


def write_private(path: Path, content: dict[str, str]) -> None:
    """Write JSON that only the user may read."""
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(content, file)


def airflow_environment(home: Path, dags: Sequence[Path], port: int) -> dict[str, str]:
    """Return the settings of an Airflow that lives in ``home`` and serves 127.0.0.1:``port`` to one user.

    :param dags: folders with Dags; each becomes a Dag bundle named after it.
    """
    own = home_secrets(home)
    passwords = home / "passwords.json"
    write_private(passwords, {USER: own["password"]})
    url = f"http://{HOST}:{port}"
    settings = {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_FOLDER": str(dags[0]),
        "CORE__FERNET_KEY": own["fernet"],
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        # The default asks the resolver for a full name, which takes seconds if no resolver answers.
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "API__HOST": HOST,
        "API__PORT": str(port),
        "API__BASE_URL": url,
        "API__SECRET_KEY": own["api"],
        "API_AUTH__JWT_SECRET": own["jwt"],
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?{_LOCK_WAIT}",
        "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([_bundle(folder) for folder in dags]),
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        # Unpausing a scheduled Dag starts its last missed run at once, whatever catchup says, and a triggered
        # run would wait behind it. Here only triggered runs exist; assets start none either.
        "SCHEDULER__USE_JOB_SCHEDULE": "False",
    }
    return {"AIRFLOW_HOME": str(home), **{f"AIRFLOW__{name}": value for name, value in settings.items()}}


def api_server_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of Airflow's api-server, adapted to its use of SQLite.

    The api-server (3.3.2) also uses the database on its event loop, to check for revoked tokens and to write
    its audit log. If another of its requests holds SQLite's lock at that moment, the request waits for the
    loop and the loop waits for the lock, until SQLite gives up. So here SQLite gives up after 5 seconds, and
    the client, which gets "locked", tries again. A limit on connections would block in the same way, so the
    number of connections is not limited.
    """
    database = settings[_DATABASE].replace(_LOCK_WAIT, "timeout=5")
    return {**settings, _DATABASE: database, "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "-1"}


def _bundle(folder: Path) -> dict[str, object]:
    return {
        "name": f"{folder.parent.name}-{folder.name}",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
