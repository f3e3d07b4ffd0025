"""Workflow executions and their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value
from airflow_imagebuilder.local.emulator.engine.simulation import step_results as telling
from airflow_imagebuilder.local.emulator.engine.simulation import workflow_documents as plans
from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure
from airflow_imagebuilder.local.emulator.engine.state import Execution, Image, PlannedWorkflow, Step

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc

WAITING_EVENT = "EC2 Image Builder Workflow Step Waiting"
DISTRIBUTING = frozenset({"DistributeImage", "DistributeContainerImage"})


class Hooks(Protocol):
    """What the life cycle of an image wants to be told."""

    def created(self, image: Image) -> None:
        """The build workflow has come to the point where it makes the AMI."""

    def distributed(self, image: Image) -> Doc | None:
        """A distribution workflow has come to its end; the answer is its ``distributionFailure``, if any."""

    def ended(self, image: Image, execution: Execution) -> None:
        """An execution has ended by itself."""


class WorkflowRunner:
    """Runs executions, one step after another.

    :param core: what the engine holds on to.
    :param hooks: who is told what happens.
    """

    def __init__(self, core: SimulationContext, hooks: Hooks) -> None:
        self._core = core
        self._hooks = hooks

    def add(self, image: Image, planned: PlannedWorkflow) -> Execution:
        """Record an execution that has not begun."""
        core = self._core
        steps = [Step(core.ids.step(), step) for step in planned.steps]
        execution = Execution(core.ids.execution(), image.arn, planned, steps)
        image.executions.append(execution)
        core.state.executions[execution.id] = execution
        core.state.steps.update({step.id: (execution, step) for step in steps})
        return execution

    def begin(self, image: Image, execution: Execution) -> None:
        """Start an execution."""
        execution.status = "RUNNING"
        execution.start = self._core.clock.now()
        for step in execution.steps:
            if telling.left_out(image, step):
                step.status = "SKIPPED"
        self._go_on(image, execution, 0)

    def _go_on(self, image: Image, execution: Execution, index: int) -> None:
        for position in range(index, len(execution.steps)):
            step = execution.steps[position]
            if step.status == "PENDING" and plans.holds(step.planned.condition, telling.values(execution)):
                self._run(image, execution, position)
                return
            step.status = "SKIPPED"
        # An execution never ends inside the call that began it: its siblings may not have begun yet.
        self._core.after(0.0, "execution", execution.id, image.epoch)

    def _run(self, image: Image, execution: Execution, position: int) -> None:
        core, step = self._core, execution.steps[position]
        step.status, step.start = "RUNNING", core.clock.now()
        kind, seconds = "step", core.profile.step_seconds(image, execution, step, core.ids)
        if step.planned.action == "WaitForAction":
            kind, seconds = "expired", float(step.planned.timeout)
            detail = {
                "workflow-execution-id": execution.id,
                "workflow-step-execution-id": step.id,
                "workflow-step-name": step.planned.name,
            }
            resources = [image.arn, execution.workflow.arn]
            core.emit(
                "event", image.region, {"type": WAITING_EVENT, "resources": resources, "detail": detail}
            )
        core.after(seconds, kind, execution.id, position, image.epoch)

    def step_due(self, execution_id: str, position: int, epoch: int) -> None:
        """A step has taken its time."""
        found = self._current(execution_id, epoch)
        if not found:
            return
        image, execution = found
        step = execution.steps[position]
        failure = self._core.profile.step_failure(image, execution, step)
        if failure:
            self._fail(image, execution, step, failure)
            return
        regions = self._hooks.distributed(image) if step.planned.action in DISTRIBUTING else None
        if regions:
            self._fail(image, execution, step, Failure(message=regions["errorMessage"]), regions)
        else:
            self.complete(image, execution, step)

    def expired(self, execution_id: str, position: int, epoch: int) -> None:
        """Nobody has answered a step that waits."""
        found = self._current(execution_id, epoch)
        if found and found[1].steps[position].status == "RUNNING":
            self._fail(*found, found[1].steps[position], Failure(message="Timed out waiting for an action"))

    def execution_due(self, execution_id: str, epoch: int) -> None:
        """An execution has no more steps, or has been rolled back."""
        found = self._current(execution_id, epoch)
        if found:
            status = "ROLLBACK_COMPLETED" if found[1].status == "ROLLBACK_IN_PROGRESS" else "COMPLETED"
            self._end(*found, status)

    def _current(self, execution_id: str, epoch: int) -> tuple[Image, Execution] | None:
        execution = self._core.state.executions.get(execution_id)
        image = self._core.state.images.get(execution.image_arn) if execution else None
        if image is None or execution is None or image.epoch != epoch or execution.ended:
            return None
        return image, execution

    def complete(self, image: Image, execution: Execution, step: Step, outputs: Doc | None = None) -> None:
        """End a step well and go on with the next."""
        step.status, step.end = "COMPLETED", self._core.clock.now()
        if step.planned.action == "CreateImage" and execution.workflow.type == "BUILD":
            self._hooks.created(image)
        if step.planned.action == "ExecuteComponents":
            self._core.log(image, telling.component_log(image, execution, None))
        step.outputs = outputs or telling.outputs(image, step)
        self._go_on(image, execution, execution.steps.index(step) + 1)

    def stop(self, image: Image, execution: Execution, step: Step, reason: str) -> None:
        """Fail a step that waits, as STOP does."""
        step.outputs = {"action": "STOP", "reason": reason}
        self._fail(image, execution, step, Failure(message=f"Stopped: {reason}"))

    def _fail(
        self, image: Image, execution: Execution, step: Step, failure: Failure, regions: Doc | None = None
    ) -> None:
        now = self._core.clock.now()
        step.status, step.end = "FAILED", now
        step.message = telling.message(image, failure, step)[:500]
        step.outputs = step.outputs or {"error": step.message}
        if step.planned.action == "ExecuteComponents":
            self._core.log(image, telling.component_log(image, execution, failure))
        if step.planned.on_failure.lower() == "continue":
            self._go_on(image, execution, execution.steps.index(step) + 1)
            return
        for later in execution.steps:
            if later.status == "PENDING":
                later.status = guesses.STEPS_AFTER_FAILURE
        execution.message = step.message
        execution.failure = telling.context(image, execution, step, failure)
        if regions:
            execution.failure["distributionFailure"] = regions
        if failure.rollback:
            execution.status, step.rollback = "ROLLBACK_IN_PROGRESS", "COMPLETED"
            self._core.after(guesses.ROLLBACK_SECONDS, "execution", execution.id, image.epoch)
        else:
            self._end(image, execution, guesses.FAILED_EXECUTION)

    def _end(self, image: Image, execution: Execution, status: str) -> None:
        execution.status, execution.end = status, self._core.clock.now()
        self._hooks.ended(image, execution)

    def drop(self, execution: Execution, running: str, pending: str) -> None:
        """End an execution from outside.

        :param running: the status that one takes which had begun.
        :param pending: the status that one takes which had not.
        """
        if execution.ended:
            return
        begun = execution.status != "PENDING"
        execution.status, execution.end = running if begun else pending, self._core.clock.now()
        for step in execution.steps:
            if step.status == "RUNNING":
                step.status, step.end = running, execution.end
            elif step.status == "PENDING":
                step.status = pending if pending == "SKIPPED" else "CANCELLED"

    def waiting(self, params: Doc) -> tuple[Image, Execution, Step]:
        """The waiting step that SendWorkflowStepAction means.

        :raises ApiError: if there is no such step, it belongs to another image, or it does not wait.
        """
        found = self._core.state.steps.get(params["stepExecutionId"])
        if not found:
            raise ApiError(
                "ResourceNotFoundException", f"Step '{params['stepExecutionId']}' cannot be found.", 404
            )
        execution, step = found
        if execution.image_arn != params["imageBuildVersionArn"]:
            raise invalid_value("imageBuildVersionArn", f"The step belongs to '{execution.image_arn}'.")
        if step.planned.action != "WaitForAction" or step.status != "RUNNING":
            raise ApiError(guesses.STEP_NOT_WAITING, f"Step '{step.id}' is not waiting for an action.")
        return self._core.state.images[execution.image_arn], execution, step
