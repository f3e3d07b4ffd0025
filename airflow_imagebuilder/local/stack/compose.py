"""ComposeStack: the containers of docker-compose.yaml, started, inspected, broken and removed from Python.

Used by the demo and by the distributed tests. Needs a Docker engine and ``docker compose`` or
``docker-compose``. Everything that it makes has the name of its project and is removed with it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
import zlib
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from airflow_imagebuilder.local.stack.airflow_client import AirflowApi
from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.local.stack.environment import HOST, USER, free_port
from airflow_imagebuilder.local.stack.image_builder import LocalService

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

REPOSITORY = Path(__file__).parents[3]
STAND_IN = "imagebuilder-standin/"
"""Prefix of the names of base images that were built here and are not the official ones."""

_IMAGES = ("AIRFLOW_IMAGE", "POSTGRES_IMAGE", "REDIS_IMAGE")
_STAND_INS = {name: STAND_IN + name.removesuffix("_IMAGE").lower() for name in _IMAGES}
_RUNS_ONCE = "init"
_WIDTH = 100
"""Characters of a line of Compose's output that are shown."""


class Container(NamedTuple):
    """A container of the project: its name, its service, and its state and status in Docker's words."""

    name: str
    service: str
    state: str
    status: str

    @property
    def ready(self) -> bool:
        """Whether it is healthy; of the container that prepares the database, whether it has succeeded."""
        if self.service == _RUNS_ONCE:
            return self.status.startswith("Exited (0)")
        return self.state == "running" and "(healthy)" in self.status


def compose_command() -> list[str]:
    """Return the command line of Compose: ``$COMPOSE``, ``docker compose`` or ``docker-compose``.

    :raises StackError: this machine has none of them, or no Docker engine answers.
    """
    if command := os.environ.get("COMPOSE"):
        return shlex.split(command)
    if shutil.which("docker") is None or _run(["docker", "version"], check=False).returncode:
        raise StackError("no Docker engine answers (docker version); on Debian: apt-get install docker.io")
    if _run(["docker", "compose", "version"], check=False).returncode == 0:
        return ["docker", "compose"]
    if found := shutil.which("docker-compose"):
        return [found]
    raise StackError(
        "neither docker compose nor docker-compose is installed; on Debian: apt-get install docker-compose"
    )


