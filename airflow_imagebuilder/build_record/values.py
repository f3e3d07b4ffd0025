"""Values of a record: text, times and numbers from AWS, each made safe to store as JSON and bounded."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.results.workflow import moment
from airflow_imagebuilder.service.text import cut_and_clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME = 200
"""The most characters of a name."""
ARN = 500
MESSAGE = 1000
_WORD = 60
_MOST = 1_000_000_000


def text(value: object, most: int = NAME) -> str | None:
    """Return a text of any size without control characters, cut; ``None`` for a missing or empty one.

    :param most: the most characters (default: :data:`NAME`).
    """
    if value is None or value == "":
        return None
    return cut_and_clean(str(value), most) or None


def word(value: object) -> str | None:
    """Return a status, or another of AWS's words, as text."""
    return text(value, _WORD)


def count(value: object) -> int:
    """Return a number of steps; 0 where AWS gives none."""
    return min(max(value, 0), _MOST) if isinstance(value, int) else 0


def mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping of an answer; an empty one where the answer lacks it."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """Return the mappings in a list of an answer; none where the answer lacks the list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, (list, tuple)) else []


def time_of(value: object) -> datetime | None:
    """Return one of AWS's times; ``None`` where it is missing or cannot be read."""
    if not isinstance(value, str):
        return None
    try:
        return moment(value).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def iso(when: datetime | float | None) -> str | None:
    """Return a time as ISO 8601 in UTC, such as ``2026-11-26T16:40:00.000Z``.

    :param when: a time, or Unix time in seconds.
    """
    if when is None:
        return None
    if isinstance(when, (int, float)):
        when = datetime.fromtimestamp(when, timezone.utc)
    return when.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_of(value: object) -> str | None:
    """Return one of AWS's times as :func:`iso` writes it; ``None`` where it cannot be read."""
    return iso(time_of(value))


def latest(values: Iterable[object], floor: float) -> str:
    """Return the newest of AWS's times, or ``floor`` (Unix time) where that is newer, as ISO 8601."""
    times = [when for when in map(time_of, values) if when is not None]
    return iso(max([*times, datetime.fromtimestamp(floor, timezone.utc)])) or ""
