"""docs/local-image-builder.md: the scenarios as they are, and commands that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from airflow_imagebuilder.local.control import command_line
from airflow_imagebuilder.local.emulator.backend import Backend
from airflow_imagebuilder.local.scenarios import FOLDER, SHIPPED

REPOSITORY = Path(__file__).parents[4]
PAGE = (REPOSITORY / "docs" / "local-image-builder.md").read_text("utf-8")
SHOWN = dict(re.findall(r"^`([\w./-]+\.yaml)`:\n\n```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
(OWN,) = (
    block
    for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    if block not in SHOWN.values()
)
COMMANDS = sorted(set(re.findall(r"(?:^\$ |`)control (.+?)(?:$|`)", PAGE, re.MULTILINE)))
TABLE = PAGE.partition("### While it runs")[2].partition("Some failures")[0]
NAMED = set(re.findall(r"^\| `([\w-]+)", TABLE, re.MULTILINE))


def test_the_page_shows_every_shipped_scenario_as_it_is() -> None:
    files = {str((FOLDER / f"{name}.yaml").relative_to(REPOSITORY)) for name in SHIPPED}
    assert set(SHOWN) == files
    assert {name: (REPOSITORY / name).read_text("utf-8") for name in files} == SHOWN


def test_a_new_service_takes_the_example_of_an_own_scenario() -> None:
    behaviour = Backend(scenario=yaml.safe_load(OWN)).engine.behaviour
    assert [failure.message for failure in behaviour.failures] == ["no capacity", "disk full"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_service_takes_each_command_of_the_page(command: str) -> None:
    options = command_line._parser().parse_args(shlex.split(command))
    service = _Service()
    assert options.run(service, options)


def test_the_table_names_every_command() -> None:
    listed = re.findall(r"^    ([a-z-]+)\b", command_line._parser().format_help(), re.MULTILINE)
    assert listed
    assert set(listed) == NAMED


class _Service:
    """The service without HTTP."""

    url = "http://127.0.0.1:5005"

    def __init__(self) -> None:
        self._backend = Backend()
        self.health, self.records = self._backend.clock, self._backend.snapshot
        self.control = self._backend.control