def _run(
    command: Sequence[str],
    *,
    check: bool = True,
    seconds: float = 300,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository.

    :param log: a file that gets all output while the command runs; by default it is captured.
    """
    try:
        with nullcontext() if log is None else log.open("w", encoding="utf-8") as file:
            done = subprocess.run(  # noqa: S603 - the command is ours
                command,
                check=False,
                stdout=file or subprocess.PIPE,
                stderr=subprocess.STDOUT if file else subprocess.PIPE,
                text=True,
                timeout=seconds,
                cwd=REPOSITORY,
                env=env,
            )
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{shlex.join(command)}: not finished after {seconds:.0f} s") from error
    if log is not None:
        done.stdout, done.stderr = log.read_text(encoding="utf-8", errors="replace"), ""
    if check and done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise StackError(f"{shlex.join(command)}: exit code {done.returncode}\n{tail}")
    return done


def _base_images() -> dict[str, str]:
    """Return the base images that the environment names; ``STAND_INS=1`` names those of tests/distributed."""
    named = {name: os.environ[name] for name in _IMAGES if os.environ.get(name)}
    return {**(_STAND_INS if os.environ.get("STAND_INS") else {}), **named}


class ComposeStack:
    """docker-compose.yaml with a project name, ports and secrets of its own.

    :param home: folder for its environment file; each folder is a project of its own.
    :param dags: folder with Dags.
    :param speed: virtual seconds per second of the local service.
    :param settings: more variables of docker-compose.yaml, e.g. ``WORKERS``.
    :param files: more Compose files, e.g. one that overrides settings.
    :raises StackError: this machine has no Compose or no Docker engine.
    """

    username = USER

    def __init__(
        self,
        home: Path,
        dags: Path,
        speed: float,
        settings: Mapping[str, str] | None = None,
        files: Sequence[Path] = (),
    ) -> None:
        self.home = home.resolve()
        self.home.mkdir(parents=True, exist_ok=True)
        self.project = f"imagebuilder-{zlib.crc32(str(self.home).encode()):08x}"
        self._env_file = self.home / "compose.env"
        self._command = [*compose_command(), f"--env-file={self._env_file}", f"--project-name={self.project}"]
        for file in (REPOSITORY / "docker-compose.yaml", *files):
            self._command.append(f"--file={file}")
        airflow, service = free_port(), free_port()
        self.settings = {
            "DAGS": str(dags.resolve()),
            "AIRFLOW_PORT": str(airflow),
            "IMAGE_BUILDER_PORT": str(service),
            "IMAGE_BUILDER_SPEED": f"{speed:g}",
            **_base_images(),
            **(settings or {}),
        }
        self.url = f"http://{HOST}:{airflow}"
        # Never started: it only gives access to the service in the container (client, records, control).
        self.service = LocalService(port=service, home=self.home)
        self.password = ""
        self._waits_for = ""
        self._log = self.home / "compose.log"

    @property
    def waits_for(self) -> str:
        """What the start waits for, with the last line of Compose's output; empty if it waits for nothing."""
        try:
            lines = self._log.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            lines = []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ": ".join(filter(None, (self._waits_for, last[:_WIDTH])))

    @property
    def api(self) -> AirflowApi:
        """The REST API of this Airflow."""
        return AirflowApi(self.url, self.username, self.password, patience=120)

    @property
    def stand_ins(self) -> dict[str, str]:
        """The base images that are not the official ones, by the name of their variable."""
        return {n: self.settings[n] for n in _IMAGES if self.settings.get(n, "").startswith(STAND_IN)}

    def build(self) -> None:
        """Remove what an earlier run left behind, make new secrets, and build the images.

        :raises StackError: a command failed; the message holds its output.
        """
        self._write_env()
        self.stop()
        self._start("build", seconds=1800)

    def _write_env(self) -> None:
        self._env_file.unlink(missing_ok=True)
        _run(["sh", str(REPOSITORY / "docker" / "make-env.sh"), str(self._env_file)])
        made = self._env_file.read_text(encoding="utf-8")
        self.password = dict(line.split("=", 1) for line in made.splitlines() if "=" in line)[
            "ADMIN_PASSWORD"
        ]
        more = "".join(f"{name}={value}\n" for name, value in self.settings.items())
        self._env_file.write_text(made + more, encoding="utf-8")

    def up(self) -> None:
        """Create and start the containers."""
        self._start("up", "--detach", seconds=600)

    def _start(self, *arguments: str, seconds: float) -> None:
        """Run a Compose command whose output shows how far it is."""
        self._waits_for = f"compose {arguments[0]}"
        try:
            self.compose(*arguments, seconds=seconds, log=self._log)
        finally:
            self._waits_for = ""
            self._log.unlink(missing_ok=True)

    def stop(self) -> None:
        """Remove containers, network and volumes of the project."""
        if self._env_file.exists():
            self.compose("down", "--volumes", "--remove-orphans", "--timeout=10")

    def __enter__(self) -> Self:
        # Whatever interrupts the start, Ctrl-C included, no container stays behind.
        with ExitStack() as cleanup:
            cleanup.callback(self.stop)
            self.build()
            self.up()
            self.wait_ready()
            cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def compose(self, *arguments: str, seconds: float = 300, log: Path | None = None) -> str:
        """Run a Compose command and return its output.

        :param log: a file that gets the output while the command runs.
        :raises StackError: it failed, or has not finished after ``seconds``.
        """
        command = [*self._command, *arguments]
        return _run(command, seconds=seconds, env=self._environment(), log=log).stdout

    def _environment(self) -> dict[str, str]:
        """Return this process's environment without the settings of the file, which it would override."""
        return {name: value for name, value in os.environ.items() if name not in self.settings}

    def docker(self, *arguments: str, seconds: float = 120) -> str:
        """Run a ``docker`` command and return its output.

        :raises StackError: it failed, or has not finished after ``seconds``.
        """
        return _run(["docker", *arguments], seconds=seconds).stdout.strip()

    def containers(self, service: str | None = None) -> list[Container]:
        """Return the containers of the project, or of one service, sorted by name."""
        columns = '{{.Names}}\t{{.Label "com.docker.compose.service"}}\t{{.State}}\t{{.Status}}'
        label = f"label=com.docker.compose.project={self.project}"
        rows = self.docker("ps", "--all", "--filter", label, "--format", columns).splitlines()
        found = sorted(Container(*row.split("\t")) for row in rows)
        return [container for container in found if service in (None, container.service)]

    def dead(self) -> str | None:
        """Return which container stopped by itself, with the end of its log; None if all run."""
        for container in self.containers():
            if container.state in ("exited", "dead") and not container.ready:
                return f"{container.name}: {container.status}; its log ends:\n{self.log(container.name)}"
        return None

    def log(self, container: str, lines: int = 30) -> str:
        """Return the last lines of a container's log."""
        done = _run(["docker", "logs", f"--tail={lines}", container], check=False)
        return done.stdout + done.stderr

    def wait_ready(self, seconds: float = 600) -> None:
        """Wait until every container is ready and Airflow reports that it is healthy.

        :raises StackError: a container stopped, or the time is up.
        """
        deadline = time.monotonic() + seconds
        while waiting := self._not_ready():
            self._waits_for = ", ".join(waiting)
            if (dead := self.dead()) is not None:
                raise StackError(dead)
            if time.monotonic() > deadline:
                raise StackError(f"after {seconds:.0f} s still not healthy: {', '.join(waiting)}")
            time.sleep(1)
        self._waits_for = ""

    def _not_ready(self) -> list[str]:
        waiting = [f"{c.name} ({c.status})" for c in self.containers() if not c.ready]
        return waiting or ([] if self.api.healthy() else [f"Airflow on {self.url}"])
