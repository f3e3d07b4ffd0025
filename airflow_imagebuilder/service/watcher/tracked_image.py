"""What a watcher knows of one image, and when it looks again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.pages import Pages, mappings
from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
from airflow_imagebuilder.service.states import ImageStatus, is_image_terminal, is_workflow_terminal
from airflow_imagebuilder.service.watcher.poll_timer import AT_ONCE, SOON, PollTimer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.service.errors import ImageBuilderError
    from airflow_imagebuilder.service.watcher.subscription import Subscription

_BEFORE_TESTS = frozenset({ImageStatus.PENDING, ImageStatus.CREATING, ImageStatus.BUILDING})
_NEWS = ("state", "outputResources")
"""What is news of an image in progress. Lists show less of an image than GetImage, so the rest cannot be."""

_HEAVY = frozenset(
    {
        "imageRecipe",
        "containerRecipe",
        "infrastructureConfiguration",
        "distributionConfiguration",
        "imageTestsConfiguration",
        "imageScanningConfiguration",
    }
)
_COMMON = frozenset(
    {"type", "name", "platform", "osVersion", "buildType", "imageSource", "owner", "executionRole"}
)
"""Members whose text is the same for many images."""
_SLOW = 4
_FAST = 0.5
_SAVED_AT_MOST = 8.0


def _light(image: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out most of what a thousand images in progress would take in memory."""
    return {
        name: sys.intern(value) if name in _COMMON and type(value) is str else value
        for name, value in image.items()
        if name not in _HEAVY
    }


class ExecutionsRead:
    """
    A reading of an image's workflow executions, one page per poll: the image's turn comes between two pages.

    :param asked_at: the loop's time of the first question.
    :param wall: absolute time of the first question.
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
        Take a page; ``token`` then asks for the next one, or is empty.

        :raises MalformedAnswerError: a record cannot be read, or the list has no end.
        """
        records = self._pages.records(answer)
        self.found += mappings(records, self.OPERATION, self.MEMBER, "workflowExecutionId", "status")
        self.token = self._pages.after(answer)


