"""The allow-list of findings: vulnerabilities that a team accepts until a date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request.fields.suggestions import closest

_MEMBERS = ("id", "until", "reason")
_SHAPE = "a list of entries with id, until and reason, or a mapping of ids to until and reason"


@dataclass(frozen=True, kw_only=True)
class AllowedFinding:
    """A vulnerability that does not count until a date.

    :param id: the vulnerability as the scan names it, e.g. ``CVE-2024-1234``; case does not matter.
    :param until: the last day, in UTC, on which it does not count.
    :param reason: why; empty by default.
    """

    id: str
    until: date
    reason: str = ""

    @property
    def key(self) -> str:
        """The id, as it is compared with the ids of findings."""
        return self.id.upper()

    def has_expired(self, today: date) -> bool:
        """Return whether its last day is over."""
        return today > self.until


def read_allow_list(content: object, where: str = "allow_list") -> tuple[AllowedFinding, ...]:
    """
    Return the entries of an allow-list.

    :param content: a list of mappings with ``id``, ``until`` and ``reason``, or a mapping of ids to mappings
        with ``until`` and ``reason``, or to the date alone; ``None`` is an empty list.
    :param where: where it comes from, for the faults: a parameter, a path, a Variable.
    :return: the entries in their order.
    :raises InvalidRequestError: entries cannot be read, with the faults of all of them.
    """
    faults: list[Fault] = []
    entries = [_entry(f"{where}[{name}]", item, faults) for name, item in _items(content, where, faults)]
    read = [entry for entry in entries if entry]
    seen: set[str] = set()
    for entry in read:
        if entry.key in seen:
            faults.append(Fault(where, entry.id, "each id once", "keep the entry that holds, and its date"))
        seen.add(entry.key)
    if faults:
        raise InvalidRequestError(faults)
    return tuple(read)


def _items(content: object, where: str, faults: list[Fault]) -> Iterable[tuple[object, object]]:
    if content is None:
        return ()
    if isinstance(content, Mapping):
        return [(id_, _with_id(id_, item)) for id_, item in content.items()]
    if isinstance(content, Sequence) and not isinstance(content, (str, bytes)):
        return enumerate(content)
    faults.append(Fault(where, content, _SHAPE, "write one of these"))
    return ()


def _with_id(id_: object, item: object) -> object:
    if isinstance(item, (str, date)):
        return {"id": id_, "until": item}
    return {"id": id_, **item} if isinstance(item, Mapping) else item


def _entry(path: str, item: object, faults: list[Fault]) -> AllowedFinding | None:
    """Return an entry; ``None`` if it cannot be read, and then its faults are added to the others."""
    if not isinstance(item, Mapping):
        faults.append(Fault(path, item, "a mapping with id, until and reason", "write these three"))
        return None
    before = len(faults)
    for name in item:
        if name not in _MEMBERS:
            close = closest(str(name), _MEMBERS)
            remedy = f"did you mean {close}?" if close else "leave it out"
            faults.append(Fault(f"{path}.{name}", item[name], ", ".join(_MEMBERS), remedy))
    id_, reason = item.get("id"), item.get("reason") or ""
    if not isinstance(id_, str) or not id_.strip():
        faults.append(Fault(f"{path}.id", id_, "a vulnerability, such as CVE-2024-1234", "name it"))
    if not isinstance(reason, str):
        faults.append(Fault(f"{path}.reason", reason, "text", "write it in quotes"))
    until = _date(f"{path}.until", item.get("until"), faults)
    if len(faults) > before or until is None:
        return None
    return AllowedFinding(id=str(id_).strip(), until=until, reason=str(reason).strip())


def _date(path: str, value: Any, faults: list[Fault]) -> date | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            # Python 3.11 and newer also read 20261231 and 2026-W53-4.
            return datetime.strptime(value.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 (a date has no zone)
    except ValueError:
        pass
    remedy = "each entry needs its last day" if value is None else "write year, month and day"
    faults.append(Fault(path, value, "a date, such as 2026-12-31", remedy))
    return None
