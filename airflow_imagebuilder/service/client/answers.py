"""Whether an answer of AWS has the shape that it should have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_imagebuilder.service.errors import (
    MalformedAnswerError,
)


def checked(answer: Any, operation: str, expect: str | None) -> dict[str, Any]:
    """
    Return an answer that is what it should be.

    :raises MalformedAnswerError: it is no mapping, or lacks ``expect``, or that is an empty mapping.
    """
    if not isinstance(answer, Mapping):
        raise malformed(answer, operation, expect or "a mapping")
    member = answer.get(expect) if expect else answer
    if not isinstance(member, (Mapping, list, str)) or member in ({}, ""):
        raise malformed(answer, operation, expect or "a member")
    return answer if isinstance(answer, dict) else dict(answer)


def api_name(operation: str) -> str:
    """
    Return AWS's name of an operation.

    :param operation: botocore's method name (``get_image``) or AWS's (``GetImage``).
    """
    return operation if operation[:1].isupper() else "".join(map(str.capitalize, operation.split("_")))


def malformed(answer: Any, operation: str, expected: str) -> MalformedAnswerError:
    """
    Return the error for an answer that came with success and in the wrong shape.

    :param answer: what botocore made of the answer.
    :param operation: botocore's or AWS's name of the operation.
    :param expected: what the answer lacks.
    """
    if isinstance(answer, Mapping):
        answer = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    return MalformedAnswerError.of(api_name(operation), answer, expected)
