"""The example Dags on the installed Airflow: what they import, when they run, nothing deprecated."""

from __future__ import annotations

import ast
import importlib.util
import warnings
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
FILES = [
    file for folder in ("dags", "docs/how-to/dags") for file in sorted((REPOSITORY / folder).glob("*.py"))
]


def load(file: Path) -> Any:
    """Import a Dag file as Airflow does, under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"example_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_file_uses_nothing_that_this_airflow_deprecates(file: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load(file)
    ours = (str(file), "airflow_imagebuilder")
    assert [str(w.message) for w in caught if any(part in w.filename for part in ours)] == []
    assert [str(w.message) for w in caught if "RemovedInAirflow" in w.category.__name__] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_file_can_be_copied_to_every_version(file: Path) -> None:
    tree = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    imports = [node.module or "" for node in tree if isinstance(node, ast.ImportFrom)]
    ours = {module for module in imports if module.startswith("airflow_imagebuilder")}
    assert "airflow_imagebuilder" in ours
    assert ours <= {"airflow_imagebuilder", "airflow_imagebuilder.assets"}


def next_run(dag: Any) -> datetime:
    """Return when the scheduler, which only has the serialized Dag, runs it next."""
    from airflow.serialization import serialized_objects
    from airflow.timetables.base import TimeRestriction

    places = (getattr(serialized_objects, name, None) for name in ("DagSerialization", "SerializedDAG"))
    serialization: Any = next(place for place in places if hasattr(place, "to_dict"))
    timetable = serialization.from_dict(serialization.to_dict(dag)).timetable
    unlimited = TimeRestriction(earliest=None, latest=None, catchup=dag.catchup)
    info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=unlimited)
    run_after: datetime = info.run_after
    return run_after


def test_golden_image_runs_on_the_next_monday_at_three_and_not_at_once() -> None:
    (golden,) = [file for file in FILES if file.stem == "golden_image"]
    run_after = next_run(load(golden).dag)
    assert run_after > datetime.now(timezone.utc)
    assert (run_after.weekday(), run_after.hour, run_after.minute) == (0, 3, 0)
    assert (run_after - datetime.now(timezone.utc)).days < 7
