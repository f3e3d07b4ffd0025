"""Values of a record that may be anything: a record comes from outside of the API server."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_imagebuilder.build_record.values import iso

LONGEST_TEXT = 4_096
MOST_ITEMS = 500
LARGEST_NUMBER = 1e12


def text(record: Mapping[str, Any], key: str, longest: int = LONGEST_TEXT) -> str | None:
    """Return a text that is not empty, cut to ``longest`` characters; anything else is ``None``."""
    value = record.get(key)
    # Half of a surrogate pair is JSON, but not UTF-8.
    return value[:longest].encode("utf-8", "replace").decode() if isinstance(value, str) and value else None


def number(record: Mapping[str, Any], key: str) -> float | None:
    """Return a finite number that is not negative; anything else is ``None``."""
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= LARGEST_NUMBER and math.isfinite(value) else None


def count(record: Mapping[str, Any], key: str, default: int = 0) -> int:
    """Return a whole number that is not negative."""
    value = number(record, key)
    return default if value is None else int(value)


def time(record: Mapping[str, Any], key: str) -> datetime | None:
    """Return a time; one without a zone is UTC."""
    value = record.get(key)
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return parsed.astimezone(timezone.utc) if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        return None


def written(when: datetime | None) -> str | None:
    """Return a time as the API writes it."""
    return iso(when if when is None or when.tzinfo else when.replace(tzinfo=timezone.utc))


def mapping(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a JSON object; anything else is an empty one."""
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def items(record: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the JSON objects of a list."""
    value = record.get(key)
    return [one for one in value[:MOST_ITEMS] if isinstance(one, Mapping)] if isinstance(value, list) else []


def texts(record: Mapping[str, Any], key: str) -> list[str]:
    """Return the texts of a list."""
    value = record.get(key)
    if not isinstance(value, list):
        return []
    found = [text({"": one}, "") for one in value[:MOST_ITEMS]]
    return [one for one in found if one]
