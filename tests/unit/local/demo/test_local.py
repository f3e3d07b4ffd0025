"""The demo on this machine: its Airflow runs what schedules and assets ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.demo.local import ThisMachine

if TYPE_CHECKING:
    from pathlib import Path


def test_dags_that_wait_for_an_asset_run_and_none_is_paused(tmp_path: Path) -> None:
    env = ThisMachine(tmp_path, tmp_path, 60).airflow.env
    assert env["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] == "True"
    assert env["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] == "False"
