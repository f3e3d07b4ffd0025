"""WorkflowRunner: runs workflow executions, one step after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_imagebuilder.local.emulator.documents import conditions, paths
from airflow_imagebuilder.local.emulator.documents.step_actions import STEP_ACTIONS
from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value
from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure
from airflow_imagebuilder.local.emulator.engine.simulation.workflows import launches, step_results
from airflow_imagebuilder.local.emulator.engine.state import Execution, Image, PlannedWorkflow, Step

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc

WAITING_EVENT = "EC2 Image Builder Workflow Step Waiting"
DISTRIBUTING = frozenset(
    {"DistributeImage", "ModifyImageAttributes", "ApplyImageConfigurations", "DistributeContainerImage"}
)
MAKING_AMI = frozenset({"CreateImage", "RegisterImage", "CreateImageFromIso"})


class Callbacks(Protocol):
    """What the runner calls while it runs the workflows of an image."""

    def created(self, image: Image) -> None:
        """Make the AMI: the build workflow has run its CreateImage step."""

    def distributed(self, image: Image, step: Step) -> tuple[Doc, Doc | None]:
        """Carry out a step of a distribution workflow.

        :return: the outputs of the step, and ``distributionFailure`` if a region failed.
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
        steps = [Step(context.ids.step(), step, inputs=step.inputs) for step in planned.document.steps]
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
            step.unneeded = step_results.is_needless(image, execution, step)
        self._continue(image, execution, 0)

    def _continue(self, image: Image, execution: Execution, index: int) -> None:
        """Run the next step that is not skipped; finish the execution after the last one."""
        now = self._context.clock.now()
        for position in range(index, len(execution.steps)):
            step = execution.steps[position]
            values = step_results.values(image, execution)
            if not step.unneeded and conditions.holds(step.planned.condition, values):
                self._run(image, execution, position)
                return
            step.status, step.start, step.end = "SKIPPED", now, now
        # A timer, because an execution must not finish inside the call that began it: others of its batch may
        # not have begun.
        self._context.after(0.0, "execution", execution.id, image.epoch)

    def _run(self, image: Image, execution: Execution, position: int) -> None:
        context, step = self._context, execution.steps[position]
        step.status, step.start = "RUNNING", context.clock.now()
        try:
            step.inputs = paths.resolve(step.planned.inputs, step_results.values(image, execution))
        except paths.UnresolvedError as error:
            context.after(0.0, "refused", execution.id, position, image.epoch, str(error))
            return
        if why := step_results.refusal(image, step) or launches.refusal(image, step, context.world):
            context.after(0.0, "refused", execution.id, position, image.epoch, why)
            return
        limit = float(step.planned.timeout)
        if step.planned.action == "WaitForAction":
            context.state.waiting[step.id] = execution, step
            self._announce(image, execution, step)
            seconds = limit
        else:
            seconds = context.behaviour.step_seconds(image, execution, step, context.ids)
        kind = "step" if seconds < limit else "timeout"
        context.after(min(seconds, limit), kind, execution.id, position, image.epoch)

    def _announce(self, image: Image, execution: Execution, step: Step) -> None:
        """Notify EventBridge, and the topic and the function of the step, that it waits."""
        self._emit_waiting(image, execution, step)
        message: Doc = {
            "workflowStepExecutionId": step.id,
            "imageArn": image.arn,
            "stepOutputs": {other.planned.name: other.outputs for other in execution.steps if other.outputs},
        }
        if "payload" in step.inputs:
            message["customPayload"] = step.inputs["payload"]
        if topic := step.inputs.get("snsTopicArn"):
            self._context.emit("notification", image.region, {"topic": topic, "message": message})
        if function := step.inputs.get("lambdaFunctionName"):
            self._context.emit("function", image.region, {"name": function, "event": message})

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
        outputs: Doc | None = None
        if failure is None and step.planned.action in DISTRIBUTING:
            outputs, regions = self._callbacks.distributed(image, step)
            failure = Failure(message=regions["errorMessage"]) if regions else None
        if failure:
            self._fail(image, execution, step, failure, regions)
        else:
            self.complete(image, execution, step, outputs)

    def step_timed_out(self, execution_id: str, position: int, epoch: int) -> None:
        """Fail a step that has run, or has waited for an action, as long as it may."""
        found = self._current(execution_id, epoch)
        if found and found[1].steps[position].status == "RUNNING":
            step = found[1].steps[position]
            self._fail(*found, step, Failure(message=f"Step {step.planned.name} timed out"))

    def step_refused(self, execution_id: str, position: int, epoch: int, why: str) -> None:
        """Fail a step whose inputs have no value, or do not suit it."""
        found = self._current(execution_id, epoch)
        if found:
            self._fail(*found, found[1].steps[position], Failure(message=why))

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
        self._context.state.waiting.pop(step.id, None)
        step.status, step.end = "COMPLETED", self._context.clock.now()
        if step.planned.action in MAKING_AMI and execution.workflow.type == "BUILD":
            self._callbacks.created(image)
        if step.planned.action == "TerminateInstance":
            image.terminated.add(str(step.inputs.get("instanceId")))
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
        self._context.state.waiting.pop(step.id, None)
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
        self._undo(image, execution)
        execution.message = step.message
        execution.failure = step_results.failure_context(image, execution, step, failure)
        if regions:
            execution.failure["distributionFailure"] = regions
        if failure.rollback:
            execution.status, step.rollback = "ROLLBACK_IN_PROGRESS", "COMPLETED"
            self._context.after(guesses.ROLLBACK_SECONDS, "execution", execution.id, image.epoch)
        else:
            self._end(image, execution, guesses.FAILED_EXECUTION)

    def _undo(self, image: Image, execution: Execution) -> None:
        """Undo the steps that have an effect outside, as far as the document wants it."""
        values = step_results.values(image, execution)
        for step in reversed(execution.steps):
            if step.status in ("COMPLETED", "FAILED") and STEP_ACTIONS[step.planned.action].undone:
                wanted = step.planned.rollback
                if isinstance(wanted, str):
                    wanted = conditions.holds({"booleanEquals": True, "value": wanted}, values)
                step.rollback = "COMPLETED" if wanted else "SKIPPED"

    def _end(self, image: Image, execution: Execution, status: str) -> None:
        execution.status, execution.end = status, self._context.clock.now()
        if status == "COMPLETED":
            image.outputs |= step_results.workflow_outputs(image, execution)
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
            self._context.state.waiting.pop(step.id, None)
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
        image = self._context.state.images[execution.image_arn]
        if step.id not in self._context.state.waiting or image.cancelling:
            raise ApiError(guesses.STEP_NOT_WAITING, f"Step '{step.id}' is not waiting for an action.")
        return image, execution, step
