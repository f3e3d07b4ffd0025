"""The operations on workflow executions, their steps, and scan findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import identifiers as names
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.operations import responses as views
from airflow_imagebuilder.local.emulator.engine.operations.pagination import paged

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.operations.images import Images
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Execution


class WorkflowExecutions:
    """Executions and steps of every region.

    :param core: what the engine holds on to.
    :param images: whose executions they are.
    """

    def __init__(self, core: SimulationContext, images: Images) -> None:
        self._core = core
        self._images = images

    def list_executions(self, params: Doc, region: str) -> Doc:
        """ListWorkflowExecutions; the message is the image's reason of failure."""
        image = self._images.find(params["imageBuildVersionArn"], region)
        answer = paged("workflowExecutions", image.executions, params, views.execution)
        answer["imageBuildVersionArn"] = image.arn
        reason = image.doc["state"].get("reason")
        return {**answer, "message": reason[:500]} if reason else answer

    def _execution(self, params: Doc, region: str) -> Execution:
        run = self._core.state.executions.get(params["workflowExecutionId"])
        if run is None or names.parse(run.image_arn).region != region:
            raise _missing(params["workflowExecutionId"])
        return run

    def get_execution(self, params: Doc, region: str) -> Doc:
        """GetWorkflowExecution."""
        run = self._execution(params, region)
        doc = {**views.execution(run), "imageBuildVersionArn": run.image_arn}
        doc.pop("retried", None)
        return doc

    def list_steps(self, params: Doc, region: str) -> Doc:
        """ListWorkflowStepExecutions."""
        run = self._execution(params, region)
        return {
            **paged("steps", run.steps, params, views.step),
            "workflowBuildVersionArn": run.workflow.arn,
            "workflowExecutionId": run.id,
            "imageBuildVersionArn": run.image_arn,
            "message": run.message[:500],
        }

    def get_step(self, params: Doc, region: str) -> Doc:
        """GetWorkflowStepExecution."""
        found = self._core.state.steps.get(params["stepExecutionId"])
        if not found or names.parse(found[0].image_arn).region != region:
            raise _missing(params["stepExecutionId"])
        return views.step_detail(*found)

    def list_waiting(self, params: Doc, region: str) -> Doc:
        """ListWaitingWorkflowSteps: of every image in the region."""
        images = [i for i in self._core.state.images.values() if i.region == region and not i.ended]
        waiting = [
            views.waiting_step(run, step)
            for image in images
            for run in image.executions
            for step in run.steps
            if step.status == "RUNNING" and step.planned.action == "WaitForAction"
        ]
        return paged("steps", waiting, params)

    def send_action(self, params: Doc, _region: str) -> Doc:
        """SendWorkflowStepAction: RESUME completes a waiting step, STOP fails it."""
        executions = self._images.life.executions
        image, run, step = executions.waiting(params)
        reason = params.get("reason", "")
        if params["action"] == "STOP":
            executions.stop(image, run, step, reason)
        else:
            executions.complete(image, run, step, {"action": "RESUME", "reason": reason})
        return {"stepExecutionId": step.id, "imageBuildVersionArn": image.arn}

    def list_findings(self, params: Doc, region: str) -> Doc:
        """ListImageScanFindingAggregations: the counts of the scenario, for each scanned image.

        Without a filter the answer is one count for the account, as the API reference tells.
        """
        scanned = [
            image
            for image in self._core.state.images.values()
            if image.region == region and image.doc.get("scanState", {}).get("status") == "COMPLETED"
        ]
        given = params.get("filter")
        if not given:
            account = {"accountId": names.ACCOUNT, "severityCounts": self._counts(len(scanned))}
            answer = paged("responses", [{"accountAggregation": account}], params)
            return {**answer, "aggregationType": "accountId"}
        images = [image for image in scanned if image.arn in given.get("values", ())]
        found = [
            {"imageAggregation": {"imageBuildVersionArn": image.arn, "severityCounts": self._counts(1)}}
            for image in images
        ]
        return {**paged("responses", found, params), "aggregationType": given.get("name", "")}

    def _counts(self, images: int) -> Doc:
        given = self._core.profile.findings
        counts = {key: images * given.get(key, 0) for key in ("critical", "high", "medium")}
        return {"all": sum(counts.values()), **counts}


def _missing(identifier: str) -> ApiError:
    return ApiError("ResourceNotFoundException", f"'{identifier}' cannot be found.", 404)
