"""LocalService: the local Image Builder as a process of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import httpx

from airflow_imagebuilder.local.control.remote import ControlError, all_passed
from airflow_imagebuilder.local.stack.base import Stack, StackError
from airflow_imagebuilder.local.stack.environment import (
    HOST,
    REGION,
    aws_environment,
    clean_environment,
)

_READY = re.compile(r"Image Builder on (http://\S+)")
_SERVICE = "local service"


class LocalService(Stack):
    """The local Image Builder as a process of its own.

    :param port: port of 127.0.0.1; 0, the default, takes a free one, which a restart keeps.
    :param speed: virtual seconds per second; 600 by default.
    :param scenario: YAML file with durations, failures and faults of the API.
    :param state: file for the state of the service, which then survives a kill; by default nothing is kept.
    :param home: folder for its log; ``.demo`` by default.
    :param start_seconds: how long it may take to start; 60 by default.
    :param account: the account that owns the seeded resources; that of the service by default.
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
        account: str | None = None,
    ) -> None:
        super().__init__(home, start_seconds)
        self._port = port
        self._options = [f"--speed={speed:g}"]
        self._options += [f"--scenario={scenario}"] if scenario else []
        self._options += [f"--state={state}"] if state else []
        self._options += [f"--account={account}"] if account else []

    def _launch_all(self) -> None:
        command = [
            sys.executable,
            "-m",
            "airflow_imagebuilder.local",
            f"--host={HOST}",
            f"--port={self._port}",
        ]
        self.waits_for = "the local service starts"
        self._launch(_SERVICE, [*command, *self._options], clean_environment())

    def wait_ready(self) -> None:
        """Wait until the service has printed its address.

        :raises StackError: the service stopped, or the time is up.
        """
        self._await(lambda: self._ready() is not None, "the local service is not ready")
        self._port = httpx.URL(self.url).port or 0

    def _ready(self) -> str | None:
        found = _READY.search(self._processes[_SERVICE].output) if self.pids else None
        return found[1] if found else None

    def kill(self) -> None:
        """Kill the service as a crash does (SIGKILL)."""
        self._end(_SERVICE, grace=0)

    def restart(self) -> None:
        """Start the service again on the same port, after a SIGKILL if it still runs."""
        self.kill()
        self.start()

    @property
    def url(self) -> str:
        """The endpoint, e.g. ``http://127.0.0.1:5005``; with port 0 only known once the service is ready."""
        return self._ready() or f"http://{HOST}:{self._port}"

    @property
    def env(self) -> dict[str, str]:
        """Variables with which boto3, the AWS CLI and ``aws_default`` reach this service alone."""
        return aws_environment(self.url)

    def client(self, name: str, region: str = REGION, account: str | None = None) -> Any:
        """Return a boto3 client of this service.

        :param name: boto3's name of the AWS service, e.g. ``imagebuilder`` or ``ec2``.
        :param region: ``us-east-1`` by default.
        :param account: twelve digits: an account in which the client assumes a role; the service's own by
            default.
        """
        import boto3

        keys = ("local", "local", None) if account is None else self._assume_role(account)
        session: Any = boto3.Session(keys[0], keys[1], keys[2], region)
        return session.client(name, endpoint_url=self.url)

    def _assume_role(self, account: str) -> tuple[str, str, str]:
        role = f"arn:aws:iam::{account}:role/local"
        answer = self.client("sts").assume_role(RoleArn=role, RoleSessionName="local")
        keys = answer["Credentials"]
        return keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]

    def records(self) -> dict[str, Any]:
        """Return the service's own records: images, executions, and API calls counted by operation."""
        return self._request("GET", "records")

    def control(self, **settings: Any) -> dict[str, Any]:
        """Change the running service, e.g. its speed or its faults.

        ``advance`` is repeated until all of it has passed.

        :raises ValueError: a setting is unknown or invalid; nothing has changed.
        :raises StackError: time is left after many requests.
        """
        try:
            return all_passed(lambda body: self._request("POST", "control", json=body), settings)
        except ControlError as error:
            raise StackError(str(error)) from None

    def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        with httpx.Client(trust_env=False, timeout=30) as http:
            answer = http.request(method, f"{self.url}/_imagebuilder/{path}", **options)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise ValueError(answer.json()["error"])
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body
