"""Conditions on botocore's model: what a test needs of it."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
import pytest


@cache
def model() -> Any:
    return botocore.session.get_session().get_service_model("imagebuilder")


def has_member(shape: str, member: str) -> bool:
    """Return whether a shape of the model has a member."""
    return member in model().shape_for(shape).members


def needs_operation(name: str) -> pytest.MarkDecorator:
    """Skip where the model lacks an operation."""
    return pytest.mark.skipif(
        name not in model().operation_names, reason=f"botocore's model of Image Builder has no {name}"
    )


def needs_member(shape: str, member: str) -> pytest.MarkDecorator:
    """Skip where a shape of the model lacks a member."""
    return pytest.mark.skipif(
        not has_member(shape, member), reason=f"botocore's model of {shape} has no {member}"
    )
