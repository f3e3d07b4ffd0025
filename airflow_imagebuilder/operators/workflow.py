"""The operator that shows one workflow of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_imagebuilder.operators.base import AWS_FIELDS, ImageBuilderBaseOperator
from airflow_imagebuilder.operators.guard import as_time, known_arn
from airflow_imagebuilder.service.errors import ImageBuilderError, WorkflowFailedError
from airflow_imagebuilder.service.monitoring import Outcome, Sought, judge
from airflow_imagebuilder.service.options import as_seconds
from airflow_imagebuilder.service.result import ImageFailure
from airflow_imagebuilder.service.states import is_workflow_terminal
from airflow_imagebuilder.service.waits import ImageSnapshot
from airflow_imagebuilder.service.workflows import WorkflowType

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_imagebuilder.triggers import ImageBuilderWorkflowTrigger


class ImageBuilderMonitorWorkflowOperator(ImageBuilderBaseOperator):
    """
    Show one workflow of an image as a task: its state, its steps in the log, its duration, its failure.

    It observes AWS and nothing else. Killing it touches nothing, a retried or cleared one asks AWS again, and
    it never repairs: for that, clear the task that submitted the image, or the one that guards it.

    :param image_build_version_arn: the image.
    :param workflow_type: BUILD, TEST or DISTRIBUTION.
    :param workflow: the workflow's name; ``None`` means any of its type.
    :param parallel_group: the test's parallel group.
    :param ordinal: which one, where the same workflow runs more than once in the same group.
    :param stale_until: Unix time until which a failure may be the one before a repair.
    :param poll_interval: seconds between two looks; ``None`` takes ``[imagebuilder] poll_interval``.
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
        self._refuse_options()
        self.workflow_type = WorkflowType(workflow_type).value
        self.poll_interval = as_seconds(poll_interval)

    def execute(self, context: Context) -> None:
        """Leave the watching to the triggerer at once: this process has nothing to add."""
        self._watch(known_arn(self.image_build_version_arn))

    def execute_complete(self, context: Context, event: Mapping[str, Any] | str | None = None) -> None:
        """
        Go on after a failure: ask AWS again, and judge from what it says now.

        :param event: the event of :class:`ImageBuilderWorkflowTrigger`.
        :raises AirflowFailException: the workflow failed; a new try of this task could not change that.
        """
        arn = known_arn(self.image_build_version_arn)
        image = self.hook.get_image(arn)
        snapshot = ImageSnapshot.of(arn, image, tuple(self.hook.list_workflow_executions(arn)))
        verdict = judge(snapshot, self._sought)
        if verdict is None:
            message = event.get("message") if isinstance(event, Mapping) else None
            self.log.info("AWS shows it in progress again; it was: %s", message)
            self._watch(arn)
        elif verdict.outcome is Outcome.SKIPPED:
            raise AirflowSkipException(verdict.reason)
        elif verdict.outcome is Outcome.FAILED:
            raise AirflowFailException(str(self._failure(snapshot, verdict.reason)))

    def on_kill(self) -> None:
        """Touch nothing: this task only looks on."""

    @property
    def _sought(self) -> Sought:
        kind = WorkflowType(self.workflow_type)
        return Sought(kind, self.workflow, self.parallel_group, self.ordinal)

    def _watch(self, arn: str) -> None:
        self.defer(trigger=self._trigger(arn), method_name="execute_complete")

    def _trigger(self, arn: str) -> ImageBuilderWorkflowTrigger:
        from airflow_imagebuilder.triggers import ImageBuilderWorkflowTrigger

        return ImageBuilderWorkflowTrigger(
            image_build_version_arn=arn,
            workflow_type=self.workflow_type,
            workflow_name=self.workflow,
            parallel_group=self.parallel_group,
            ordinal=self.ordinal,
            stale_until=as_time(self.stale_until),
            poll_interval=self.poll_interval,
            **self.aws,
        )

    def _failure(self, snapshot: ImageSnapshot, reason: str) -> ImageBuilderError:
        execution = self._sought.execution(snapshot.executions)
        label = self.workflow or self.workflow_type.lower()
        if execution is None or not is_workflow_terminal(str(execution.get("status"))):
            return ImageBuilderError(f"{label}: {reason}. {_WHAT_TO_CLEAR}")
        steps = self.steps_if_told(execution["workflowExecutionId"])
        return WorkflowFailedError(
            workflow=label,
            status=str(execution.get("status")),
            arn=snapshot.arn,
            execution_id=execution["workflowExecutionId"],
            failure=ImageFailure.from_execution(snapshot.image, execution, steps),
        )


_WHAT_TO_CLEAR = (
    "This task only looks on: to repair the image, clear the task that submitted it, with what follows it."
)
