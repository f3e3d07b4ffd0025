"""Values that are not known yet, and values that a form left empty."""

from __future__ import annotations

RENDERED_NONE = "a template renders a missing value as this text: write {{ ... or '' }} to leave it unset"
"""What to do about the text ``None``."""


def is_template(value: object) -> bool:
    """Tell whether a value is text that Jinja is still to render."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def is_late(value: object) -> bool:
    """Return whether a value is known only when the task runs: a template, or another task's output.

    Airflow's values to come are known by their methods, because this floor does not know Airflow.
    """
    return is_template(value) or all(
        callable(getattr(type(value), name, None)) for name in ("resolve", "iter_references")
    )


def is_blank(value: object) -> bool:
    """Return whether a value is text without any letter: what a form and a template leave of nothing."""
    return isinstance(value, str) and not value.strip()


def never(_: object) -> bool:
    """Return False: for values that Airflow does not render."""
    return False
