"""The bounds of a record: what is cut, in which order, until it fits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.text import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Cut = Callable[[dict[str, Any]], bool]
    """Cuts a record in place, and returns whether there was something to cut."""

BUILD_BYTES = 16 * 1024
"""The most bytes of a build record, as JSON in UTF-8."""
WORKFLOW_BYTES = 8 * 1024
"""The most bytes of a workflow record, as JSON in UTF-8."""

KEPT = ("schema", "arn", "status", "try_number", "ended", "submitted", "observed_at", "written_at")
"""Members that nothing cuts: a reader needs them, and the builder bounds each of them."""


_LAST_RESORT = 50
"""Characters of a text that remain where everything else did not help."""


def size(record: Any) -> int:
    """Return the bytes of a record as JSON in UTF-8, in the longest form that a database keeps."""
    return len(json.dumps(record, ensure_ascii=False).encode())


def bounded(record: dict[str, Any], most: int, cuts: Sequence[tuple[str, Cut]]) -> dict[str, Any]:
    """
    Cut a record in place until it fits, name in ``truncated`` what was cut, and return it.

    :param record: the record; its ``truncated`` lists what the builder has left out already.
    :param most: the most bytes.
    :param cuts: the name of a member and how to cut it, in the order in which they are tried.
    """
    for name, cut in cuts:
        if size(record) <= most:
            return record
        if cut(record):
            note(record, name)
    if size(record) > most:
        _keep_identity(record)
    return record


def note(record: dict[str, Any], name: str) -> None:
    """Name a member in ``truncated``."""
    if name not in record["truncated"]:
        record["truncated"].append(name)


def fitting(record: dict[str, Any], name: str, items: Sequence[Any], most: int) -> list[Any]:
    """Return the first items of a list, and name it in ``truncated`` if there are more."""
    if len(items) > most:
        note(record, name)
    return list(items[:most])


def shorten(path: str, most: int) -> tuple[str, Cut]:
    """
    Return the cut that shortens a text.

    :param path: the member, such as ``reason``; of each item in a list or in a mapping: ``steps.message``.
    :param most: characters to keep; 0 removes the text.
    """
    first, _, member = path.rpartition(".")

    def cut(record: dict[str, Any]) -> bool:
        found = [item for item in _holders(record, first) if len(item.get(member) or "") > most]
        for item in found:
            item[member] = shortened(item[member], most)[:most] if most else None
        return bool(found)

    return path, cut


def keep(name: str, most: int) -> tuple[str, Cut]:
    """Return the cut that keeps the first items of a list."""

    def cut(record: dict[str, Any]) -> bool:
        more = len(record.get(name) or ()) > most
        if more:
            record[name] = record[name][:most]
        return more

    return name, cut


def _holders(record: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    found = record.get(name) if name else record
    if isinstance(found, dict):
        yield found
    elif isinstance(found, list):
        yield from found


def _keep_identity(record: dict[str, Any]) -> None:
    """Leave only what no bound can exceed: the last resort, for sizes that AWS does not reach."""
    for name, value in record.items():
        if name in KEPT or name == "truncated" or not value:
            continue
        if isinstance(value, (list, dict)):
            record[name] = [] if isinstance(value, list) else None
            note(record, name)
        elif isinstance(value, str) and len(value) > _LAST_RESORT:
            record[name] = value[:_LAST_RESORT]
            note(record, name)
