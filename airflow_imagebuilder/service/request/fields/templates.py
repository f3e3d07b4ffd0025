"""Values that are not known yet, and values that a form leaves empty."""

from __future__ import annotations

RENDERED_NONE = "a template renders a missing value as this text: write {{ ... or '' }} to leave it unset"
"""What to do about the text ``None`` in place of a value."""


def is_template(value: object) -> bool:
    """Return whether a value is text that Jinja still has to render."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def is_late(value: object) -> bool:
    """Return whether a value is known only when the task runs: a template, or another task's output.

    It recognises an output by its methods, because :mod:`airflow_imagebuilder.service` does not import
    Airflow.
    """
    return is_template(value) or all(
        callable(getattr(type(value), name, None)) for name in ("resolve", "iter_references")
    )


def is_blank(value: object) -> bool:
    """Return whether a value is empty text or white space, which forms leave for an unset value."""
    return isinstance(value, str) and not value.strip()


def never(_: object) -> bool:
    """Return False: for values that Airflow does not render."""
    return False
