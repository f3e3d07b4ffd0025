"""Many images at once over two triggerers and two workers, and which of them survive when parts die.

Runs on a Docker engine (``make test-compose``). ``--full`` bakes more images at once, slower, and
injects every fault; the short form injects those of a triggerer and of a worker. Every test leaves the set-up
as it found it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.distributed.wave import Report, Wave

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.stack.compose import ComposeStack
    from tests.distributed.conftest import Size

pytestmark = [pytest.mark.faults, pytest.mark.integration, pytest.mark.timeout(3600)]

FULL = pytest.mark.full

STATIC = Path(__file__).parents[2] / "airflow_imagebuilder" / "ui" / "static"
WIDTH = 5
AWAY = 30.0
CUT = 60.0


def kill(service: str, *indexes: int) -> Callable[[ComposeStack], None]:
    """Return a fault that kills containers of a service, and starts them again after a while."""

    def fault(stack: ComposeStack) -> None:
        names = [stack.containers(service)[index].name for index in indexes]
        stack.docker("kill", "--signal=KILL", *names)
        time.sleep(AWAY)
        stack.docker("start", *names)

    return fault


def restart(service: str) -> Callable[[ComposeStack], None]:
    """Return a fault that restarts the container of a service."""

    def fault(stack: ComposeStack) -> None:
        stack.docker("restart", stack.containers(service)[0].name)

    return fault


def cut_off(stack: ComposeStack) -> None:
    """Take the local service off the network for a minute."""
    name, network = stack.containers("image-builder")[0].name, f"{stack.project}_default"
    stack.docker("network", "disconnect", network, name)
    time.sleep(CUT)
    stack.docker("network", "connect", "--alias", "image-builder", network, name)


def print_row(what: str, report: Report) -> None:
    """Print a row of the table that docs/operations.md shows."""
    waits = "+".join(str(n) for n in report.waits.values())
    print(  # noqa: T201 - the table is what a reader of the log wants
        f"\n| {what} | {report.states} | {len(report.images)} | {report.cancels} | {report.most_active}"
        f" / {report.widest} | {waits} | {report.tries} | {report.seconds:.0f} s |"
    )


def assert_wave(report: Report, count: int) -> None:
    """Assert what must be true of every wave, whatever died."""
    assert report.states == {"success": count}
    assert report.images == ["AVAILABLE"] * count
    assert report.one_each
    assert report.cancels == 0
    assert 0 < report.most_active <= WIDTH
    assert 0 < report.widest <= WIDTH


def test_images_at_once_share_two_triggerers_and_never_run_more_than_five_tests_of_a_group(
    stack: ComposeStack, size: Size
) -> None:
    with Wave(stack, size.at_once) as wave:
        wave.wait_ended(3000)
    report = wave.report()
    print_row(f"{size.at_once} at once, no fault", report)
    assert_wave(report, size.at_once)
    assert len(report.waits) == len(stack.containers("triggerer"))


def test_the_image_serves_the_pages_as_they_are_in_the_repository_to_users_alone(stack: ComposeStack) -> None:
    api, path = stack.api, "/imagebuilder/static/imagebuilder.js"
    assert "imagebuilder" in {plugin["name"] for plugin in api.call("GET", "plugins")["plugins"]}
    served = api._http.get(path)
    assert (served.status_code, served.content) == (httpx.codes.OK, (STATIC / "imagebuilder.js").read_bytes())
    anybody = httpx.get(f"{stack.url}{path}", trust_env=False)
    assert not anybody.is_success


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        pytest.param("one triggerer killed", kill("triggerer", 0), id="one-triggerer-is-killed"),
        pytest.param("one worker killed", kill("worker", 0), id="one-worker-is-killed"),
        pytest.param(
            "both schedulers killed", kill("scheduler", 0, 1), id="both-schedulers-are-killed", marks=FULL
        ),
        pytest.param("PostgreSQL restarted", restart("postgres"), id="postgresql-restarts", marks=FULL),
        pytest.param("Redis restarted", restart("redis"), id="redis-restarts", marks=FULL),
        pytest.param(
            "Image Builder cut off for a minute", cut_off, id="image-builder-is-cut-off", marks=FULL
        ),
    ],
)
def test_builds_in_flight_succeed_once_when(
    what: str, fault: Callable[[ComposeStack], None], stack: ComposeStack, size: Size
) -> None:
    stack.wait_ready()
    with Wave(stack, size.in_flight) as wave:
        wave.wait_in_flight()
        fault(stack)
        wave.wait_ended(1800)
    report = wave.report()
    print_row(f"{size.in_flight} in flight, {what}", report)
    assert_wave(report, size.in_flight)
