"""Throttling and outages under a hundred waits: ours beside the stock waiter of the amazon provider."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.stack.environment import clean_environment
from airflow_imagebuilder.local.stack.image_builder import LocalService
from tests.faults.scene import until
from tests.support.arns import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
WAITS = 100
KINDS = {"ours": "this package", "stock": "stock waiter (AwsBaseWaiterTrigger)"}
OUTAGE = 60
LIMIT = 900
THROTTLED = {"code": "CallRateLimitExceededException", "status": 429, "rate": 0.2}
UNAVAILABLE = {"code": "ServiceUnavailableException", "status": 503, "lasts": OUTAGE}


@dataclass(frozen=True)
class Case:
    """One fault under a hundred waits."""

    title: str
    image: float
    """Seconds of real time that an image takes."""
    fault: dict[str, Any] | None


CASES = (
    Case("20 % of all calls answered 429, images of 10 s", 10, THROTTLED),
    Case("20 % of all calls answered 429, images of 60 s", 60, THROTTLED),
    Case(f"{OUTAGE} s of 503", OUTAGE + 10, UNAVAILABLE),
    Case(f"{OUTAGE} s of refused connections", OUTAGE + 10, None),
)


def suffer(case: Case, home: Path) -> dict[str, dict[str, int]]:
    """Let both kinds wait for the same images under the fault, each in a process of its own."""
    with LocalService(speed=0, state=home / "state.jsonl", home=home) as service:
        service.control(durations={"pending": 0, "creating": 0, "gap": 0, "build": case.image})
        with _waiting(service, home) as processes:
            arns = json.dumps(_images(service))
            for process in processes.values():
                _send(process, arns)
                _read_until(process, "polling")
            # The clock did not run until the stock waits, which take their time to start, had all begun.
            service.control(speed=1)
            if case.fault:
                service.control(faults=[case.fault])
            else:
                _refuse_connections(service)
            return {kind: _endings(process) for kind, process in processes.items()}


def _send(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _read_until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    while word not in (line := process.stdout.readline()):
        if not line:
            raise AssertionError(f"the process that waits has ended before it was {word}")


def _endings(process: subprocess.Popen[str]) -> dict[str, int]:
    printed = process.communicate(timeout=LIMIT)[0]
    found: dict[str, int] = json.loads(printed.splitlines()[-1])
    return found


@contextlib.contextmanager
def _waiting(service: LocalService, home: Path) -> Iterator[dict[str, subprocess.Popen[str]]]:
    env = {**service.env, "AIRFLOW_HOME": str(home / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    connection = json.loads(env["AIRFLOW_CONN_AWS_DEFAULT"])
    connection["extra"]["config_kwargs"] = {"retries": {"mode": "standard"}}
    env["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
    processes = {}
    with contextlib.ExitStack() as stack:
        for kind in reversed(KINDS):
            errors = stack.enter_context((home / f"{kind}.log").open("w"))
            processes[kind] = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.faults.waits", kind],
                    cwd=REPOSITORY,
                    env={**clean_environment(), **env},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                )
            )
            stack.callback(processes[kind].kill)
        for process in processes.values():
            _read_until(process, "ready")
        yield processes


def _images(service: LocalService) -> list[str]:
    client = service.client("imagebuilder")
    return [
        client.create_image(
            imageRecipeArn=f"{PREFIX}:image-recipe/golden-al2023/1.0.0",
            infrastructureConfigurationArn=f"{PREFIX}:infrastructure-configuration/golden-build",
            imageTestsConfiguration={"imageTestsEnabled": False},
            clientToken=f"throttled-{number}",
        )["imageBuildVersionArn"]
        for number in range(WAITS)
    ]


def _refuse_connections(service: LocalService) -> None:
    service.kill()
    over = time.monotonic() + OUTAGE
    until(lambda: time.monotonic() > over, OUTAGE + 10, lambda: "the outage")
    service.restart()
    service.control(speed=1)


def summary(endings: dict[str, int]) -> str:
    """Return how many waits were lost, and their most frequent errors."""
    lost = {text: count for text, count in endings.items() if text != "done"}
    why = "".join(
        f"; {count} x {text}" for text, count in sorted(lost.items(), key=lambda item: -item[1])[:2]
    )
    return f"{sum(lost.values())} of {sum(endings.values())} lost{why}"
