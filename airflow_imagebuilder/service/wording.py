"""How values are told in a message: never too long, and an answer of AWS only by its shape."""

from __future__ import annotations

from collections.abc import Mapping

_SHOWN = 240


def shortened(text: str, limit: int = _SHOWN) -> str:
    """Cut a text for a message, and say how long it was."""
    return text if len(text) <= limit else f"{text[: limit - 25]}... ({len(text)} characters)"


def one_line(text: object, limit: int = _SHOWN) -> str:
    """Put a text on one line, and cut it."""
    return shortened(" ".join(str(text).split()), limit)


def image_name(arn: str) -> str:
    """Return how a message names an image, ``golden-al2023 1.0.0/3``; another text is returned as it is."""
    _, image, tail = arn.partition(":image/")
    return tail.replace("/", " ", 1) if image and tail else arn


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
