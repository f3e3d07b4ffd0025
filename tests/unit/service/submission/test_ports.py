"""The hook makes the calls that a submission needs. mypy cannot hold it: the hook's base class is untyped."""

from __future__ import annotations

import inspect

import pytest

from airflow_imagebuilder.hooks import ImageBuilderHook
from airflow_imagebuilder.service.submission.ports import ImageBuilder

CALLS = [name for name, _ in inspect.getmembers(ImageBuilder, inspect.isfunction) if name[0] != "_"]


def test_a_submission_makes_these_calls() -> None:
    assert CALLS == [
        "cancel_image",
        "create_image",
        "get_image",
        "get_image_pipeline",
        "retry_image",
        "start_pipeline",
    ]


@pytest.mark.parametrize("name", CALLS)
def test_the_hook_has_each_call_with_the_same_parameters(name: str) -> None:
    wanted = inspect.signature(getattr(ImageBuilder, name))
    found = inspect.signature(getattr(ImageBuilderHook, name))
    optional = {key for key, value in found.parameters.items() if value.default is not value.empty}
    required = [value for key, value in found.parameters.items() if key not in optional]
    assert required == list(wanted.parameters.values())
    assert found.return_annotation == wanted.return_annotation
