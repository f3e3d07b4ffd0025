"""The operator that shows one workflow of an image."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_imagebuilder.operators.base import AWS_FIELDS, ImageBuilderBaseOperator
from airflow_imagebuilder.operators.options import as_seconds
from airflow_imagebuilder.operators.waiting import MAX_RESUMES
from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageBuilderError,
    MalformedAnswerError,
    NotFoundError,
    TransientError,
    WorkflowFailedError,
)
from airflow_imagebuilder.service.monitoring import Outcome, WorkflowSelector, judge, may_be_undone
from airflow_imagebuilder.service.request.workflows import WorkflowType
from airflow_imagebuilder.service.results.image import ImageFailure
from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
from airflow_imagebuilder.service.states import is_workflow_terminal
from airflow_imagebuilder.service.text import aws_command
from airflow_imagebuilder.triggers.supervisor import TASK_ENDED
from airflow_imagebuilder.xcom import as_time, known_arn

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_imagebuilder.triggers.workflow import ImageBuilderWorkflowTrigger

_TROUBLE = (TransientError, ForbiddenError, NotFoundError, MalformedAnswerError)


class ImageBuilderMonitorWorkflowOperator(ImageBuilderBaseOperator):
    """
    Show one workflow of an image as a task: its state, its steps in the log, its duration, its failure.

    It observes: AWS, and whether the task that guards the image has ended. Killing it touches nothing, a
    retried or cleared one asks AWS again, and it never repairs: for that, clear the task that submitted the
    image, or the one that guards it. A test that a failed neighbour or a cancelled image ended is skipped.

    :param image_build_version_arn: the image.
    :param workflow_type: BUILD, TEST or DISTRIBUTION.
    :param workflow: the workflow's name; ``None`` means any of its type.
    :param parallel_group: the test's parallel group.
    :param ordinal: which one, where the same workflow runs more than once in the same group.
    :param stale_until: Unix time until which a failure may be the one before a repair.
    :param poll_interval: seconds between two looks; ``None`` takes ``[imagebuilder] poll_interval``.
    :param guard: the full id of the task of this run that waits for the image and may repair it. Until it has
        ended, this task stays deferred with what a repair could undo, and its deadline does not count.
    :param timeout: how long this task may wait, from its begin (default: 24 hours); then it fails. Nothing is
        cancelled.
    """

    template_fields: Sequence[str] = (*AWS_FIELDS, "image_build_version_arn", "stale_until")
    ui_color = "#eef4fb"

    def __init__(
        self,
        *,
        image_build_version_arn: str,
        workflow_type: WorkflowType | str = WorkflowType.TEST,
        workflow: str | None = None,
        parallel_group: str | None = None,
        ordinal: int = 0,
        stale_until: float | str | None = None,
        poll_interval: float | timedelta | None = None,
        guard: str | None = None,
        timeout: timedelta = timedelta(hours=24),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_build_version_arn = image_build_version_arn
        self.workflow_type = workflow_type
        self.workflow = workflow
        self.parallel_group = parallel_group
        self.ordinal = ordinal
        self.stale_until = stale_until
        self.poll_interval = poll_interval
        self.guard = guard
        self.timeout = timeout
        self._refuse_options()
        self.workflow_type = WorkflowType(workflow_type).value
        self.poll_interval = as_seconds(poll_interval)

    def execute(self, context: Context) -> None:
        """Leave the watching to the triggerer at once: this process has nothing to add."""
        self._watch(known_arn(self.image_build_version_arn), {})

    def execute_complete(self, context: Context, event: Mapping[str, Any] | str | None = None) -> None:
        """
        Go on after a failure: ask AWS again, and judge from what it says now.

        :param event: the event of :class:`ImageBuilderWorkflowTrigger`.
        :raises AirflowFailException: the workflow failed, or had not ended at the deadline; a new try of this
            task could not change that.
        """
        arn = known_arn(self.image_build_version_arn)
        # dag.test() resumes with the bare state also where a triggerer would have ended the task.
        known = event if isinstance(event, Mapping) else {"supervised": False}
        guarded = self._is_guarded(context, known)  # asked before AWS: what AWS shows after the end counts
        try:
            snapshot = ImageSnapshot.of(
                arn, self.hook.get_image(arn), tuple(self.hook.list_workflow_executions(arn))
            )
        except _TROUBLE as trouble:
            self._resume(arn, known, trouble)
        verdict = judge(snapshot, self._selector, failed_is_stale=self._may_be_stale())
        if verdict is None:
            self._in_progress(snapshot, known, guarded=guarded)
        elif guarded and may_be_undone(snapshot, self._selector, verdict):
            self.log.info("%s. Waiting: %s may still repair the image.", verdict.reason, self.guard)
            self._watch(arn, known)
        elif verdict.outcome is Outcome.SKIPPED:
            raise AirflowSkipException(verdict.reason)
        elif verdict.outcome is Outcome.FAILED:
            raise AirflowFailException(str(self._failure(snapshot, verdict.reason)))

    def _in_progress(self, snapshot: ImageSnapshot, event: Mapping[str, Any], *, guarded: bool) -> NoReturn:
        """Wait again for a workflow that has not ended, unless its time is over."""
        if event.get("outcome") == "deadline" and not guarded:
            raise AirflowFailException(self._out_of_time(snapshot, event))
        if event.get("outcome") == "error":
            self._resume(snapshot.arn, event, event.get("message"))
        self.log.info("AWS shows it in progress again; it was: %s", event.get("message"))
        self._watch(snapshot.arn, event)

    def _resume(self, arn: str, event: Mapping[str, Any], trouble: object) -> NoReturn:
        """Begin the wait again: trouble says nothing of the workflow. At most :data:`MAX_RESUMES` times."""
        resumes = int(event.get("resumes") or 0) + 1
        if resumes > MAX_RESUMES:
            raise ImageBuilderError(
                f"{self._label} of image {arn}: {resumes} times AWS could not be asked how it ended. The "
                f"image is not touched by this. Put this right, then clear this task: {trouble}"
            )
        self.log.warning("AWS could not be asked, so this task waits again (%d): %s", resumes, trouble)
        self._watch(arn, {**event, "resumes": resumes})

    def _is_guarded(self, context: Context, event: Mapping[str, Any]) -> bool:
        """Whether the task that may repair the image has not ended; without an answer it has not."""
        # In dag.test() tasks run one after another, and waiting for another would never end.
        if self.guard is None or event.get("supervised") is False:
            return False
        ti: Any = context["ti"]
        try:
            found = ti.get_task_states(dag_id=ti.dag_id, task_ids=[self.guard], run_ids=[ti.run_id])
        except Exception as error:  # noqa: BLE001 (whatever it was, a failure may not last)
            self.log.warning("Airflow does not say how %s stands: %r", self.guard, error)
            return True
        return any(str(state) not in TASK_ENDED for by_task in found.values() for state in by_task.values())

    def _may_be_stale(self) -> bool:
        until = as_time(self.stale_until)
        return until is not None and time.time() < until

    def on_kill(self) -> None:
        """Touch nothing: this task only looks on."""

    @property
    def _selector(self) -> WorkflowSelector:
        kind = WorkflowType(self.workflow_type)
        return WorkflowSelector(kind, self.workflow, self.parallel_group, self.ordinal)

    @property
    def _label(self) -> str:
        return self.workflow or self.workflow_type.lower()

    def _watch(self, arn: str, event: Mapping[str, Any]) -> NoReturn:
        """Defer this task, until the deadline of the wait whose event this is; without one, of a new wait."""
        deadline = event.get("deadline") or time.time() + self.timeout.total_seconds()
        trigger = self._trigger(arn, deadline, int(event.get("resumes") or 0))
        self.defer(trigger=trigger, method_name="execute_complete")

    def _trigger(self, arn: str, deadline: float, resumes: int) -> ImageBuilderWorkflowTrigger:
        from airflow_imagebuilder.triggers.workflow import ImageBuilderWorkflowTrigger

        return ImageBuilderWorkflowTrigger(
            image_build_version_arn=arn,
            workflow_type=self.workflow_type,
            workflow_name=self.workflow,
            parallel_group=self.parallel_group,
            ordinal=self.ordinal,
            guard=self.guard,
            deadline=deadline,
            resumes=resumes,
            stale_until=as_time(self.stale_until),
            poll_interval=self.poll_interval,
            **self.aws,
        )

    def _out_of_time(self, snapshot: ImageSnapshot, event: Mapping[str, Any]) -> str:
        when = datetime.fromtimestamp(float(event.get("deadline") or time.time()), timezone.utc)
        execution = self._selector.execution(snapshot.executions)
        shown = f"the workflow {execution.get('status')}" if execution else "no execution of the workflow"
        return (
            f"{self._label} of image {snapshot.arn} had not ended when the time of this task was over "
            f"({when.isoformat(timespec='seconds')}). AWS shows the image {snapshot.status}, and {shown}. "
            "Nothing was cancelled: this task only observes. If the build is slow, clear this task, or allow "
            "more time (timeout). If it hangs, cancel it: "
            f"{aws_command('cancel-image-creation', snapshot.arn)}"
        )

    def _failure(self, snapshot: ImageSnapshot, reason: str) -> ImageBuilderError:
        execution = self._selector.execution(snapshot.executions)
        if execution is None or not is_workflow_terminal(str(execution.get("status"))):
            return ImageBuilderError(f"{self._label}: {reason}. {_WHAT_TO_CLEAR}")
        steps = self.steps_if_told(execution["workflowExecutionId"])
        return WorkflowFailedError(
            workflow=self._label,
            status=str(execution.get("status")),
            arn=snapshot.arn,
            execution_id=execution["workflowExecutionId"],
            failure=ImageFailure.from_execution(snapshot.image, execution, steps),
        )


_WHAT_TO_CLEAR = (
    "This task only looks on: to repair the image, clear the task that submitted it, with what follows it."
)