class TrackedImage:
    """
    One image, and the waits that hang on it.

    Looks at workflow executions are spared while the image is building, when they can tell no more than the
    image does. What is spared is spent near the end, on looks at half the interval: so there are never more
    than one of each kind an interval in all.
    """

    __slots__ = (
        "_full", "_image", "_plain", "_saved", "_stage_changed", "arn", "ended", "executions", "got", "image",
        "must_get", "reading", "waits",
    )  # fmt: skip

    def __init__(self, arn: str, due: float) -> None:
        self.arn = arn
        self.waits: dict[Subscription, None] = {}
        self.image = PollTimer(due)
        self.executions: PollTimer | None = None
        self.reading: ExecutionsRead | None = None
        """The executions of which not all pages have been read."""
        self.must_get = False
        """Whether a list will not do for the next look."""
        self.ended = False
        """Whether a list has shown the end, of which a wait with workflows wants all that GetImage tells."""
        self.got = False
        """Whether GetImage has told of it, not only a list."""
        self._saved = 0.0
        self._image: Mapping[str, Any] = {}
        self._stage_changed = False
        self._plain: ImageSnapshot | None = None
        self._full: ImageSnapshot | None = None

    @property
    def due(self) -> float:
        """The loop's time of the next look."""
        if self.executions is None or not self.got:
            return self.image.due
        return min(self.image.due, self.executions.due)

    def is_due(self, now: float) -> bool:
        """Return whether to look now."""
        return self.due - now <= SOON

    @property
    def calls(self) -> int:
        """Calls that an interval needs for it."""
        return 0 if not self.waits else 1 if self.executions is None else 2

    def wanted(self) -> bool:
        """Return whether any wait is left."""
        return bool(self.waits)

    def listable(self, now: float, interval: float) -> bool:
        """Return whether a list will do for the next look at the image."""
        asked_at = self.image.asked_at
        if self.must_get or (self.executions is not None and not self.got):
            return False  # which workflows an image has is told by GetImage alone
        return asked_at is None or now - asked_at > _FAST * interval * 1.2

    # -- waits ---------------------------------------------------------------------------------------------

    def join(self, wait: Subscription) -> None:
        """Add a wait; it gets what is known already."""
        self.waits[wait] = None
        if wait.workflows and self.executions is None:
            self.executions = PollTimer(wait.ready)
            if not self.got:
                self.image.due = min(self.image.due, wait.ready)
        known = self._full if wait.workflows else self._plain
        if known is not None:
            wait.offer(known, float("-inf"))

    def leave(self, wait: Subscription) -> None:
        """Drop a wait, and what only it needed."""
        self.waits.pop(wait, None)
        if self.executions is not None and not any(other.workflows for other in self.waits):
            self.executions = self._full = self.reading = None

    def tell(self, wall: float, *, workflows: bool) -> None:
        """Offer what is known to the waits that want it with, or without, workflow executions."""
        snapshot = self._full if workflows else self._plain
        if snapshot is not None:
            for wait in list(self.waits):
                if wait.workflows is workflows:
                    wait.offer(snapshot, wall)

    def fail(self, error: ImageBuilderError, *, workflows_only: bool = False) -> None:
        """End the waits with an error."""
        for wait in list(self.waits):
            if wait.workflows or not workflows_only:
                wait.fail(error)

    def trouble(self, *, workflows: bool) -> ImageBuilderError | None:
        """Return what keeps a wait with, or without, workflow executions from its answer at present."""
        executions = self.executions if workflows else None
        return self.image.error or (executions.error if executions is not None else None)

    # -- answers -------------------------------------------------------------------------------------------

    def saw_image(self, image: Mapping[str, Any], asked_at: float, interval: float) -> None:
        """
        Take GetImage's answer.

        :param asked_at: the loop's time of the question.
        """
        self.must_get = self.ended = False
        self._now(image, more=not self.got)
        self.got = True
        self._answered(self.image, asked_at, interval, cost=1.0)

    def saw_summary(self, summary: Mapping[str, Any], asked_at: float, interval: float, cost: float) -> None:
        """
        Take what a list tells of the image.

        For waits with workflows an end is looked at again: which workflows an image has GetImage alone tells.

        :param cost: this image's share of the calls of the list.
        """
        if self.executions is not None and is_image_terminal(summary["state"]["status"]):
            self.must_get = self.ended = True
            self.image.due = asked_at
            return
        self._now({**self._image, **summary})
        self._answered(self.image, asked_at, interval, cost=cost)

    def saw_executions(self, found: list[Mapping[str, Any]], asked_at: float, interval: float) -> None:
        """Take ListWorkflowExecutions' answer."""
        self.reading = None
        if self.executions is None:
            return
        executions = tuple(one for one in found if not one.get("retried"))
        now = ImageSnapshot.of(self.arn, self._image, executions)
        if now != self._full:
            self._full = now
        slow = _SLOW if now.status in _BEFORE_TESTS else 1
        self._answered(self.executions, asked_at, interval, cost=1.0, slow=slow)

    def _now(self, image: Mapping[str, Any], *, more: bool = False) -> None:
        before, now = self._plain, ImageSnapshot.of(self.arn, image)
        news = any((self._image.get(name) or None) != (image.get(name) or None) for name in _NEWS)
        if news or more:
            self._image = image if now.terminal else _light(image)
        if news:
            self._plain = ImageSnapshot.of(self.arn, self._image)
        self._stage_changed = before is not None and now.status != before.status
        if self._stage_changed and self.executions is not None:
            self.executions.due = AT_ONCE  # a stage has ended, and workflows with it
            self.reading = None

    # -- when next -----------------------------------------------------------------------------------------

    def _answered(
        self, timer: PollTimer, asked_at: float, interval: float, *, cost: float, slow: int = 1
    ) -> None:
        if timer.asked_at is not None:
            self._saved = min(_SAVED_AT_MOST, self._saved + (asked_at - timer.asked_at) / interval - cost)
        # What a list spares is not spent on looks at single images: a list is cheap because it replaces them.
        affordable = cost == 1 and self._saved >= (1 if self.executions is None else 2)
        timer.answered(asked_at, interval * (_FAST if affordable and self._near_end() else slow))

    def _near_end(self) -> bool:
        if self._plain is None or self._plain.terminal or self._plain.status in _BEFORE_TESTS:
            return False
        if self._stage_changed or self._plain.status == ImageStatus.INTEGRATING:
            return True
        executions = self._full.executions if self._full is not None else ()
        return sum(not is_workflow_terminal(str(one.get("status"))) for one in executions) == 1
