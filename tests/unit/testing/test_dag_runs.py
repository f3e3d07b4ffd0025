"""What run_dag refuses before it runs anything, and what a Run says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_imagebuilder.testing import Run, run_dag


@pytest.mark.parametrize("expect", ["fail", "failure", "", "SUCCESS"])
def test_a_state_in_which_no_run_finishes_cannot_be_expected(expect: str) -> None:
    nothing: Any = None
    with pytest.raises(ValueError, match="is not 'success', 'failed' or None"):
        run_dag(nothing, expect=expect)


def test_an_xcom_of_an_unknown_task_is_refused_with_the_tasks_of_the_dag() -> None:
    pulled: list[str] = []

    def pull(*, task_ids: str, **_: object) -> str:
        pulled.append(task_ids)
        return "ami-1"

    instances = [SimpleNamespace(task_id=name, xcom_pull=pull) for name in ("publish", "bake")]
    dag_run = SimpleNamespace(get_task_instances=lambda: instances)
    run = Run("own", "manual", "success", {}, {}, dag_run)
    with pytest.raises(ValueError, match="no task 'bakee'; it has bake, publish"):
        run.xcom("bakee")
    assert (run.xcom("bake"), pulled) == ("ami-1", ["bake"])
