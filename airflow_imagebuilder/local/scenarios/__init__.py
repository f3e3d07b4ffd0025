"""The scenarios that are shipped, each a file with what it does in its first lines; others have a path."""

from __future__ import annotations

from pathlib import Path

from airflow_imagebuilder.local.emulator.backend import Backend
from airflow_imagebuilder.local.emulator.scenario import ScenarioError, load

FOLDER = Path(__file__).parent
SHIPPED = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
"""Their names."""


def find(scenario: str) -> Path:
    """Return the file of a scenario.

    :param scenario: the name of a shipped one, or a path.
    :raises ScenarioError: it is neither.
    """
    if scenario in SHIPPED:
        return FOLDER / f"{scenario}.yaml"
    path = Path(scenario)
    if not path.is_file():
        why = "is a folder" if path.is_dir() else "No such file"
        raise ScenarioError(
            f"--scenario {scenario}: {why}. Give a YAML file, or a name: {', '.join(SHIPPED)}"
        )
    return path


def checked(scenario: str) -> Path:
    """Return the file of a scenario that a new service accepts, with the names of what is seeded in it.

    :param scenario: as of :func:`find`.
    :raises ScenarioError: it cannot be read, or the service would refuse it.
    """
    path = find(scenario)
    try:
        Backend(scenario=load(path))
    except ScenarioError as error:
        named = str(path) in str(error)
        raise ScenarioError(str(error) if named else f"{path}: {error}") from error
    return path
