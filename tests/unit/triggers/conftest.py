"""Airflow as the triggers see it."""

from __future__ import annotations

import logging

import pytest

from airflow_imagebuilder.triggers import ImageBuilderImageTrigger
from tests.support.supervisor import Supervisor, install


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Supervisor:
    """An Airflow in which the task was marked failed; the triggers' log goes to caplog."""
    answers = Supervisor("failed")
    install(monkeypatch, answers)
    monkeypatch.setattr(ImageBuilderImageTrigger, "log", logging.getLogger("task"), raising=False)
    caplog.set_level(logging.INFO)
    return answers
