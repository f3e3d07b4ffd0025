"""docker-compose.yaml on a Docker engine, once for all tests here; skipped where no engine answers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_imagebuilder.local.stack.base import StackError
from airflow_imagebuilder.local.stack.compose import ComposeStack, compose_command

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Size:
    """
    How much the suite does.

    :param at_once: images that the first test bakes at once.
    :param in_flight: images in progress at each fault.
    :param speed: virtual seconds per second: at 15 an image takes about 100 seconds.
    """

    at_once: int
    in_flight: int
    speed: float


SHORT, FULL = Size(at_once=6, in_flight=3, speed=25), Size(at_once=40, in_flight=6, speed=15)


@pytest.fixture(scope="session")
def size(pytestconfig: pytest.Config) -> Size:
    """The short form, or with ``--full`` the long one."""
    return FULL if pytestconfig.getoption("--full") else SHORT


@pytest.fixture(scope="session")
def stack(size: Size, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    """The whole set-up, with the Dag ``fleet``, and a scheduler that notices a dead worker in a minute."""
    try:
        compose_command()
    except StackError as error:
        if "COMPOSE_REQUIRED" in os.environ:
            raise
        pytest.skip(str(error))
    home = Path(os.environ.get("COMPOSE_STATE") or tmp_path_factory.mktemp("compose"))
    settings = {"TASK_HEARTBEAT_TIMEOUT": "45", "TASK_QUEUED_TIMEOUT": "60"}
    with ComposeStack(home, HERE / "dags", size.speed, settings) as started:
        for variable, image in started.stand_ins.items():
            print(f"STAND-IN, not the official image: {variable}={image}")  # noqa: T201 - must be seen
        yield started
