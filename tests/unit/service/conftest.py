"""Texts of failures say what the installed botocore lacks; in these tests it lacks nothing."""

from __future__ import annotations

import pytest

from airflow_imagebuilder import aws_model


@pytest.fixture(autouse=True)
def newest_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the texts be those of a botocore that has everything."""
    monkeypatch.setattr(aws_model, "has_retry_image", lambda: True)
    monkeypatch.setattr(aws_model, "has_failure_context", lambda: True)
