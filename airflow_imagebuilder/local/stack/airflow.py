"""AirflowStack: an Airflow of four processes on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.stack.airflow_client import AirflowApi
from airflow_imagebuilder.local.stack.base import Stack, StackError
from airflow_imagebuilder.local.stack.environment import (
    HOST,
    USER,
    airflow_environment,
    api_server_environment,
    clean_environment,
    free_port,
    home_secrets,
)
from airflow_imagebuilder.local.stack.processes import GRACE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


class AirflowStack(Stack):
    """An Airflow of four processes: api-server, scheduler, dag-processor and triggerer.

    :param home: its AIRFLOW_HOME: database, secrets and logs.
    :param dags: one folder with Dags, or several.
    :param env: more variables, e.g. ``LocalService.env``; they override the settings made here.
    :param parallelism: how many tasks run at once; 8 by default.
    :param sql_alchemy_conn: the database; SQLite in ``home`` by default.
    :param start_seconds: how long the start may take, database included; 180 by default.
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
        """Stop the four processes, in bounded time; do nothing if none runs.

        :param grace: seconds between SIGTERM and SIGKILL.
        """
        self.api.close()
        super().stop(grace)

    def migrate(self) -> None:
        """Create the database, or bring it up to date (``airflow db migrate``).

        :raises StackError: the command failed; the message holds the end of its output.
        """
        self.waits_for = "airflow db migrate makes the tables"
        process = self._launch("db-migrate", self.command("db", "migrate"), self.env)
        ended = process.wait(self._start_seconds)
        self._end("db-migrate", grace=0)
        self.waits_for = ""
        if not ended or process.returncode:
            raise StackError(f"airflow db migrate: exit code {process.returncode}\n{process.tail()}")

    def launch(self, component: str, *, name: str | None = None) -> None:
        """Start one of the four processes; :meth:`wait_ready` waits until it works.

        :param name: the name of the process, e.g. ``triggerer-2`` for a second one; the component by default.
        """
        # Airflow's log servers listen on every interface; the api-server reads the files itself.
        local_logs = ["--skip-serve-logs"] if component in {"scheduler", "triggerer"} else []
        env = api_server_environment(self.env) if component == "api-server" else self.env
        self._launch(name or component, self.command(component, *local_logs), env)

    def wait_ready(self) -> None:
        """Wait until ``/api/v2/monitor/health`` reports that every component is healthy.

        :raises StackError: a process stopped, or the time is up.
        """
        self._await(self._healthy, "Airflow is not healthy")

    def _healthy(self) -> bool:
        found = self.api.health()
        named = {"api-server": bool(found), **{name: found[name] for name in found if name != "metadatabase"}}
        self.waits_for = ", ".join(f"{name} {'up' if up else 'starting'}" for name, up in named.items())
        return bool(found) and all(found.values())

    def kill(self, component: str) -> None:
        """Kill one process as a crash does: SIGKILL to it and to everything that it forked."""
        self._end(component, grace=0)

    def restart(self, component: str) -> None:
        """Stop one process if it runs (SIGTERM first) and start it again."""
        self._end(component)
        self.launch(component)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of ``airflow`` in this environment."""
        return [sys.executable, "-m", "airflow", *arguments]

    def airflow(self, *arguments: str, seconds: float = 120) -> str:
        """Run an ``airflow`` command in this home and return its output.

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
