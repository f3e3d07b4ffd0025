"""How values are told in a message: never too long, and an answer of AWS only by its shape."""

from __future__ import annotations

from collections.abc import Mapping

_SHOWN = 240


def shortened(text: str) -> str:
    """Cut a text for a message, and say how long it was."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 25]}... ({len(text)} characters)"


def shape_of(answer: object, depth: int = 3) -> str:
    """Draw the shape of an answer without its values, which may be secret.

    :param answer: anything that a JSON parser gives.
    :param depth: how many levels to draw.
    :return: e.g. ``{image: {arn: str, tags: {...}}}``.
    """
    if isinstance(answer, Mapping):
        inside = (
            "..." if depth == 0 else ", ".join(f"{k}: {shape_of(v, depth - 1)}" for k, v in answer.items())
        )
        return "{" + inside + "}"
    if isinstance(answer, (list, tuple)):
        return f"[{len(answer)} x {shape_of(answer[0], depth - 1) if depth else '...'}]" if answer else "[]"
    return type(answer).__name__
