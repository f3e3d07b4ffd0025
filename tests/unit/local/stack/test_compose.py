"""The containers of docker-compose.yaml, with Docker's commands replaced by prepared answers."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.stack.airflow_client import AirflowApi
from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.local.stack.compose import ComposeStack, Container, compose_command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MODULE = "airflow_imagebuilder.local.stack.compose"
UP = "running\tUp 2 minutes (healthy)"


class Docker:
    """Answers ``docker`` and Compose, and records the commands."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.failing: tuple[str, ...] = ()
        self.containers = [
            f"p-scheduler-1\tscheduler\t{UP}",
            "p-init-1\tinit\texited\tExited (0) 1 minute ago",
        ]

    def __call__(self, command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(list(command))
        code = 1 if any(word in command for word in self.failing) else 0
        output = ""
        if command[:2] == ["docker", "ps"]:
            output = "\n".join(self.containers)
        elif command[:2] == ["docker", "logs"]:
            output = "Out of memory"
        elif command[0] == "sh":
            with open(command[-1], "w") as file:  # noqa: PTH123 - the path is text
                file.write("ADMIN_PASSWORD=secret\n")
        if code and _.get("check", True):
            raise StackError(f"{command}: exit code {code}")
        return subprocess.CompletedProcess(command, code, output, "")


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Docker:
    for name in ("COMPOSE", "STAND_INS", "AIRFLOW_IMAGE", "POSTGRES_IMAGE", "REDIS_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    docker = Docker()
    monkeypatch.setattr(f"{MODULE}._run", docker)
    monkeypatch.setattr(f"{MODULE}.shutil.which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(AirflowApi, "healthy", lambda _: True)
    return docker


@pytest.fixture
def stack(docker: Docker, tmp_path: Path) -> ComposeStack:
    made = ComposeStack(tmp_path / "home", tmp_path / "dags", 60, {"WORKERS": "2"})
    docker.commands.clear()
    return made


@pytest.mark.parametrize(
    ("failing", "command"),
    [((), ["docker", "compose"]), (("compose",), ["/usr/bin/docker-compose"])],
    ids=["the plugin", "the program"],
)
def test_compose_is_the_plugin_or_else_the_program(
    docker: Docker, failing: tuple[str, ...], command: list[str]
) -> None:
    docker.failing = failing
    assert compose_command() == command


def test_the_variable_compose_names_the_command(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE", "podman compose --quiet")
    assert compose_command() == ["podman", "compose", "--quiet"]
    assert docker.commands == []


def test_without_an_engine_the_message_says_what_to_install(docker: Docker) -> None:
    docker.failing = ("version",)
    with pytest.raises(StackError, match=r"no Docker engine answers .*apt-get install docker\.io"):
        compose_command()


@pytest.mark.parametrize(
    ("container", "ready"),
    [
        (Container("c", "scheduler", "running", "Up 1 minute (healthy)"), True),
        (Container("c", "scheduler", "running", "Up 1 minute (health: starting)"), False),
        (Container("c", "scheduler", "exited", "Exited (0) now"), False),
        (Container("c", "init", "exited", "Exited (0) now"), True),
        (Container("c", "init", "exited", "Exited (1) now"), False),
    ],
    ids=["healthy", "starting", "stopped", "initialised", "failed to initialise"],
)
def test_a_container_is_ready_when_it_is_healthy_or_has_initialised(
    container: Container, ready: bool
) -> None:
    assert container.ready is ready


def test_a_container_that_stops_is_reported_with_the_end_of_its_log(
    docker: Docker, stack: ComposeStack
) -> None:
    docker.containers.append("p-worker-1\tworker\texited\tExited (137) now")
    with pytest.raises(StackError, match=r"p-worker-1: Exited \(137\) now; its log ends:\nOut of memory"):
        stack.wait_ready()


def test_what_is_not_ready_in_time_is_named(docker: Docker, stack: ComposeStack) -> None:
    docker.containers.append("p-worker-1\tworker\trunning\tUp 1 minute (health: starting)")
    with pytest.raises(StackError, match=r"s still not healthy: p-worker-1 \(Up 1 minute \(health: st"):
        stack.wait_ready(seconds=-0.1)


def test_an_airflow_that_is_not_healthy_is_named(
    stack: ComposeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AirflowApi, "healthy", lambda _: False)
    with pytest.raises(StackError, match=r"still not healthy: Airflow on http://127\.0\.0\.1:"):
        stack.wait_ready(seconds=-0.1)


def test_the_environment_file_has_the_secrets_and_the_settings(docker: Docker, stack: ComposeStack) -> None:
    stack.build()
    written = (stack.home / "compose.env").read_text().splitlines()
    assert written[0] == "ADMIN_PASSWORD=secret"
    assert {"WORKERS=2", "IMAGE_BUILDER_SPEED=60"} <= set(written)
    assert stack.password == "secret"
    assert [command[-1] for command in docker.commands if "down" in command] == ["--timeout=10"]
    assert docker.commands[-1][-1] == "build"


def test_a_variable_of_the_shell_does_not_override_the_settings(
    stack: ComposeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKERS", "9")
    monkeypatch.setenv("MINE", "kept")
    environment = stack._environment()
    assert "WORKERS" not in environment
    assert environment["MINE"] == "kept"


def test_base_images_that_are_not_the_official_ones_are_named(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_INS", "1")
    monkeypatch.setenv("REDIS_IMAGE", "redis:7")
    stack = ComposeStack(tmp_path, tmp_path, 60)
    assert docker.commands
    assert stack.stand_ins == {
        "AIRFLOW_IMAGE": "imagebuilder-standin/airflow",
        "POSTGRES_IMAGE": "imagebuilder-standin/postgres",
    }


def test_a_start_that_fails_removes_the_containers(docker: Docker, stack: ComposeStack) -> None:
    docker.failing = ("up",)
    with pytest.raises(StackError, match="exit code 1"), stack:
        pass
    assert "down" in docker.commands[-1]
