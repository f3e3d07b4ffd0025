"""The servers of a whole local set-up: the local Image Builder, and an Airflow that talks to it.

Used by the demo, the integration tests, the fault suite and the benchmarks. Both are context managers that
start real processes on 127.0.0.1, on free ports, and end exactly those.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from .airflow_api import AirflowApi
from .environment import (
    HOST,
    REGION,
    USER,
    airflow_environment,
    api_server_environment,
    aws_environment,
    clean_environment,
    home_secrets,
)
from .processes import GRACE
from .servers import Stack, StackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["COMPONENTS", "AirflowStack", "LocalService", "StackError", "free_port"]

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")

_READY = re.compile(r"Image Builder on (http://\S+)")
_SERVICE = "local service"


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class LocalService(Stack):
    """The local Image Builder as a process of its own.

    :param port: port of 127.0.0.1; 0 takes a free one, which a restart keeps.
    :param speed: virtual seconds a second.
    :param scenario: YAML file with durations, failures and API faults.
    :param state: file that the service keeps its state in, so that it outlives a kill.
    :param home: folder for its log.
    :param start_seconds: how long it may take to start.
    """

    def __init__(
        self,
        port: int = 0,
        speed: float = 600,
        scenario: Path | None = None,
        state: Path | None = None,
        *,
        home: Path = Path(".demo"),
        start_seconds: float = 60,
    ) -> None:
        super().__init__(home, start_seconds)
        self._port = port
        self._options = [f"--speed={speed:g}"]
        self._options += [f"--scenario={scenario}"] if scenario else []
        self._options += [f"--state={state}"] if state else []

    def _launch_all(self) -> None:
        command = [
            sys.executable,
            "-m",
            "airflow_imagebuilder.local",
            f"--host={HOST}",
            f"--port={self._port}",
        ]
        self._launch(_SERVICE, [*command, *self._options], clean_environment())

    def wait_ready(self) -> None:
        """Wait for the ready line.

        :raises StackError: it did not come.
        """
        self._await(lambda: self._ready() is not None, "the local service is not ready")
        self._port = httpx.URL(self.url).port or 0

    def _ready(self) -> str | None:
        found = _READY.search(self._processes[_SERVICE].output) if self.pids else None
        return found[1] if found else None

    def kill(self) -> None:
        """End the service as a crash does (SIGKILL)."""
        self._end(_SERVICE, grace=0)

    def restart(self) -> None:
        """Start the service again on the same port, after a SIGKILL where it still runs."""
        self.kill()
        self.start()

    @property
    def url(self) -> str:
        """The endpoint, e.g. ``http://127.0.0.1:5005``; with port 0 it is known once the service is ready."""
        return self._ready() or f"http://{HOST}:{self._port}"

    @property
    def env(self) -> dict[str, str]:
        """The environment that makes boto3, the AWS CLI and ``aws_default`` talk to this service only."""
        return aws_environment(self.url)

    def client(self, name: str, region: str = REGION) -> Any:
        """Return a boto3 client of this service.

        :param name: boto3's name of the AWS service, e.g. ``imagebuilder`` or ``ec2``.
        """
        import boto3

        session: Any = boto3.Session("local", "local", region_name=region)
        return session.client(name, endpoint_url=self.url)

    def records(self) -> dict[str, Any]:
        """Return the service's own records: images, executions, and API calls counted by operation."""
        return self._ask("GET", "records")

    def control(self, **settings: Any) -> dict[str, Any]:
        """Change the running service, e.g. its speed or the faults it answers with."""
        return self._ask("POST", "control", json=settings)

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        with httpx.Client(trust_env=False, timeout=30) as http:
            answer = http.request(method, f"{self.url}/_imagebuilder/{path}", **options)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body


class AirflowStack(Stack):
    """An Airflow of four processes: api-server, scheduler, dag-processor and triggerer.

    :param home: its AIRFLOW_HOME: database, secrets and logs.
    :param dags: one folder with Dags, or several.
    :param env: variables on top, e.g. ``LocalService.env``; may override any setting made here.
    :param parallelism: how many tasks run at once.
    :param sql_alchemy_conn: database; SQLite in ``home`` where it is left out.
    :param start_seconds: how long the start may take, database included.
    """

    def __init__(
        self,
        home: Path,
        dags: Path | Sequence[Path],
        env: Mapping[str, str] | None = None,
        parallelism: int = 8,
        *,
        sql_alchemy_conn: str | None = None,
        start_seconds: float = 180,
    ) -> None:
        super().__init__(home, start_seconds)
        folders = [dags] if isinstance(dags, Path) else list(dags)
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self.env = {
            **clean_environment(),
            **airflow_environment(self.home, [folder.resolve() for folder in folders], port),
            "AIRFLOW__CORE__PARALLELISM": str(parallelism),
            **({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": sql_alchemy_conn} if sql_alchemy_conn else {}),
            **(env or {}),
        }
        self.username = USER
        self.password = home_secrets(self.home)["password"]
        self.api = AirflowApi(self.url, self.username, self.password)

    def _launch_all(self) -> None:
        self.migrate()
        for component in COMPONENTS:
            self.launch(component)

    def stop(self, grace: float = GRACE) -> None:
        """End the four processes, in bounded time; nothing to do where none runs.

        :param grace: seconds between SIGTERM and SIGKILL.
        """
        self.api.close()
        super().stop(grace)

    def migrate(self) -> None:
        """Create the database, or bring it up to date (``airflow db migrate``)."""
        process = self._launch("db-migrate", self.command("db", "migrate"), self.env)
        ended = process.wait(self._start_seconds)
        self._end("db-migrate", grace=0)
        if not ended or process.returncode:
            raise StackError(f"airflow db migrate: exit code {process.returncode}\n{process.tail()}")

    def launch(self, component: str, *, name: str | None = None) -> None:
        """Start one of the four processes; ``wait_ready`` tells when it is at work.

        :param name: what a second one of its kind is called, e.g. ``triggerer-2``; the component by default.
        """
        # Airflow's log servers listen on every interface; the api-server reads the files itself.
        local_logs = ["--skip-serve-logs"] if component in {"scheduler", "triggerer"} else []
        env = api_server_environment(self.env) if component == "api-server" else self.env
        self._launch(name or component, self.command(component, *local_logs), env)

    def wait_ready(self) -> None:
        """Wait until ``/api/v2/monitor/health`` calls every component healthy.

        :raises StackError: a process ended, or the time is up.
        """
        self._await(self.api.healthy, "Airflow is not healthy")

    def kill(self, component: str) -> None:
        """End one process as a crash does: SIGKILL to it and to all that it forked."""
        self._end(component, grace=0)

    def restart(self, component: str) -> None:
        """End one process where it runs (SIGTERM first) and start it anew."""
        self._end(component)
        self.launch(component)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of ``airflow`` in this environment."""
        return [sys.executable, "-m", "airflow", *arguments]

    def airflow(self, *arguments: str, seconds: float = 120) -> str:
        """Run an ``airflow`` command in this home and return what it prints.

        :raises subprocess.CalledProcessError: it failed.
        """
        done = subprocess.run(  # noqa: S603 - the command is ours
            self.command(*arguments),
            env=self.env,
            check=True,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        return done.stdout
