"""The command line of a demo: its options, its exit code, and one demo per folder."""

from __future__ import annotations

import argparse
import fcntl
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from airflow_imagebuilder.local.demo.demo import DAG, Demo, DemoError, ImageFailedError
from airflow_imagebuilder.local.emulator.scenario import ScenarioError
from airflow_imagebuilder.local.scenarios import SHIPPED, checked
from airflow_imagebuilder.local.stack.airflow_client import AirflowApiError
from airflow_imagebuilder.local.stack.base import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from airflow_imagebuilder.local.demo.demo import Platform

SPEED = 60.0
"""Virtual seconds per second: a bake of half an hour takes half a minute."""

_DAGS = Path(__file__).parents[3] / "dags"


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Lock a folder for this process.

    :raises DemoError: another demo runs in it.
    """
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f"another demo runs in {state}; stop it, or give --state another folder"
            ) from None
        yield


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _options(
    arguments: Sequence[str] | None, module: str, description: str | None, state: Path
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--stay", action="store_true", help="keep everything running until Ctrl-C")
    parser.add_argument("--speed", type=float, default=SPEED, help="virtual seconds per second (%(default)g)")
    parser.add_argument(
        "--scenario",
        metavar="NAME|FILE",
        help=f"what fails in the Image Builder: {', '.join(SHIPPED)}, or a YAML file",
    )
    parser.add_argument("--state", type=Path, default=state, help="folder for all files (%(default)s)")
    parser.add_argument("--dags", type=Path, default=_DAGS, help="folder with the Dags (%(default)s)")
    parser.add_argument("--dag-id", default=DAG, help="the Dag to run (%(default)s)")
    return parser.parse_args(arguments)


def run(
    make_platform: Callable[[Path, Path, float, Path | None], Platform],
    arguments: Sequence[str] | None = None,
    *,
    module: str,
    description: str | None,
    state: Path,
) -> int:
    """
    Run a demo from the command line.

    :param make_platform: makes the platform from the folder for its files, the folder with the Dags, the
        speed, and the file of the scenario.
    :param module: the name that ``python -m`` is given for this demo.
    :param state: the folder for its files without ``--state``.
    :return: the exit code: 0 with an image, 1 without, 2 for a wrong scenario, 130 after an interruption.
    """
    options = _options(arguments, module, description, state)
    # A log file does not wrap lines: without a terminal the tables get the room they need.
    console = Console(width=None if sys.stdout.isatty() else 120)
    # A closed terminal or a killed job stops the demo as Ctrl-C does, so that no server stays behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        scenario = checked(options.scenario) if options.scenario else None
        with only_one(options.state):
            platform = make_platform(options.state, options.dags, options.speed, scenario)
            Demo(console, platform, dags=options.dags, dag_id=options.dag_id).run(stay=options.stay)
    except KeyboardInterrupt:
        console.print("interrupted; everything is stopped")
        return 130
    except ScenarioError as error:
        console.print(f"{module}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except (DemoError, StackError, AirflowApiError) as error:
        if options.scenario and isinstance(error, ImageFailedError):
            lines = (
                f"Failed, with --scenario {options.scenario}: {error.lines[0]}",
                "To see it in Airflow, and to repair it: make up, or --stay",
            )
            console.print(*lines, sep="\n", markup=False, highlight=False, soft_wrap=True)
            return 1
        console.print(f"The demo failed: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0
