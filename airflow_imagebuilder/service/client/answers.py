"""The shape of AWS's answers: what an answer must hold, and the error for one that does not hold it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_imagebuilder.service.errors import MalformedAnswerError
from airflow_imagebuilder.service.text import shortened


def checked(answer: Any, operation: str, expect: str | None) -> dict[str, Any]:
    """
    Return an answer that has the shape it should have.

    :param answer: the answer as botocore parsed it.
    :param operation: botocore's or AWS's name of the operation.
    :param expect: the member that the answer must hold; None accepts any answer that is not empty.
    :return: the answer, as a dict.
    :raises MalformedAnswerError: the answer is not a mapping, or the member is missing or empty.
    """
    if not isinstance(answer, Mapping):
        raise malformed(answer, operation, expect or "a mapping")
    member = answer.get(expect) if expect else answer
    if not isinstance(member, (Mapping, list, str)) or member in ({}, ""):
        raise malformed(answer, operation, expect or "a member")
    return answer if isinstance(answer, dict) else dict(answer)


def has_status(image: Any) -> bool:
    """Return whether this is an image, or a summary of one, with a status."""
    state = image.get("state") if isinstance(image, Mapping) else None
    status = state.get("status") if isinstance(state, Mapping) else None
    return isinstance(status, str) and bool(status)


def malformed(answer: Any, operation: str, expected: str) -> MalformedAnswerError:
    """
    Return the error for an answer that came with success and in the wrong shape.

    :param answer: the answer as botocore parsed it. The message shows its shape, never its values.
    :param operation: botocore's or AWS's name of the operation.
    :param expected: what the answer lacks.
    """
    if isinstance(answer, Mapping):
        answer = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    return unusable(operation, f"the answer lacks {expected!r}; its shape is {shortened(shape_of(answer))}")


def unusable(operation: str, message: str) -> MalformedAnswerError:
    """
    Return the error for an answer that came with success and cannot be used.

    :param operation: botocore's or AWS's name of the operation.
    :param message: what is wrong with the answer.
    """
    return MalformedAnswerError(api_name(operation), code="MalformedAnswer", status=200, message=message)


def api_name(operation: str) -> str:
    """
    Return AWS's name of an operation.

    :param operation: botocore's method name (``get_image``) or AWS's (``GetImage``).
    """
    return operation if operation[:1].isupper() else "".join(map(str.capitalize, operation.split("_")))


def shape_of(answer: object, depth: int = 3) -> str:
    """
    Return the shape of an answer without its values, which may be secret.

    :param answer: anything that a JSON parser returns.
    :param depth: how many levels to show.
    :return: for example ``{image: {arn: str, tags: {...}}}``.
    """
    if isinstance(answer, Mapping):
        members = (f"{name}: {shape_of(value, depth - 1)}" for name, value in answer.items())
        return f"{{{', '.join(members) if depth else '...'}}}"
    if isinstance(answer, (list, tuple)):
        return f"[{len(answer)} x {shape_of(answer[0], depth - 1) if depth else '...'}]" if answer else "[]"
    return type(answer).__name__
