"""TrackedImage: what a watcher knows of one image, and when it polls the image again."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
from airflow_imagebuilder.service.results.states import ImageStatus, is_image_terminal, is_workflow_terminal
from airflow_imagebuilder.service.watcher.poll_timer import AT_ONCE, SOON, PollBudget, PollTimer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.service.errors import ImageBuilderError
    from airflow_imagebuilder.service.watcher.execution_pages import ExecutionPages
    from airflow_imagebuilder.service.watcher.subscription import Subscription

_BEFORE_TESTS = frozenset({ImageStatus.PENDING, ImageStatus.CREATING, ImageStatus.BUILDING})
_NEWS = ("state", "outputResources")
"""Members whose change is news while the image is in progress. Lists show fewer members than GetImage, so a
difference in any other member may only be one between the two operations."""

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

_SLOW, _FAST = 4, 0.5
"""Intervals between two polls: of the executions while they change little, of anything near the end."""
_LISTABLE_AFTER = 0.6
"""Intervals since the last answer from which on a list will do. Fast polls come earlier, by GetImage."""


class NextPoll(enum.Enum):
    """Which operation may answer the next poll of an image."""

    ANY = "a list of builds, or GetImage"
    GET = "only GetImage: a list did not show the image"
    GET_AT_ONCE = "only GetImage, ahead of others: a list showed the end, and a wait wants the whole image"


class TrackedImage:
    """
    One image, and the waits for it.

    While the image is building, its executions show no more than the image does, so they are polled less
    often. The calls spared by that pay for polls at half the interval near the end. So an image never costs
    more than one call of each kind per interval in all.

    :param arn: the image build version ARN.
    :param due: the loop's time of the first poll.
    """

    __slots__ = (
        "_budget", "_full_snapshot", "_image", "_snapshot", "_stage_changed", "announced", "arn", "asked_at",
        "complete", "executions_timer", "image_timer", "next_poll", "reading", "verified_at", "waits",
    )  # fmt: skip

    def __init__(self, arn: str, due: float) -> None:
        self.arn = arn
        self.waits: dict[Subscription, None] = {}
        self.image_timer = PollTimer(due)
        self.executions_timer: PollTimer | None = None
        """When to poll the executions; None if no wait wants them."""
        self.reading: ExecutionPages | None = None
        """The executions of which not all pages have been read."""
        self.complete = False
        """Whether GetImage has answered: lists do not show which workflows an image has."""
        self.next_poll = NextPoll.ANY
        self.verified_at = float("-inf")
        """The loop's time of the last answered call that an event caused; older answers are out of date."""
        self.announced = False
        """Whether the end that the last snapshot shows was announced by an event, or noted as unannounced."""
        self.asked_at = float("-inf")
        """Absolute time of the call that was answered last."""
        self._budget = PollBudget()
        self._image: Mapping[str, Any] = {}
        self._stage_changed = False
        self._snapshot: ImageSnapshot | None = None
        self._full_snapshot: ImageSnapshot | None = None
        """The snapshot with the workflow executions."""

    @property
    def pollable_executions(self) -> PollTimer | None:
        """The timer of the executions, if a wait wants them and GetImage has answered."""
        return self.executions_timer if self.complete else None

    @property
    def due(self) -> float:
        """The loop's time of the next poll."""
        executions = self.pollable_executions
        return self.image_timer.due if executions is None else min(self.image_timer.due, executions.due)

    def is_due(self, now: float) -> bool:
        """Return whether to poll now."""
        return self.due - now <= SOON

    @property
    def ended(self) -> bool:
        """Whether the last answer showed a terminal state."""
        return self._snapshot is not None and self._snapshot.terminal

    @property
    def calls_per_interval(self) -> int:
        """Calls that the image needs per interval."""
        return 0 if not self.waits else 1 if self.executions_timer is None else 2

    def wanted(self) -> bool:
        """Return whether any wait is left."""
        return bool(self.waits)

    def listable(self, now: float, interval: float) -> bool:
        """Return whether a list will do for the next poll of the image."""
        if self.next_poll is not NextPoll.ANY or (self.executions_timer is not None and not self.complete):
            return False
        asked_at = self.image_timer.asked_at
        return asked_at is None or now - asked_at > _LISTABLE_AFTER * interval

    # -- waits ---------------------------------------------------------------------------------------------

    def join(self, wait: Subscription) -> None:
        """Add a wait, and offer it what is known already."""
        self.waits[wait] = None
        if wait.workflows and self.executions_timer is None:
            self.executions_timer = PollTimer(wait.ready)
            if not self.complete:
                self.image_timer.due = min(self.image_timer.due, wait.ready)
        known = self._full_snapshot if wait.workflows else self._snapshot
        if known is not None:
            wait.offer(known, float("-inf"))

    def leave(self, wait: Subscription) -> None:
        """Drop a wait, and what only it needed."""
        self.waits.pop(wait, None)
        if self.executions_timer is not None and not any(other.workflows for other in self.waits):
            self.executions_timer = self._full_snapshot = self.reading = None

    def offer(self, wall: float, *, workflows: bool) -> None:
        """
        Offer the newest snapshot to the waits.

        :param wall: absolute time at which AWS was asked.
        :param workflows: whether to offer the snapshot with workflow executions, to the waits that want them;
            else the other snapshot, to the other waits.
        """
        snapshot = self._full_snapshot if workflows else self._snapshot
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
        """Return the error that keeps a wait, with or without workflow executions, from its answer now."""
        executions = self.executions_timer if workflows else None
        return self.image_timer.error or (executions.error if executions is not None else None)

    # -- answers -------------------------------------------------------------------------------------------

    def take_image(self, image: Mapping[str, Any], asked_at: float, interval: float) -> None:
        """
        Take GetImage's answer.

        :param image: the answer's ``image``.
        :param asked_at: the loop's time of the call.
        :param interval: seconds between two polls.
        """
        self.next_poll = NextPoll.ANY
        self._update(image, keep=not self.complete)
        self.complete = True
        self._schedule(self.image_timer, asked_at, interval, cost=1.0)

    def take_summary(self, summary: Mapping[str, Any], asked_at: float, interval: float, cost: float) -> None:
        """
        Take what a list shows of the image. For waits with workflows, GetImage has to confirm an end.

        :param cost: this image's share of the calls of the list.
        """
        if self.executions_timer is not None and is_image_terminal(summary["state"]["status"]):
            self.next_poll, self.image_timer.due = NextPoll.GET_AT_ONCE, asked_at
            return
        self._update({**self._image, **summary})
        self._schedule(self.image_timer, asked_at, interval, cost=cost)

    def take_absence(self, asked_at: float) -> None:
        """Note that a list did not show the image: a GetImage is due."""
        self.next_poll, self.image_timer.due = NextPoll.GET, asked_at

    def take_executions(self, found: list[Mapping[str, Any]], asked_at: float, interval: float) -> None:
        """Take all pages of ListWorkflowExecutions."""
        self.reading = None
        if self.executions_timer is None:
            return
        now = ImageSnapshot.of(self.arn, self._image, found)
        if now != self._full_snapshot:
            self._full_snapshot = now
        slow = _SLOW if now.status in _BEFORE_TESTS else 1
        self._schedule(self.executions_timer, asked_at, interval, cost=1.0, slow=slow)

    def _update(self, image: Mapping[str, Any], *, keep: bool = False) -> None:
        """
        Make a new snapshot if there is news, and poll the executions at once if the stage has changed.

        :param keep: whether to keep the image even without news, because it shows more than the last one.
        """
        status, before = str(image["state"]["status"]), self._snapshot
        news = any((self._image.get(name) or None) != (image.get(name) or None) for name in _NEWS)
        if news or keep:
            self._image = image if is_image_terminal(status) else _light(image)
        if news:
            self._snapshot = ImageSnapshot.of(self.arn, self._image)
        self._stage_changed = before is not None and status != before.status
        if self._stage_changed and self.executions_timer is not None:
            self.executions_timer.due = AT_ONCE  # the stage's workflows have stopped too
            self.reading = None

    # -- the next poll -------------------------------------------------------------------------------------

    def _schedule(
        self, timer: PollTimer, asked_at: float, interval: float, *, cost: float, slow: int = 1
    ) -> None:
        if timer.asked_at is not None:
            self._budget.record((asked_at - timer.asked_at) / interval, cost)
        # Calls spared by a list are not spent on single images: a list is cheap because it replaces them.
        affordable = cost == 1 and self._budget.covers(self.calls_per_interval)
        timer.answered(asked_at, interval * (_FAST if affordable and self._near_end() else slow))

    def _near_end(self) -> bool:
        known = self._snapshot
        if known is None or known.terminal or known.status in _BEFORE_TESTS:
            return False
        if self._stage_changed or known.status == ImageStatus.INTEGRATING:
            return True
        executions = self._full_snapshot.executions if self._full_snapshot is not None else ()
        return sum(not is_workflow_terminal(str(one.get("status"))) for one in executions) == 1


def _light(image: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out most of what a thousand images in progress would take in memory."""
    return {
        name: sys.intern(value) if name in _COMMON and type(value) is str else value
        for name, value in image.items()
        if name not in _HEAVY
    }
