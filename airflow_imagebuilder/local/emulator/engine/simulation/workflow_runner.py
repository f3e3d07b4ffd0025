"""WorkflowRunner: runs workflow executions, one step after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value
from airflow_imagebuilder.local.emulator.engine.simulation import step_results, workflow_documents
from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure
from airflow_imagebuilder.local.emulator.engine.state import Execution, Image, PlannedWorkflow, Step

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc

WAITING_EVENT = "EC2 Image Builder Workflow Step Waiting"
DISTRIBUTING = frozenset({"DistributeImage", "DistributeContainerImage"})


class Callbacks(Protocol):
    """What the runner calls while it runs the workflows of an image."""

    def created(self, image: Image) -> None:
        """Make the AMI: the build workflow has run its CreateImage step."""

    def distributed(self, image: Image) -> Doc | None:
        """Distribute the image: the distribution workflow has run its step.

        :return: ``distributionFailure`` if a region failed, else None.
        """

    def ended(self, image: Image, execution: Execution) -> None:
        """Continue after an execution that finished by itself."""


class WorkflowRunner:
    """Runs executions, one step after another.

    :param context: state, clock and timers of the engine.
    :param callbacks: what is called when an AMI is due or an execution finishes.
    """

    def __init__(self, context: SimulationContext, callbacks: Callbacks) -> None:
        self._context = context
        self._callbacks = callbacks

    def add(self, image: Image, planned: PlannedWorkflow) -> Execution:
        """Add an execution, PENDING, to an image."""
        context = self._context
        steps = [Step(context.ids.step(), step) for step in planned.steps]
        execution = Execution(context.ids.execution(), image.arn, planned, steps)
        image.executions.append(execution)
        context.state.executions[execution.id] = execution
        context.state.steps.update({step.id: (execution, step) for step in steps})
        return execution

    def begin(self, image: Image, execution: Execution) -> None:
        """Start an execution."""
        execution.status = "RUNNING"
        execution.start = self._context.clock.now()
        for step in execution.steps:
            if step_results.is_skipped(image, step):
                step.status = "SKIPPED"
        self._continue(image, execution, 0)

    def _continue(self, image: Image, execution: Execution, index: int) -> None:
        for position in range(index, len(execution.steps)):
            step = execution.steps[position]
            if step.status == "PENDING" and workflow_documents.holds(
                step.planned.condition, step_results.values(execution)
            ):
                self._run(image, execution, position)
                return
            step.status = "SKIPPED"
        # A timer, because an execution must not finish inside the call that began it: others of its batch may
        # not have begun.
        self._context.after(0.0, "execution", execution.id, image.epoch)

    def _run(self, image: Image, execution: Execution, position: int) -> None:
        context, step = self._context, execution.steps[position]
        step.status, step.start = "RUNNING", context.clock.now()
        if step.planned.action == "WaitForAction":
            self._emit_waiting(image, execution, step)
            kind, seconds = "timeout", float(step.planned.timeout)
        else:
            kind, seconds = "step", context.behaviour.step_seconds(image, execution, step, context.ids)
        context.after(seconds, kind, execution.id, position, image.epoch)

    def _emit_waiting(self, image: Image, execution: Execution, step: Step) -> None:
        detail = {
            "workflow-execution-id": execution.id,
            "workflow-step-execution-id": step.id,
            "workflow-step-name": step.planned.name,
        }
        resources = [image.arn, execution.workflow.arn]
        data = {"type": WAITING_EVENT, "resources": resources, "detail": detail}
        self._context.emit("event", image.region, data)

    def step_due(self, execution_id: str, position: int, epoch: int) -> None:
        """Finish a step whose time is over."""
        found = self._current(execution_id, epoch)
        if not found:
            return
        image, execution = found
        step = execution.steps[position]
        failure, regions = self._context.behaviour.step_failure(image, execution, step), None
        if failure is None and step.planned.action in DISTRIBUTING:
            regions = self._callbacks.distributed(image)
            failure = Failure(message=regions["errorMessage"]) if regions else None
        if failure:
            self._fail(image, execution, step, failure, regions)
        else:
            self.complete(image, execution, step)

    def step_timed_out(self, execution_id: str, position: int, epoch: int) -> None:
        """Fail a step that has waited for an action in vain."""
        found = self._current(execution_id, epoch)
        if found and found[1].steps[position].status == "RUNNING":
            self._fail(*found, found[1].steps[position], Failure(message="Timed out waiting for an action"))

    def execution_due(self, execution_id: str, epoch: int) -> None:
        """Finish an execution that has run all its steps, or has been rolled back."""
        found = self._current(execution_id, epoch)
        if found:
            status = "ROLLBACK_COMPLETED" if found[1].status == "ROLLBACK_IN_PROGRESS" else "COMPLETED"
            self._end(*found, status)

    def _current(self, execution_id: str, epoch: int) -> tuple[Image, Execution] | None:
        execution = self._context.state.executions.get(execution_id)
        image = self._context.state.images.get(execution.image_arn) if execution else None
        if image is None or execution is None or image.epoch != epoch or execution.ended:
            return None
        return image, execution

    def complete(self, image: Image, execution: Execution, step: Step, outputs: Doc | None = None) -> None:
        """Complete a step and continue with the next.

        :param outputs: the outputs of the step; by default those of its action.
        """
        step.status, step.end = "COMPLETED", self._context.clock.now()
        if step.planned.action == "CreateImage" and execution.workflow.type == "BUILD":
            self._callbacks.created(image)
        if step.planned.action == "ExecuteComponents":
            self._context.log(image, step_results.component_log(image, execution, None))
        step.outputs = outputs or step_results.outputs(image, step)
        self._continue(image, execution, execution.steps.index(step) + 1)

    def stop(self, image: Image, execution: Execution, step: Step, reason: str) -> None:
        """Fail a waiting step, as STOP does."""
        step.outputs = {"action": "STOP", "reason": reason}
        self._fail(image, execution, step, Failure(message=f"Stopped: {reason}"))

    def _fail(
        self,
        image: Image,
        execution: Execution,
        step: Step,
        failure: Failure,
        regions: Doc | None = None,
    ) -> None:
        now = self._context.clock.now()
        step.status, step.end = "FAILED", now
        step.message = step_results.message(image, failure, step)[:500]
        step.outputs = step.outputs or {"error": step.message}
        if step.planned.action == "ExecuteComponents":
            self._context.log(image, step_results.component_log(image, execution, failure))
        if step.planned.on_failure.lower() == "continue":
            self._continue(image, execution, execution.steps.index(step) + 1)
            return
        for later in execution.steps:
            if later.status == "PENDING":
                later.status = guesses.STEPS_AFTER_FAILURE
        execution.message = step.message
        execution.failure = step_results.failure_context(image, execution, step, failure)
        if regions:
            execution.failure["distributionFailure"] = regions
        if failure.rollback:
            execution.status, step.rollback = "ROLLBACK_IN_PROGRESS", "COMPLETED"
            self._context.after(guesses.ROLLBACK_SECONDS, "execution", execution.id, image.epoch)
        else:
            self._end(image, execution, guesses.FAILED_EXECUTION)

    def _end(self, image: Image, execution: Execution, status: str) -> None:
        execution.status, execution.end = status, self._context.clock.now()
        self._callbacks.ended(image, execution)

    def abort(self, execution: Execution, running: str, pending: str) -> None:
        """Finish an execution from outside, if it has not finished.

        :param running: its new status if it had begun.
        :param pending: its new status if it had not begun.
        """
        if execution.ended:
            return
        begun = execution.status != "PENDING"
        execution.status, execution.end = running if begun else pending, self._context.clock.now()
        for step in execution.steps:
            if step.status == "RUNNING":
                step.status, step.end = running, execution.end
            elif step.status == "PENDING":
                step.status = pending if pending == "SKIPPED" else "CANCELLED"

    def waiting(self, params: Doc) -> tuple[Image, Execution, Step]:
        """Find the waiting step of a SendWorkflowStepAction request.

        :raises ApiError: the step does not exist, belongs to another image, or is not waiting.
        """
        found = self._context.state.steps.get(params["stepExecutionId"])
        if not found:
            raise ApiError(
                "ResourceNotFoundException", f"Step '{params['stepExecutionId']}' cannot be found.", 404
            )
        execution, step = found
        if execution.image_arn != params["imageBuildVersionArn"]:
            raise invalid_value("imageBuildVersionArn", f"The step belongs to '{execution.image_arn}'.")
        if step.planned.action != "WaitForAction" or step.status != "RUNNING":
            raise ApiError(guesses.STEP_NOT_WAITING, f"Step '{step.id}' is not waiting for an action.")
        return self._context.state.images[execution.image_arn], execution, step
