"""Clients of other people: found on this machine, or their tests are skipped with the reason."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import completed
from tests.support.process import KEYS, Process

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What ``make test-clients`` installs.
INSTALLED = Path(__file__).parents[2] / ".clients"
LIMIT = 240.0


@pytest.fixture(scope="module")
def service() -> Iterator[Process]:
    """A local Image Builder in which a build takes less than a second."""
    with Process("--speed", "60000") as process:
        yield process


@pytest.fixture(scope="module")
def environment(service: Process, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a client: the local service is its AWS."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        **{name.upper(): value for name, value in KEYS.items()},
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": service.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
        "CHECKPOINT_DISABLE": "1",
    }


def found(name: str, folder: Path | None = None) -> str:
    """Return the path of a program, or skip the test.

    :param folder: where ``make test-clients`` installs it.
    """
    path = shutil.which(str(folder / name)) if folder else None
    path = path or shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed here; make test-clients")
    return path


def run(*command: str, environment: dict[str, str], folder: Path | None = None) -> tuple[int, str]:
    """Run a client and return its exit code with its output."""
    ran = completed(command, seconds=LIMIT, env=environment, cwd=folder)
    return ran.returncode, ran.stdout if ran.returncode == 0 else ran.stdout + ran.stderr
