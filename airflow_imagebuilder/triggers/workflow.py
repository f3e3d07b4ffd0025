"""The trigger that watches one workflow of an image."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from airflow_imagebuilder.build_record.workflow import workflow_record
from airflow_imagebuilder.compat import redact
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
from airflow_imagebuilder.service.results.states import WorkflowStatus
from airflow_imagebuilder.triggers.base import ImageBuilderTrigger
from airflow_imagebuilder.triggers.recorder import Recorder
from airflow_imagebuilder.triggers.supervisor import TASK_ENDED, task_states
from airflow_imagebuilder.xcom import WORKFLOW_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_imagebuilder.service.watcher.watcher import ImageSnapshot, ImageWatcher


RESUME_NOT_BEFORE = 5.0
"""Minimum seconds that a task stays deferred before it resumes on a worker."""


AFTER_DEADLINE = 300.0
"""Seconds between two questions about the guard's state, after a monitor's deadline has passed."""


class _Attempt(NamedTuple):
    """How a workflow ended in one attempt of its image: each RetryImage begins another attempt."""

    verdict: Verdict
    undoable: bool
    """Whether a repair of the image could change the verdict."""
    moved: bool
    """Whether the image was in progress in this life."""


class ImageBuilderWorkflowTrigger(ImageBuilderTrigger):
    """
    Watch one workflow of an image, log its steps, and end the task in the trigger where possible.

    If the workflow completed, or was skipped, the trigger ends the task, without a second worker process. If
    it failed, the task resumes on a worker. The worker raises an error with the details from AWS, so the
    callbacks of a failed task get that error. A failure or a skip that a repair of the image could undo
    counts only after the task that may repair the image (``guard``) has ended.

    Fires at most once, with ``outcome``, ``message``, ``deadline``, ``resumes``, ``try_number`` (of the task
    that waits) and ``supervised``. The outcome is ``failed``, ``deadline`` or ``error``.

    A kill changes nothing on AWS: the task only observes.

    :param workflow_type: BUILD, TEST or DISTRIBUTION.
    :param workflow_name: ``None`` (default) means any of its type.
    :param parallel_group: the test's parallel group; ``None`` (default) for a test without one.
    :param ordinal: which one, from 0 (default), where the same workflow runs more than once in the same
        group.
    :param guard: the full id of the task of this run that may repair the image; ``None`` (default) if no task
        does.
    :param resumes: how many times a worker has begun this wait again after trouble (default: 0).
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
        self._recorder = Recorder(self, WORKFLOW_KEY)
        self._recorded = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and all arguments of the constructor."""
        path, kwargs = super().serialize()
        names = ("workflow_type", "workflow_name", "parallel_group", "ordinal", "guard", "resumes")
        return path, {**kwargs, **{name: getattr(self, name) for name in names}}

    @property
    def selector(self) -> WorkflowSelector:
        """The workflow execution that this trigger watches."""
        kind = WorkflowType(self.workflow_type)
        return WorkflowSelector(kind, self.workflow_name, self.parallel_group, self.ordinal)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch until the workflow has ended and no repair can undo that; end the task, or fire."""
        began = time.monotonic()
        outcome, reason = await self._outcome()
        self.log.info("%s %s", self._label, reason)
        if outcome == Outcome.SUCCESS.value:
            yield TaskSuccessEvent()
        elif outcome == Outcome.SKIPPED.value:
            yield TaskSkippedEvent()
        else:
            # The scheduler can fail a task that resumes in its first seconds.
            await asyncio.sleep(max(0.0, RESUME_NOT_BEFORE - (time.monotonic() - began)))
            yield TriggerEvent(
                {
                    "outcome": outcome,
                    "message": reason,
                    "deadline": self.deadline,
                    "resumes": self.resumes,
                    "try_number": self.try_number,
                    "supervised": self.task_instance is not None,
                }
            )

    async def _outcome(self) -> tuple[str, str]:
        try:
            async with self.watcher() as watcher:
                verdict = await self._verdict(watcher)
                await self._recorder.finish()
        except DeadlineExceededError as error:
            return "deadline", str(error)
        except ImageBuilderError as error:
            return "error", str(error)
        finally:
            self._recorder.close()
        return verdict.outcome.value, verdict.reason

    async def _verdict(self, watcher: ImageWatcher) -> Verdict:
        """Follow the image through its lives, until no task repairs it any more."""
        steps, stale_until, deadline = StepLog(), self.stale_until, self.deadline
        guard_ended: bool | None = None  # not asked yet
        while True:
            try:
                life = await self._life(watcher, steps, stale_until, deadline)
            except DeadlineExceededError:
                if await self._guard_has_ended():
                    raise
                self.log.info(
                    "This task's timeout has passed. It keeps waiting: task %s has not ended.", self.guard
                )
                deadline = time.time() + AFTER_DEADLINE
                continue
            # The guard may have repaired the image after this poll: the last poll comes after its end.
            if not life.undoable or (guard_ended and not life.moved):
                return life.verdict
            was_active = guard_ended is False
            guard_ended = await self._guard_has_ended()
            stale_until = None if guard_ended else time.time() + self._interval
            if not (guard_ended or was_active):
                self.log.info(
                    "%s %s. Waiting: %s has not ended, and may still repair the image.",
                    self._label,
                    life.verdict.reason,
                    self.guard,
                )

    async def _life(
        self, watcher: ImageWatcher, steps: StepLog, stale_until: float | None, deadline: float | None
    ) -> _Attempt:
        moved = False
        watch = watcher.watch(
            self.image_build_version_arn,
            workflows=True,
            deadline=deadline,
            stale_until=stale_until,
            first_look=0.0,  # a task that ends in the trigger does not resume, so it may end at once
        )
        async with contextlib.aclosing(watch):
            async for snapshot in watch:
                moved = moved or not snapshot.terminal
                await self._log_new_steps(watcher, steps, snapshot)
                stale = stale_until is not None and time.time() < stale_until
                verdict = judge(snapshot, self.selector, failed_is_stale=stale and not snapshot.terminal)
                if verdict is None:
                    continue
                undoable = self.guard is not None and may_be_undone(snapshot, self.selector, verdict)
                if snapshot.terminal or not undoable:
                    return _Attempt(verdict, undoable, moved)
        raise ImageBuilderError(f"{self.image_build_version_arn} ended, and AWS shows no such workflow in it")

    async def _guard_has_ended(self) -> bool:
        """Ask Airflow whether the task that may repair the image has ended. Without a guard it has."""
        # dag.test() has no supervisor to ask, and runs one task at a time: a wait for another never ends.
        if self.guard is None or self.task_instance is None:
            return True
        try:
            states = await task_states(self.task_instance, self.guard)
        except Exception as error:  # noqa: BLE001 (without an answer, a repair may still come)
            self.log.warning(
                "Airflow did not return the state of task %s, so this task waits: %r", self.guard, error
            )
            return False
        return states <= TASK_ENDED

    @property
    def _interval(self) -> float:
        from airflow_imagebuilder.triggers.watch.settings import watch_settings

        return watch_settings(self.poll_interval).poll_interval

    @property
    def _label(self) -> str:
        return self.workflow_name or self.workflow_type.lower()

    async def _log_new_steps(self, watcher: ImageWatcher, steps: StepLog, snapshot: ImageSnapshot) -> None:
        execution = self.selector.execution(snapshot.executions)
        if execution == self._known and (execution is not None or self._recorded):
            return
        self._known = execution
        found = await self._steps(watcher, execution)
        for line in steps.news(found):
            self.log.info(line)
        self._record(watcher, snapshot, execution, found)

    async def _steps(self, watcher: ImageWatcher, execution: Mapping[str, Any] | None) -> list[Any]:
        if execution is None or execution.get("status") == WorkflowStatus.PENDING:  # it has no steps yet
            return []
        try:
            return await watcher.steps(execution["workflowExecutionId"])
        except ImageBuilderError as error:
            # The verdict does not depend on them: a role that may not list steps must not wake a worker.
            self.log.warning("Could not list the workflow's steps: %s", error)
            return []

    def _record(
        self,
        watcher: ImageWatcher,
        snapshot: ImageSnapshot,
        execution: Mapping[str, Any] | None,
        steps: list[Any],
    ) -> None:
        """Write the workflow as AWS shows it, in the background."""
        self._recorded = True
        if self.task_instance is None:
            return
        asked_at = watcher.asked_at(snapshot.arn) or time.time()

        async def make() -> Mapping[str, Any]:
            everything = redact([*snapshot.superseded, *snapshot.executions])
            own = redact(dict(execution)) if execution else None
            return workflow_record(
                snapshot.arn, self.selector, own, redact(steps), executions=everything, asked_at=asked_at
            )

        self._recorder.offer(make, asked_at)
