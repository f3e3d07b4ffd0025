"""AWS clients as the hook uses them: an aiobotocore client, and a boto3 client whose lists never end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.arns import IMAGE
from tests.support.fault_plan import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Iterator


class FakeAsyncClient(FaultPlan):
    """
    An aiobotocore client of one image.

    :param statuses: what GetImage shows, one per call; the last one stays.
    """

    def __init__(self, *statuses: str) -> None:
        super().__init__()
        self.statuses = list(statuses)
        self.calls: list[str] = []
        self.tokens: list[str] = []

    async def cancel_image_creation(self, **call: Any) -> dict[str, Any]:
        self.calls.append("cancel")
        self.tokens.append(call["clientToken"])
        await self._ameet("before", "cancel_image_creation")
        return {"imageBuildVersionArn": IMAGE}

    async def get_image(self, **_: Any) -> dict[str, Any]:
        self.calls.append("get")
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        await self._ameet("after", "get_image")
        return {"image": {"arn": IMAGE, "state": {"status": status}}}


class EndlessPages:
    """A boto3 client whose lists always name a next page."""

    def __init__(self, tokens: Iterator[str], *records: Any) -> None:
        self.tokens, self.records, self.calls = tokens, list(records), 0

    def _page(self, member: str) -> dict[str, Any]:
        self.calls += 1
        if self.calls >= 1000:
            raise AssertionError("more than 1000 pages were read")
        return {member: self.records, "nextToken": next(self.tokens)}

    def list_workflow_executions(self, **_: Any) -> dict[str, Any]:
        return self._page("workflowExecutions")

    def list_workflow_step_executions(self, **_: Any) -> dict[str, Any]:
        return self._page("steps")
