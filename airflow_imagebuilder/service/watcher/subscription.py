"""One wait for one image: what it is given, and when it ends."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import DeadlineExceededError, ImageBuilderError
from airflow_imagebuilder.service.states import ImageStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.service.results.snapshot import ImageSnapshot

_REPAIRABLE = frozenset({ImageStatus.FAILED, ImageStatus.CANCELLED})


class Subscription:
    """
    One waiter's place in the poll. Holds the newest snapshot that the waiter has not seen, and no older one.

    :param arn: the image build version ARN.
    :param workflows: whether snapshots hold workflow executions.
    :param ready: the loop's time before which nothing is given.
    :param deadline: absolute time (as ``wall`` tells it) at which the wait is over.
    :param stale_until: absolute time until which a FAILED or CANCELLED is taken for the one before a repair.
    :param stale_failure: the workflow execution that failed before the repair; empty where none did.
    :param wall: tells absolute time.
    """

    __slots__ = (
        "_began", "_error", "_given", "_next", "_timer", "_waker", "_wall", "arn", "deadline", "ready",
        "stale_failure", "stale_until", "trouble", "workflows",
    )  # fmt: skip

    def __init__(
        self,
        arn: str,
        *,
        workflows: bool,
        ready: float,
        deadline: float | None,
        stale_until: float | None,
        wall: Callable[[], float],
        stale_failure: str | None = None,
    ) -> None:
        self.arn, self.workflows, self.ready = arn, workflows, ready
        self.deadline, self.stale_until, self.stale_failure = deadline, stale_until, stale_failure
        self.trouble: Callable[[], ImageBuilderError | None] = _none
        """Returns what keeps the answer away at present; the poll that the wait joins sets it."""
        self._wall, self._began = wall, wall()
        self._given: ImageSnapshot | None = None
        self._next: ImageSnapshot | None = None
        self._error: ImageBuilderError | None = None
        self._waker: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        if deadline is not None:
            self._on_deadline()

    def offer(self, snapshot: ImageSnapshot, asked_at: float) -> None:
        """
        Take what a look saw, if it is news.

        :param asked_at: absolute time at which AWS was asked.
        """
        if self.stale_until is not None:
            if asked_at < self.stale_until and self._stale(snapshot, asked_at):
                return
            self.stale_until = None  # seen in progress again, or the time is over
        if snapshot is not self._given:
            self._next = snapshot
            self._wake()

    def _stale(self, snapshot: ImageSnapshot, asked_at: float) -> bool:
        """Return whether this may be how the image stood before the repair."""
        if snapshot.status not in _REPAIRABLE:
            return False
        # What the watcher knew when the wait began may be older than the failure that was repaired.
        if self.stale_failure is None or asked_at < self._began:
            return True
        return _failed_execution(snapshot.image) in (None, self.stale_failure)

    def fail(self, error: ImageBuilderError) -> None:
        """End the wait with an error, after what it has not yet seen."""
        if self._error is None:
            self._error = copy.copy(error)  # a raised error collects the traceback of whoever raises it
            self._error.__cause__ = error.__cause__
            self._wake()

    async def next(self) -> ImageSnapshot:
        """
        Return the next snapshot as soon as there is one.

        :raises ImageBuilderError: the wait is over without one.
        """
        loop = asyncio.get_running_loop()
        if self._given is None and self.ready > loop.time():
            await asyncio.sleep(self.ready - loop.time())
        while True:
            if self._next is not None:
                self._given, self._next = self._next, None
                return self._given
            if self._error is not None:
                raise self._error
            self._waker = loop.create_future()
            try:
                await self._waker
            finally:
                self._waker = None

    def close(self) -> None:
        """Forget the timer of the deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    def _on_deadline(self) -> None:
        left = (self.deadline or 0.0) - self._wall()
        if left > 0:
            # An hour at most: the loop's clock and absolute time drift apart (a suspended machine).
            self._timer = asyncio.get_running_loop().call_later(min(left, 3600.0), self._on_deadline)
            return
        known = self._next or self._given
        error = DeadlineExceededError(
            arn=self.arn, deadline=self.deadline or 0.0, status=known.status if known else None
        )
        error.__cause__ = self.trouble()
        self.fail(error)


def _failed_execution(image: Mapping[str, Any]) -> str | None:
    context = image["state"].get("failureContext")
    execution = context.get("workflowExecutionId") if isinstance(context, Mapping) else None
    return execution if isinstance(execution, str) and execution else None


def _none() -> None:
    return None
