"""The operator that shows one workflow of an image."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_imagebuilder.compat import AirflowFailException, AirflowSkipException
from airflow_imagebuilder.links import LINKS, persist_links
from airflow_imagebuilder.operators.base import AWS_FIELDS, ImageBuilderBaseOperator
from airflow_imagebuilder.operators.options import as_seconds
from airflow_imagebuilder.operators.waiting.operator import MAX_RESUMES
from airflow_imagebuilder.operators.waiting.recording import Recording
from airflow_imagebuilder.operators.waiting.task_state import is_of_another_try
from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageBuilderError,
    MalformedAnswerError,
    NotFoundError,
    TransientError,
    WorkflowFailedError,
)
from airflow_imagebuilder.service.monitoring import Outcome, Verdict, WorkflowSelector, judge, may_be_undone
from airflow_imagebuilder.service.request.workflows import WorkflowType
from airflow_imagebuilder.service.results.image import ImageFailure
from airflow_imagebuilder.service.results.snapshot import ImageSnapshot
from airflow_imagebuilder.service.results.states import is_workflow_terminal
from airflow_imagebuilder.service.text import aws_command
from airflow_imagebuilder.triggers.supervisor import TASK_ENDED
from airflow_imagebuilder.xcom import as_time, known_arn

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_imagebuilder.operators.arguments.keywords import AwsArguments
    from airflow_imagebuilder.triggers.workflow import ImageBuilderWorkflowTrigger

_TROUBLE = (TransientError, ForbiddenError, NotFoundError, MalformedAnswerError)


class ImageBuilderMonitorWorkflowOperator(ImageBuilderBaseOperator):
    """
    Show one workflow of an image as a task: its state, its steps in the log, its duration, its failure.

    This task only observes. It polls AWS, and asks Airflow whether the task that waits for the image (its
    ``guard``) has ended. Killing it changes nothing on AWS. A retry or a clear reads AWS again. It never
    repairs an image: for that, clear the task that submitted the image, or the guard. A test that AWS
    cancelled because another one failed, or because the image was cancelled, is skipped.

    :param image_build_version_arn: the image.
    :param workflow_type: BUILD, TEST (default) or DISTRIBUTION.
    :param workflow: the workflow's name; ``None`` (default) means any of its type.
    :param parallel_group: the test's parallel group; ``None`` (default) for a test without one.
    :param ordinal: which one, from 0 (default), where the same workflow runs more than once in the same
        group.
    :param stale_until: Unix time until which AWS may still show the failure from before a repair; ``None``
        (default) if the image was not repaired.
    :param poll_interval: seconds (or a timedelta) between two polls of the image; ``None`` (default) takes
        ``[imagebuilder] poll_interval``.
    :param guard: the full id of the task of this run that waits for the image and may repair it. Until it has
        ended, this task does not report what a repair could undo, and its deadline does not count. ``None``
        (default): no task repairs the image.
    :param timeout: how long this task may wait, from the start of its try (default: 24 hours); then it fails.
        Nothing is cancelled.
    :raises AirflowSkipException: the workflow did not run, or was cut off by another failure or a cancel.
    :raises AirflowFailException: the workflow failed, or had not ended at the deadline.
    """

    template_fields: Sequence[str] = (*AWS_FIELDS, "image_build_version_arn", "stale_until")
    ui_color = "#eef4fb"
    operator_extra_links = LINKS
    records_image = True
    """Whether the tab *Image build* of the task shows its image: it records one workflow of it."""

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
        **kwargs: Unpack[AwsArguments],
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

    def execute(self, context: Context) -> NoReturn:
        """Defer at once: the trigger watches the workflow."""
        arn = known_arn(self.image_build_version_arn)
        persist_links(context, self, arn, None)
        self._watch(arn, {})

    def execute_complete(self, context: Context, event: Mapping[str, Any] | str | None = None) -> None:
        """
        Resume after the trigger has fired: read AWS again, and judge from its answer.

        :param event: the event of :class:`ImageBuilderWorkflowTrigger`.
        :raises AirflowSkipException: the workflow did not run, or was cut off by another failure or a cancel.
        :raises AirflowFailException: the workflow failed, or had not ended at the deadline. Airflow does not
            retry the task, since a new try could not change that.
        :raises ImageBuilderError: AWS did not answer for :data:`MAX_RESUMES` resumes of the wait.
        """
        if is_of_another_try(event, context):
            self.execute(context)
        arn = known_arn(self.image_build_version_arn)
        # dag.test() resumes with a bare state where a triggerer would have ended the task.
        known = event if isinstance(event, Mapping) else {"supervised": False}
        # Asked before AWS: what AWS shows after the guard has ended is final.
        guarded = self._is_guarded(context, known)
        try:
            snapshot = self._read(arn)
        except _TROUBLE as trouble:
            self._resume(arn, known, trouble)
        verdict = judge(snapshot, self._selector, failed_is_stale=self._may_be_stale())
        if verdict is None:
            self._in_progress(snapshot, known, guarded=guarded)
        elif guarded and may_be_undone(snapshot, self._selector, verdict):
            self.log.info("%s. Waiting: %s may still repair the image.", verdict.reason, self.guard)
            self._watch(arn, known)
        else:
            self._end(context, snapshot, verdict, supervised=known.get("supervised") is not False)

    def _read(self, arn: str) -> ImageSnapshot:
        image = self.hook.get_image(arn)
        return ImageSnapshot.of(arn, image, self.hook.list_workflow_executions(arn, include_retried=True))

    def _end(self, context: Context, snapshot: ImageSnapshot, verdict: Verdict, *, supervised: bool) -> None:
        """End as the workflow did, and record it, unless the trigger has."""
        execution = self._selector.execution(snapshot.executions)
        steps: list[dict[str, Any]] = []
        if verdict.outcome is Outcome.FAILED or not supervised:
            ended = execution is not None and is_workflow_terminal(str(execution.get("status")))
            steps = self.readable_steps(execution["workflowExecutionId"]) if execution and ended else []
            Recording(context, self.log).workflow(snapshot, self._selector, steps)
        if verdict.outcome is Outcome.SKIPPED:
            raise AirflowSkipException(verdict.reason)
        if verdict.outcome is Outcome.FAILED:
            raise AirflowFailException(str(self._failure(snapshot, verdict.reason, steps)))

    def _in_progress(self, snapshot: ImageSnapshot, event: Mapping[str, Any], *, guarded: bool) -> NoReturn:
        """Wait again for a workflow that has not ended, unless this task's time is over."""
        if event.get("outcome") == "deadline" and not guarded:
            raise AirflowFailException(self._out_of_time(snapshot, event))
        if event.get("outcome") == "error":
            self._resume(snapshot.arn, event, event.get("message"))
        self.log.info("AWS shows the workflow in progress again. It was: %s", event.get("message"))
        self._watch(snapshot.arn, event)

    def _resume(self, arn: str, event: Mapping[str, Any], trouble: object) -> NoReturn:
        """Wait again after trouble of a call, which says nothing about the workflow."""
        resumes = int(event.get("resumes") or 0) + 1
        if resumes > MAX_RESUMES:
            raise ImageBuilderError(
                f"Could not read from AWS how workflow {self._label} of image {arn} ended, in {resumes} "
                f"attempts: {trouble}\nThis does not affect the image. Fix the cause, then clear this task."
            )
        self.log.warning(
            "Could not read the workflow from AWS, so this task waits again (%d of at most %d times): %s",
            resumes,
            MAX_RESUMES,
            trouble,
        )
        self._watch(arn, {**event, "resumes": resumes})

    def _is_guarded(self, context: Context, event: Mapping[str, Any]) -> bool:
        """Return whether the task that may repair the image is still active. Without an answer it is."""
        # In dag.test() tasks run one after another: a wait for another task would never end.
        if self.guard is None or event.get("supervised") is False:
            return False
        ti: Any = context["ti"]
        try:
            found = ti.get_task_states(dag_id=ti.dag_id, task_ids=[self.guard], run_ids=[ti.run_id])
        except Exception as error:  # noqa: BLE001 (without an answer, a repair may still come)
            self.log.warning("Airflow did not return the state of task %s: %r", self.guard, error)
            return True
        return any(str(state) not in TASK_ENDED for by_task in found.values() for state in by_task.values())

    def _may_be_stale(self) -> bool:
        until = as_time(self.stale_until)
        return until is not None and time.time() < until

    def on_kill(self) -> None:
        """Do nothing: this task only observes."""

    @property
    def _selector(self) -> WorkflowSelector:
        kind = WorkflowType(self.workflow_type)
        return WorkflowSelector(kind, self.workflow, self.parallel_group, self.ordinal)

    @property
    def _label(self) -> str:
        return self.workflow or self.workflow_type.lower()

    def _watch(self, arn: str, event: Mapping[str, Any]) -> NoReturn:
        """Defer this task with what an event carries from the wait before; an empty one begins a new wait."""
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

    def _failure(
        self, snapshot: ImageSnapshot, reason: str, steps: list[dict[str, Any]]
    ) -> ImageBuilderError:
        execution = self._selector.execution(snapshot.executions)
        if execution is None or not is_workflow_terminal(str(execution.get("status"))):
            return ImageBuilderError(f"{self._label}: {reason}. {_WHAT_TO_CLEAR}")
        return WorkflowFailedError(
            workflow=self._label,
            status=str(execution.get("status")),
            arn=snapshot.arn,
            execution_id=execution["workflowExecutionId"],
            failure=ImageFailure.from_execution(snapshot.image, execution, steps),
        )


_WHAT_TO_CLEAR = (
    "This task only observes. To repair the image, clear the task that submitted it, with its downstream "
    "tasks."
)
