"""Process: the local service as a process, on a free port."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

START_SECONDS = 90.0
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


class Process:
    """
    ``python -m airflow_imagebuilder.local``; a context manager that stops exactly what it started.

    :param arguments: options of the command line.
    :param log: a file for what it writes to its standard error; by default that of the tests.
    """

    def __init__(self, *arguments: str, log: Path | None = None) -> None:
        self._arguments = arguments
        self._log = log
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start the service and wait until it prints its address."""
        command = [sys.executable, "-m", "airflow_imagebuilder.local", "--port", "0", *self._arguments]
        errors = self._log.open("a") if self._log else None
        try:
            self._popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        finally:
            if errors:
                errors.close()
        self.line = self._first_line()
        found = re.match(r"Image Builder on (http://127\.0\.0\.1:\d+) \(speed", self.line)
        assert found, f"instead of its address the service printed {self.line!r}"
        self.url = found[1]
        self._clients.clear()

    def _first_line(self) -> str:
        assert self._popen.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self._popen.stdout, selectors.EVENT_READ)
            assert selector.select(START_SECONDS), "the service prints nothing"
        return self._popen.stdout.readline()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> tuple[int, float]:
        """Stop the service with SIGTERM; return its exit code and the seconds that it took."""
        began = time.monotonic()
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
        code = self._popen.wait(30)
        return code, time.monotonic() - began

    def kill(self) -> None:
        """Kill the service as a crash does."""
        self._popen.kill()
        self._popen.wait(30)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: host and port."""
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def cpu_seconds(self) -> float:
        """The processor time that the service has used, in seconds."""
        fields = open(f"/proc/{self._popen.pid}/stat").read().rsplit(")", 1)[1].split()  # noqa: PTH123, SIM115
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def client(self, service: str = "imagebuilder", region: str = "us-east-1", **config: Any) -> Any:
        """Return a boto3 client without retries; the same arguments return the same client."""
        key = repr((service, region, config))
        if key not in self._clients:
            settings = {"retries": {"total_max_attempts": 1}, "read_timeout": 20, **config}
            connect: Any = boto3.client  # (its stubs know a service by its literal name only)
            self._clients[key] = connect(
                service, region_name=region, endpoint_url=self.url, config=Config(**settings), **KEYS
            )
        return self._clients[key]

    def control(self, **request: Any) -> dict[str, Any]:
        """Call the control plane and return its answer, also if it is a refusal."""
        data = json.dumps(request).encode()
        try:
            headers = {"content-type": "application/json"}
            wanted = urllib.request.Request(f"{self.url}/_imagebuilder/control", data, headers)
            with urllib.request.urlopen(wanted, timeout=20) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                return dict(json.load(error))

    def records(self) -> dict[str, Any]:
        """Return the records of the service."""
        with urllib.request.urlopen(f"{self.url}/_imagebuilder/records", timeout=20) as answer:
            return dict(json.load(answer))

    def wait(self, arn: str, *wanted: str, seconds: float = 30.0) -> dict[str, Any]:
        """Poll until an image has finished, or has one of some statuses."""
        client, last = self.client(), {}
        goal = wanted or ("AVAILABLE", "FAILED", "CANCELLED")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            last = dict(client.get_image(imageBuildVersionArn=arn)["image"])
            if last["state"]["status"] in goal:
                return last
            time.sleep(0.02)  # the real service on real time is what is tested here
        raise AssertionError(f"after {seconds} s: {last.get('state')}")
