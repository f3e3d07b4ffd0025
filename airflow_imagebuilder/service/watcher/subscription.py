"""Subscription: one wait for one image, from its first snapshot to its end."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import DeadlineExceededError, ImageBuilderError
from airflow_imagebuilder.service.results.states import ImageStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.service.results.snapshot import ImageSnapshot

_REPAIRABLE = frozenset({ImageStatus.FAILED, ImageStatus.CANCELLED})


class Subscription:
    """
    One wait. It holds the newest snapshot that its reader has not seen, and no older one.

    :param arn: the image build version ARN.
    :param workflows: whether snapshots hold workflow executions.
    :param ready: the loop's time before which no snapshot is delivered.
    :param deadline: absolute time at which the wait is over; None if it has no deadline.
    :param stale_until: absolute time until which a FAILED or CANCELLED counts as the state before a repair.
    :param stale_failure: the id of the workflow execution that failed before the repair; empty if none did.
        None makes every failure before ``stale_until`` stale.
    :param wall: returns absolute time.
    """

    __slots__ = (
        "_delivered", "_error", "_pending", "_timer", "_waker", "_wall", "arn", "began", "deadline", "ready",
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
        self.trouble: Callable[[], ImageBuilderError | None] = _no_trouble
        """Returns the error that keeps the answer away now. The poller sets it when the wait joins."""
        self._wall, self.began = wall, wall()
        self._delivered: ImageSnapshot | None = None
        self._pending: ImageSnapshot | None = None
        self._error: ImageBuilderError | None = None
        self._waker: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        if deadline is not None:
            self._on_deadline()

    def offer(self, snapshot: ImageSnapshot, asked_at: float) -> None:
        """
        Take a snapshot, if it is news.

        :param snapshot: the image's newest snapshot.
        :param asked_at: absolute time of the call that showed it.
        """
        if self.stale_until is not None:
            if asked_at < self.stale_until and self._stale(snapshot, asked_at):
                return
            self.stale_until = None  # seen in progress again, or the time is over
        if snapshot is not self._delivered:
            self._pending = snapshot
            self._wake()

    def _stale(self, snapshot: ImageSnapshot, asked_at: float) -> bool:
        """Return whether this may be the image's state before the repair."""
        if snapshot.status not in _REPAIRABLE:
            return False
        # What the watcher knew when the wait began may be older than the failure that was repaired.
        if self.stale_failure is None or asked_at < self.began:
            return True
        return _failed_execution(snapshot.image) in (None, self.stale_failure)

    def fail(self, error: ImageBuilderError) -> None:
        """End the wait with an error, after the snapshot that its reader has not seen."""
        if self._error is None:
            self._error = copy.copy(error)  # each wait that raises an error adds its own traceback to it
            self._error.__cause__ = error.__cause__
            self._wake()

    async def next(self) -> ImageSnapshot:
        """
        Return the next snapshot as soon as there is one.

        :raises ImageBuilderError: the wait is over, and there is none.
        """
        loop = asyncio.get_running_loop()
        if self._delivered is None and self.ready > loop.time():
            await asyncio.sleep(self.ready - loop.time())
        while True:
            if self._pending is not None:
                self._delivered, self._pending = self._pending, None
                return self._delivered
            if self._error is not None:
                raise self._error
            self._waker = loop.create_future()
            try:
                await self._waker
            finally:
                self._waker = None

    def close(self) -> None:
        """Cancel the timer of the deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    def _on_deadline(self) -> None:
        left = (self.deadline or 0.0) - self._wall()
        if left > 0:
            # An hour at most: the loop's clock and absolute time drift apart if the machine is suspended.
            self._timer = asyncio.get_running_loop().call_later(min(left, 3600.0), self._on_deadline)
            return
        known = self._pending or self._delivered
        error = DeadlineExceededError(
            arn=self.arn, deadline=self.deadline or 0.0, status=known.status if known else None
        )
        error.__cause__ = self.trouble()
        self.fail(error)


def _failed_execution(image: Mapping[str, Any]) -> str | None:
    context = image["state"].get("failureContext")
    execution = context.get("workflowExecutionId") if isinstance(context, Mapping) else None
    return execution if isinstance(execution, str) and execution else None


def _no_trouble() -> None:
    return None
