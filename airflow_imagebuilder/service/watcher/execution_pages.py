"""ExecutionPages: the workflow executions of one image, read page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.pages import Pages, mappings

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExecutionPages:
    """
    One read of an image's workflow executions, a page per poll: the image is polled between two pages.

    :param asked_at: the loop's time of the first call.
    :param wall: absolute time of the first call.
    :param urgent: whether the pages are not to be spread over the interval.
    """

    OPERATION, MEMBER = "list_workflow_executions", "workflowExecutions"
    __slots__ = ("_pages", "asked_at", "found", "token", "urgent", "wall")

    def __init__(self, asked_at: float, wall: float, *, urgent: bool) -> None:
        self.asked_at, self.wall, self.urgent = asked_at, wall, urgent
        self.found: list[Mapping[str, Any]] = []
        self.token: dict[str, Any] = {}
        self._pages = Pages(self.OPERATION, self.MEMBER)

    def take(self, answer: Mapping[str, Any]) -> None:
        """
        Take a page; ``token`` then asks for the next page, or is empty.

        :raises MalformedAnswerError: a record cannot be read, or the list has no end.
        """
        records = self._pages.records(answer)
        self.found += mappings(records, self.OPERATION, self.MEMBER, "workflowExecutionId", "status")
        self.token = self._pages.after(answer)
