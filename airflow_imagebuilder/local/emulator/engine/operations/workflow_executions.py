"""The operations on workflow executions, their steps, and scan findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import identifiers
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.operations import responses
from airflow_imagebuilder.local.emulator.engine.operations.pagination import paged

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.operations.images import Images
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Execution


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
        found = self._context.state.steps.get(params["stepExecutionId"])
        if not found or identifiers.parse(found[0].image_arn).region != region:
            raise _missing(params["stepExecutionId"])
        return responses.step_detail(*found)

    def list_waiting(self, params: Doc, region: str) -> Doc:
        """ListWaitingWorkflowSteps: the waiting steps of every image in the region."""
        images = [i for i in self._context.state.images.values() if i.region == region and not i.ended]
        waiting = [
            responses.waiting_step(execution, step)
            for image in images
            for execution in image.executions
            for step in execution.steps
            if step.status == "RUNNING" and step.planned.action == "WaitForAction"
        ]
        return paged("steps", waiting, params)

    def send_action(self, params: Doc, _region: str) -> Doc:
        """SendWorkflowStepAction: RESUME completes a waiting step, STOP fails it."""
        executions = self._images.lifecycle.runner
        image, execution, step = executions.waiting(params)
        reason = params.get("reason", "")
        if params["action"] == "STOP":
            executions.stop(image, execution, step, reason)
        else:
            executions.complete(image, execution, step, {"action": "RESUME", "reason": reason})
        return {"stepExecutionId": step.id, "imageBuildVersionArn": image.arn}

    def list_findings(self, params: Doc, region: str) -> Doc:
        """ListImageScanFindingAggregations: the findings of the scenario, for each scanned image.

        Without a filter the answer is one count for the account (API reference,
        ListImageScanFindingAggregations).
        """
        scanned = [
            image
            for image in self._context.state.images.values()
            if image.region == region and image.doc.get("scanState", {}).get("status") == "COMPLETED"
        ]
        counts, given = self._context.behaviour.finding_counts, params.get("filter")
        if not given:
            account = {"accountId": identifiers.ACCOUNT, "severityCounts": counts(len(scanned))}
            answer = paged("responses", [{"accountAggregation": account}], params)
            return {**answer, "aggregationType": "accountId"}
        images = [image for image in scanned if image.arn in given.get("values", ())]
        found = [
            {"imageAggregation": {"imageBuildVersionArn": image.arn, "severityCounts": counts()}}
            for image in images
        ]
        return {**paged("responses", found, params), "aggregationType": given.get("name", "")}


def _missing(identifier: str) -> ApiError:
    return ApiError("ResourceNotFoundException", f"'{identifier}' cannot be found.", 404)
