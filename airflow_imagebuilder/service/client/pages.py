"""Pages: the token of a list's next page, and an error for a list that has no end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.answers import malformed, unusable

if TYPE_CHECKING:
    from airflow_imagebuilder.service.errors import MalformedAnswerError

PAGES = 40
"""More pages than an image has of workflow executions, or an execution of steps: a thousand records."""


class Pages:
    """
    Follows ``nextToken`` through the answers of one list.

    AWS names a next page until the last one. A proxy, a cache or a fault may name next pages without end;
    reading them would use up the account's rate and never return.

    :param operation: botocore's method name, for example ``list_workflow_executions``.
    :param member: the member of the answer that holds the records.
    :param most: pages after which the list counts as endless (default 40).
    """

    __slots__ = ("_member", "_most", "_operation", "_seen")

    def __init__(self, operation: str, member: str, *, most: int = PAGES) -> None:
        self._operation, self._member, self._most = operation, member, most
        self._seen: set[str] = set()

    def records(self, answer: Mapping[str, Any]) -> list[Any]:
        """
        Return the records of a page, without checking each of them.

        :raises MalformedAnswerError: they are not a list.
        """
        records = answer[self._member]
        if not isinstance(records, list):
            raise malformed(answer, self._operation, f"a list {self._member}")
        return records

    def after(self, answer: Mapping[str, Any]) -> dict[str, str]:
        """
        Return the parameter that requests the page after this answer.

        :return: ``{"nextToken": ...}``; empty after the last page.

        :raises MalformedAnswerError: the token is not a string or repeats, or there are too many pages.
        """
        token = answer.get("nextToken")
        if not token:
            return {}
        if not isinstance(token, str):
            raise malformed(answer, self._operation, "a string nextToken")
        if token in self._seen:
            raise self._endless(f"page {len(self._seen) + 1} repeats the nextToken of an earlier page")
        self._seen.add(token)
        if len(self._seen) >= self._most:
            raise self._endless(f"page {len(self._seen)} still has a nextToken")
        return {"nextToken": token}

    def _endless(self, what: str) -> MalformedAnswerError:
        return unusable(
            self._operation, f"{what}, so the list has no end; the pages read so far are not used"
        )


def mappings(records: list[Any], operation: str, member: str, *names: str) -> list[Mapping[str, Any]]:
    """
    Return the records, if each is a mapping with these members.

    :param records: a page's records.
    :param operation: botocore's or AWS's name of the operation.
    :param member: the member of the answer that holds the records.
    :param names: members that each record must hold as strings.
    :raises MalformedAnswerError: a record is not a mapping, or lacks one of the members.
    """
    for record in records:
        if not isinstance(record, Mapping):
            raise malformed({member: [record]}, operation, f"a mapping in {member}")
        for name in names:
            if not isinstance(record.get(name), str):
                raise malformed({member: [record]}, operation, f"{member}[].{name}")
    return records
