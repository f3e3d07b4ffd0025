"""The trigger that watches one workflow of an image."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from airflow_imagebuilder.service.errors import DeadlineExceededError, ImageBuilderError
from airflow_imagebuilder.service.monitoring import (
    Outcome,
    StepLog,
    Verdict,
    WorkflowSelector,
    judge,
    may_be_undone,
)
from airflow_imagebuilder.service.request.workflows import WorkflowType
from airflow_imagebuilder.service.states import (
    WorkflowStatus,
)
from airflow_imagebuilder.triggers.base import ImageBuilderTrigger
from airflow_imagebuilder.triggers.supervisor import (
    TASK_ENDED,
    task_states,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_imagebuilder.service.watcher.watcher import ImageSnapshot, ImageWatcher


RESUME_NOT_BEFORE = 5.0
"""Seconds that a task stays deferred at least before it resumes on a worker."""


AFTER_DEADLINE = 300.0
"""Seconds between two questions for the guard of an image, once a monitor's deadline has passed."""


class _Life(NamedTuple):
    """How a workflow ended in one life of its image: RetryImage begins another."""

    verdict: Verdict
    undoable: bool
    moved: bool
    """Whether the image was seen in progress."""


class ImageBuilderWorkflowTrigger(ImageBuilderTrigger):
    """
    Watch one workflow of an image, tell its steps in the task log, and end the task where that is enough.

    A workflow that went well, or was skipped, ends the task here: no second worker process. One that failed
    resumes on a worker, where the error is raised with everything that AWS tells about it, and where the
    callbacks of a failed task get it. A failure or a skip that a repair of the image could undo counts once
    the task that may repair it (``guard``) has ended.

    Fires at most once, with ``{"outcome", "message", "deadline", "resumes", "supervised"}``. The outcome:
    ``failed``, ``deadline`` or ``error``.

    Killing it touches nothing on AWS: it only observes.

    :param workflow_type: BUILD, TEST or DISTRIBUTION.
    :param workflow_name: ``None`` means any of its type.
    :param parallel_group: the test's parallel group.
    :param ordinal: which one, where the same workflow runs more than once in the same group.
    :param guard: the full id of the task of this run that may repair the image; ``None`` where there is none.
    :param resumes: how many times this wait was begun again after trouble; handed back in the event.
    """

    def __init__(
        self,
        *,
        workflow_type: str,
        workflow_name: str | None = None,
        parallel_group: str | None = None,
        ordinal: int = 0,
        guard: str | None = None,
        resumes: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_type = workflow_type
        self.workflow_name = workflow_name
        self.parallel_group = parallel_group
        self.ordinal = ordinal
        self.guard = guard
        self.resumes = resumes
        self._known: Mapping[str, Any] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and everything that the constructor takes."""
        path, kwargs = super().serialize()
        names = ("workflow_type", "workflow_name", "parallel_group", "ordinal", "guard", "resumes")
        return path, {**kwargs, **{name: getattr(self, name) for name in names}}

    @property
    def selector(self) -> WorkflowSelector:
        """Which workflow execution this is about."""
        kind = WorkflowType(self.workflow_type)
        return WorkflowSelector(kind, self.workflow_name, self.parallel_group, self.ordinal)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch until the workflow has ended, and no repair can undo that."""
        began = time.monotonic()
        outcome, reason = await self._outcome()
        self.log.info("%s %s", self._label, reason)
        if outcome == Outcome.SUCCESS.value:
            yield TaskSuccessEvent()
        elif outcome == Outcome.SKIPPED.value:
            yield TaskSkippedEvent()
        else:
            # A task that resumes in its first seconds can be failed by the scheduler.
            await asyncio.sleep(max(0.0, RESUME_NOT_BEFORE - (time.monotonic() - began)))
            yield TriggerEvent(
                {
                    "outcome": outcome,
                    "message": reason,
                    "deadline": self.deadline,
                    "resumes": self.resumes,
                    "supervised": self.task_instance is not None,
                }
            )

    async def _outcome(self) -> tuple[str, str]:
        try:
            async with self.watcher() as watcher:
                verdict = await self._verdict(watcher)
        except DeadlineExceededError as error:
            return "deadline", str(error)
        except ImageBuilderError as error:
            return "error", str(error)
        return verdict.outcome.value, verdict.reason

    async def _verdict(self, watcher: ImageWatcher) -> Verdict:
        """Follow the image through its lives, until nobody repairs it any more."""
        steps, stale_until, deadline = StepLog(), self.stale_until, self.deadline
        ended = said = False
        while True:
            try:
                life = await self._life(watcher, steps, stale_until, deadline)
            except DeadlineExceededError:
                if await self._guard_has_ended():
                    raise
                self.log.info(
                    "The time of this task is over. It waits on, since %s has not ended.", self.guard
                )
                deadline = time.time() + AFTER_DEADLINE
                continue
            # The guard may have repaired the image after this look: a last look comes after its end.
            if not life.undoable or (ended and not life.moved):
                return life.verdict
            ended = await self._guard_has_ended()
            stale_until = None if ended else time.time() + self._interval
            if not (ended or said):
                self.log.info(
                    "%s %s. Waiting: %s has not ended, and may still repair the image.",
                    self._label,
                    life.verdict.reason,
                    self.guard,
                )
            said = not ended

    async def _life(
        self, watcher: ImageWatcher, steps: StepLog, stale_until: float | None, deadline: float | None
    ) -> _Life:
        moved = False
        watch = watcher.watch(
            self.image_build_version_arn,
            workflows=True,
            deadline=deadline,
            ignore_terminal_until=stale_until,
            first_look=0.0,  # what ends in the trigger may end at once
        )
        async with contextlib.aclosing(watch):
            async for snapshot in watch:
                moved = moved or not snapshot.terminal
                await self._tell_news(watcher, steps, snapshot)
                stale = stale_until is not None and time.time() < stale_until
                verdict = judge(snapshot, self.selector, failed_is_stale=stale and not snapshot.terminal)
                if verdict is None:
                    continue
                undoable = self.guard is not None and may_be_undone(snapshot, self.selector, verdict)
                if snapshot.terminal or not undoable:
                    return _Life(verdict, undoable, moved)
        raise ImageBuilderError(f"{self.image_build_version_arn} ended, and says nothing of this workflow")

    async def _guard_has_ended(self) -> bool:
        """Ask Airflow whether the task that may repair the image has ended: then nothing repairs it."""
        # dag.test() has no supervisor to ask, and runs one task at a time: waiting for another never ends.
        if self.guard is None or self.task_instance is None:
            return True
        try:
            states = await task_states(self.task_instance, self.guard)
        except Exception as error:  # noqa: BLE001 (without an answer a failure that may not last is not shown)
            self.log.warning("Airflow does not say how %s stands, so this task waits: %r", self.guard, error)
            return False
        return states <= TASK_ENDED

    @property
    def _interval(self) -> float:
        from airflow_imagebuilder.triggers.settings import watch_settings

        return watch_settings(self.poll_interval).poll_interval

    @property
    def _label(self) -> str:
        return self.workflow_name or self.workflow_type.lower()

    async def _tell_news(self, watcher: ImageWatcher, steps: StepLog, snapshot: ImageSnapshot) -> None:
        execution = self.selector.execution(snapshot.executions)
        if execution is None or execution == self._known:
            return
        self._known = execution
        if execution.get("status") != WorkflowStatus.PENDING:  # before that it has no steps to tell
            await self._tell_steps(watcher, execution["workflowExecutionId"], steps)

    async def _tell_steps(self, watcher: ImageWatcher, execution_id: str, teller: StepLog) -> None:
        try:
            steps = await watcher.steps(execution_id)
        except ImageBuilderError as error:
            # They are told, not judged by: a role that may not list them must not wake a worker each time.
            self.log.warning("The steps cannot be told: %s", error)
            return
        for line in teller.news(steps):
            self.log.info(line)
