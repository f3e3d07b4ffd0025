"""The set-up of docker-compose.yaml as an object: started, looked at, broken and removed from Python.

Used by the demo and by the distributed tests. Needs a Docker engine and ``docker compose`` or
``docker-compose``; everything that it makes carries the name of its project and is removed with it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
import zlib
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
"""How the names of base images begin that were made here and are not the official ones."""

_IMAGES = ("AIRFLOW_IMAGE", "POSTGRES_IMAGE", "REDIS_IMAGE")
_STAND_INS = {name: STAND_IN + name.removesuffix("_IMAGE").lower() for name in _IMAGES}
_ONCE = "init"


class Container(NamedTuple):
    """A container of the project: its name, its service, and what the engine tells of it."""

    name: str
    service: str
    state: str
    status: str

    @property
    def ready(self) -> bool:
        """Whether it is healthy, or has done what it was there for."""
        if self.service == _ONCE:
            return self.status.startswith("Exited (0)")
        return self.state == "running" and "(healthy)" in self.status


def compose_command() -> list[str]:
    """Return the command line of Compose: ``$COMPOSE``, or what this machine has.

    :raises StackError: it has none, or no engine answers.
    """
    if asked := os.environ.get("COMPOSE"):
        return shlex.split(asked)
    if shutil.which("docker") is None or _run(["docker", "version"], check=False).returncode:
        raise StackError("no Docker engine answers (docker version); on Debian: apt-get install docker.io")
    if _run(["docker", "compose", "version"], check=False).returncode == 0:
        return ["docker", "compose"]
    if found := shutil.which("docker-compose"):
        return [found]
    raise StackError("neither docker compose nor docker-compose is there")


def _run(
    command: Sequence[str], *, check: bool = True, seconds: float = 300, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours
            command, check=False, capture_output=True, text=True, timeout=seconds, cwd=REPOSITORY, env=env
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{shlex.join(command)}: not done after {seconds:.0f} s") from error
    if check and done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise StackError(f"{shlex.join(command)}: exit code {done.returncode}\n{tail}")
    return done


def _base_images() -> dict[str, str]:
    """Return the base images that the environment names; ``STAND_INS=1`` names those of tests/distributed."""
    named = {name: os.environ[name] for name in _IMAGES if os.environ.get(name)}
    return {**(_STAND_INS if os.environ.get("STAND_INS") else {}), **named}


class ComposeStack:
    """docker-compose.yaml under a project name, ports and secrets of its own.

    :param home: folder for its environment file; one folder, one project.
    :param dags: folder with Dags.
    :param speed: virtual seconds a second of the local service.
    :param settings: more variables of docker-compose.yaml, e.g. ``WORKERS``.
    :param files: Compose files beside docker-compose.yaml.
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
        # Never started: it lends the client, the records and the control plane of what runs in the container.
        self.service = LocalService(port=service, home=self.home)
        self.password = ""

    @property
    def api(self) -> AirflowApi:
        """The REST API of this Airflow."""
        return AirflowApi(self.url, self.username, self.password, patience=120)

    @property
    def stand_ins(self) -> dict[str, str]:
        """The base images that are not the official ones, by variable."""
        return {n: self.settings[n] for n in _IMAGES if self.settings.get(n, "").startswith(STAND_IN)}

    def build(self) -> None:
        """Remove what an earlier run left behind, make new secrets, and build the images."""
        self._write_env()
        self.stop()
        self.compose("build", seconds=1800)

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
        self.compose("up", "--detach", seconds=600)

    def stop(self) -> None:
        """Remove containers, network and volumes of the project."""
        if self._env_file.exists():
            self.compose("down", "--volumes", "--remove-orphans", "--timeout=10")

    def __enter__(self) -> Self:
        try:
            self.build()
            self.up()
            self.wait_ready()
        except BaseException:  # whatever ends the start, Ctrl-C too, nothing may be left running
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def compose(self, *arguments: str, seconds: float = 300) -> str:
        """Run a Compose command and return what it prints."""
        return _run([*self._command, *arguments], seconds=seconds, env=self._environment()).stdout

    def _environment(self) -> dict[str, str]:
        """Return this process's environment without what the environment file says: that would lose."""
        return {name: value for name, value in os.environ.items() if name not in self.settings}

    def docker(self, *arguments: str, seconds: float = 120) -> str:
        """Run a command of the engine and return what it prints."""
        return _run(["docker", *arguments], seconds=seconds).stdout.strip()

    def containers(self, service: str | None = None) -> list[Container]:
        """Return the containers of the project, or of one service, by name."""
        shown = '{{.Names}}\t{{.Label "com.docker.compose.service"}}\t{{.State}}\t{{.Status}}'
        label = f"label=com.docker.compose.project={self.project}"
        rows = self.docker("ps", "--all", "--filter", label, "--format", shown).splitlines()
        found = sorted(Container(*row.split("\t")) for row in rows)
        return [container for container in found if service in (None, container.service)]

    def dead(self) -> str | None:
        """Tell, with the end of its log, which container ended without being asked to; None where all run."""
        ended = [c for c in self.containers() if c.state in ("exited", "dead") and not c.ready]
        if not ended:
            return None
        return f"{ended[0].name}: {ended[0].status}; its log ends:\n{self.log(ended[0].name)}"

    def log(self, container: str, lines: int = 30) -> str:
        """Return the end of a container's log."""
        done = _run(["docker", "logs", f"--tail={lines}", container], check=False)
        return done.stdout + done.stderr

    def wait_ready(self, seconds: float = 600) -> None:
        """Wait until every container is healthy and Airflow calls itself healthy.

        :raises StackError: one ended, or the time is up.
        """
        deadline = time.monotonic() + seconds
        while waiting := [c for c in self.containers() if not c.ready] or not self.api.healthy():
            if (dead := self.dead()) is not None:
                raise StackError(dead)
            if time.monotonic() > deadline:
                raise StackError(f"after {seconds:.0f} s still not healthy: {waiting}")
            time.sleep(1)
