"""The operations on workflow executions and their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import identifiers
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.operations import responses
from airflow_imagebuilder.local.emulator.engine.operations.pagination import page, paged

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.operations.images.images import Images
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Execution, Step


class WorkflowExecutions:
    """The executions and steps of every region.

    :param context: state and behaviour of the engine.
    :param images: the images that they belong to.
    """

    def __init__(self, context: SimulationContext, images: Images) -> None:
        self._context = context
        self._images = images

    def list_executions(self, params: Doc, region: str) -> Doc:
        """ListWorkflowExecutions; ``message`` is why the image failed."""
        image = self._images.find(params["imageBuildVersionArn"], region)
        answer = paged("workflowExecutions", image.executions, params, responses.execution_metadata)
        answer["imageBuildVersionArn"] = image.arn
        reason = image.doc["state"].get("reason")
        return {**answer, "message": reason[:500]} if reason else answer

    def _execution(self, params: Doc, region: str) -> Execution:
        execution = self._context.state.executions.get(params["workflowExecutionId"])
        if execution is None or identifiers.parse(execution.image_arn).region != region:
            raise _missing(params["workflowExecutionId"])
        return execution

    def get_execution(self, params: Doc, region: str) -> Doc:
        """GetWorkflowExecution."""
        execution = self._execution(params, region)
        doc = {**responses.execution_metadata(execution), "imageBuildVersionArn": execution.image_arn}
        doc.pop("retried", None)
        return doc

    def list_steps(self, params: Doc, region: str) -> Doc:
        """ListWorkflowStepExecutions."""
        execution = self._execution(params, region)
        return {
            **paged("steps", execution.steps, params, responses.step_metadata),
            "workflowBuildVersionArn": execution.workflow.arn,
            "workflowExecutionId": execution.id,
            "imageBuildVersionArn": execution.image_arn,
            "message": execution.message[:500],
        }

    def get_step(self, params: Doc, region: str) -> Doc:
        """GetWorkflowStepExecution."""
        return responses.step_detail(*self._step(params["stepExecutionId"], region))

    def _step(self, identifier: str, region: str) -> tuple[Execution, Step]:
        found = self._context.state.steps.get(identifier)
        if not found or identifiers.parse(found[0].image_arn).region != region:
            raise _missing(identifier)
        return found

    def list_waiting(self, params: Doc, region: str) -> Doc:
        """ListWaitingWorkflowSteps: the waiting steps of every image in the region."""
        head = f":{region}:"
        return page(
            "steps",
            self._context.state.waiting,
            params,
            lambda found: responses.waiting_step(*found),
            passes=lambda found: head in found[0].image_arn,
        )

    def send_action(self, params: Doc, region: str) -> Doc:
        """SendWorkflowStepAction: RESUME completes a waiting step, STOP fails it."""
        self._step(params["stepExecutionId"], region)
        executions = self._images.lifecycle.runner
        image, execution, step = executions.waiting(params)
        reason = params.get("reason", "")
        if params["action"] == "STOP":
            executions.stop(image, execution, step, reason)
        else:
            executions.complete(image, execution, step, {"action": "RESUME", "reason": reason})
        return {"stepExecutionId": step.id, "imageBuildVersionArn": image.arn}


def _missing(identifier: str) -> ApiError:
    return ApiError("ResourceNotFoundException", f"'{identifier}' cannot be found.", 404)
