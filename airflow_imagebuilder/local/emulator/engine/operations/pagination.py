"""Filters and pages of the list operations."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_imagebuilder.local.emulator.engine.shelf import Shelf
    from airflow_imagebuilder.local.emulator.engine.state import Doc

Item = TypeVar("Item")
#: What a list without ``maxResults`` gives.
PAGE = 25
#: The most items that one page reads, if a filter leaves most of them out.
MOST_READ = 500
#: Above every place in a list: a token of ours holds a smaller number.
MOST_PLACES = 10**18


def filtered(
    items: Iterable[Item],
    params: Mapping[str, Any],
    allowed: Sequence[str],
    document: Callable[[Item], Mapping[str, Any]] | None = None,
) -> list[Item]:
    """Return the items of a short list that pass the filters of a request (:func:`passing`)."""
    passes = passing(params, allowed, document)
    return list(items) if passes is None else [item for item in items if passes(item)]


def passing(
    params: Mapping[str, Any],
    allowed: Sequence[str],
    document: Callable[[Item], Mapping[str, Any]] | None = None,
) -> Callable[[Item], bool] | None:
    """Return a function that applies the filters of a request; None for a request without filters.

    An item passes if each filtered member has one of the wanted values; ``*`` at the end or at both ends of a
    wanted name fits any text.

    :param params: the request; ``filters`` may be missing.
    :param allowed: the names of the filters that this operation has.
    :param document: returns the document of an item; the item itself by default.
    :raises ApiError: the request has a filter of another name, or a misplaced ``*``.
    """
    rules: list[tuple[str, frozenset[str], list[str]]] = []
    for wanted in params.get("filters") or ():
        name = wanted.get("name")
        if name not in allowed:
            raise invalid_value("filters", f"Filter '{name}' is not one of {', '.join(allowed)}.")
        values = frozenset(wanted.get("values", ()))
        patterns = [value for value in values if "*" in value]
        if patterns and name != "name":
            raise invalid_value("filters", "Only the filter name takes *.")
        for pattern in patterns:
            if "*" in pattern.strip("*") or not pattern.endswith("*"):
                raise invalid_value("filters", f"'{pattern}': * is allowed at the end, or at both ends.")
        rules.append((name, values, patterns))

    def passes(item: Item) -> bool:
        return all(
            (value := _value(item, name, document)) in values or _fits(value, patterns)
            for name, values, patterns in rules
        )

    return passes if rules else None


def _value(item: Any, name: str, document: Callable[[Any], Mapping[str, Any]] | None) -> str:
    found = document(item) if document else item
    value = str(found.get(name))
    # An image has its build number in its version; the filter has not.
    return value.split("/", maxsplit=1)[0] if name == "version" else value


def _fits(value: str, patterns: list[str]) -> bool:
    return any(
        pattern.strip("*") in value if pattern.startswith("*") else value.startswith(pattern.strip("*"))
        for pattern in patterns
    )


def paged(
    key: str, docs: Sequence[Any], params: Mapping[str, Any], shape: Callable[[Any], Doc] | None = None
) -> Doc:
    """Return one page of a list as an answer.

    :param key: the member of the answer that holds the page; a token is only valid for the same member.
    :param docs: the whole list, in an order that does not change.
    :param params: the request; ``maxResults`` (25 by default) and ``nextToken`` may be missing.
    :param shape: makes an element of the answer from an element of the list; the same element by default.
    :raises ApiError: the token belongs to another operation, or cannot be read.
    :return: the page, and ``nextToken`` if there is another page.
    """
    start = place_of(key, params)
    end = start + size_of(params)
    page = docs[start:end]
    answer: Doc = {key: [shape(doc) for doc in page] if shape else list(page)}
    if end < len(docs):
        answer["nextToken"] = token_of(key, end)
    return answer


def page(
    key: str,
    shelf: Shelf[Item],
    params: Mapping[str, Any],
    shape: Callable[[Item], Doc],
    *,
    passes: Callable[[Item], bool] | None = None,
    newest_first: bool = False,
) -> Doc:
    """Return one page of a long list as an answer; its cost does not depend on the length of the list.

    A page reads at most :data:`MOST_READ` items. So a page of a filtered list can have fewer items than it
    may, even none, and a token; the service model says the same of AWS.

    :param key: the member of the answer that holds the page; a token is only valid for the same member.
    :param shelf: the whole list.
    :param params: the request; ``maxResults`` (25 by default) and ``nextToken`` may be missing.
    :param shape: makes an element of the answer from an item.
    :param passes: whether an item belongs to the list; all do by default.
    :raises ApiError: the token belongs to another operation, or cannot be read.
    :return: the page, and ``nextToken`` if there may be another page.
    """
    start, wanted = place_of(key, params), size_of(params)
    found: list[Item] = []
    last = start
    answer: Doc = {}
    items = shelf.before(start) if newest_first else shelf.after(start)
    for read, (number, item) in enumerate(items):
        fits = passes is None or passes(item)
        if read == MOST_READ or (fits and len(found) == wanted):
            answer["nextToken"] = token_of(key, last)
            break
        last = number
        if fits:
            found.append(item)
    return {key: [shape(item) for item in found], **answer}


def token_of(key: str, place: int) -> str:
    """Write the token of a page that begins at, or after, a place."""
    return base64.urlsafe_b64encode(json.dumps([key, place]).encode()).decode()


def size_of(params: Mapping[str, Any]) -> int:
    """Return how many items a request wants on a page."""
    return int(params.get("maxResults") or PAGE)


def place_of(key: str, params: Mapping[str, Any]) -> int:
    """Return the place that the token of a request names; 0 without a token.

    :raises ApiError: the token belongs to another operation, or cannot be read.
    """
    token = params.get("nextToken")
    if not token:
        return 0
    try:
        owner, offset = json.loads(base64.urlsafe_b64decode(token.encode()))
        # bool is an int, too.
        if owner == key and type(offset) is int and 0 < offset < MOST_PLACES:
            return offset
    except (ValueError, TypeError, RecursionError, binascii.Error):
        pass
    raise ApiError(
        "InvalidPaginationTokenException", "You have provided an invalid pagination token in your request."
    )


def pick(doc: Mapping[str, Any], members: Iterable[str]) -> Doc:
    """Copy some members of a document, if it has them."""
    return {name: doc[name] for name in members if name in doc}
