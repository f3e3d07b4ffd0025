"""Filters and pages of the list operations."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_imagebuilder.local.emulator.engine.state import Doc

#: ``RestrictedInteger`` of the service model allows 1 to 25; 25 is what a list without ``maxResults`` gives.
PAGE = 25


def filtered(docs: Iterable[Doc], params: Mapping[str, Any], allowed: Sequence[str]) -> list[Doc]:
    """Apply the filters of a request.

    :param docs: the documents to choose from.
    :param params: the request; ``filters`` may be missing.
    :param allowed: the names of the filters that this operation has.
    :raises ApiError: the request has a filter of another name.
    :return: the documents in which each filtered member has one of the wanted values.
    """
    kept = list(docs)
    for wanted in params.get("filters", ()):
        name = wanted.get("name")
        if name not in allowed:
            raise invalid_value("filters", f"Filter '{name}' is not one of {', '.join(allowed)}.")
        values = set(wanted.get("values", ()))
        kept = [doc for doc in kept if str(doc.get(name)) in values]
    return kept


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
    start = _offset(key, params.get("nextToken"))
    end = start + int(params.get("maxResults") or PAGE)
    page = docs[start:end]
    answer: Doc = {key: [shape(doc) for doc in page] if shape else list(page)}
    if end < len(docs):
        answer["nextToken"] = base64.urlsafe_b64encode(json.dumps([key, end]).encode()).decode()
    return answer


def _offset(key: str, token: str | None) -> int:
    if not token:
        return 0
    try:
        owner, offset = json.loads(base64.urlsafe_b64decode(token.encode()))
        if owner == key:
            return int(offset)
    except (ValueError, TypeError, binascii.Error):
        pass
    raise ApiError(
        "InvalidPaginationTokenException", "You have provided an invalid pagination token in your request."
    )


def pick(doc: Mapping[str, Any], members: Iterable[str]) -> Doc:
    """Copy some members of a document, if it has them."""
    return {name: doc[name] for name in members if name in doc}
