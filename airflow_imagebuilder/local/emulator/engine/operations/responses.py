"""Executions, steps and images in the shapes of the service model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.operations.pagination import pick
from airflow_imagebuilder.local.emulator.engine.operations.resources.resource_types import RESOURCE_TYPES

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Execution, Image, Step

_HIDDEN = {resource_type.segment: resource_type.hidden for resource_type in RESOURCE_TYPES}


def visible(doc: Doc) -> Doc:
    """Return the members of a resource that Get shows, also inside of an image."""
    hidden = _HIDDEN.get(doc["arn"].split(":")[5].split("/")[0], frozenset()) if "arn" in doc else frozenset()
    return {key: value for key, value in doc.items() if key not in hidden}


def image_summary(image: Image) -> Doc:
    """Return an image as ``ImageSummary``."""
    return summary_of(image.doc, image.account)


def summary_of(doc: Doc, owner: str) -> Doc:
    """Return an ``Image`` as ``ImageSummary``."""
    members = (
        *("arn", "name", "type", "version", "platform", "osVersion", "state", "dateCreated"),
        *("outputResources", "tags", "buildType", "imageSource", "loggingConfiguration", "deprecationTime"),
        "lifecycleExecutionId",
    )
    return {**pick(doc, members), "owner": owner}


def image_version(image: Image) -> Doc:
    """Return an image as ``ImageVersion``."""
    return version_of(image.doc, image.account)


def version_of(doc: Doc, owner: str) -> Doc:
    """Return an ``Image`` as ``ImageVersion``."""
    members = ("name", "type", "platform", "osVersion", "dateCreated", "buildType", "imageSource")
    return {
        **pick(doc, members),
        "arn": doc["arn"].rpartition("/")[0],
        "version": doc["version"].split("/")[0],
        "owner": owner,
    }


def execution_metadata(execution: Execution) -> Doc:
    """Return an execution as ``WorkflowExecutionMetadata``."""
    doc: Doc = {
        "workflowBuildVersionArn": execution.workflow.arn,
        "workflowExecutionId": execution.id,
        "type": execution.workflow.type,
        "status": execution.status,
        "message": execution.message[:500],
        "totalStepCount": len(execution.steps),
        "totalStepsSucceeded": execution.count("COMPLETED"),
        "totalStepsFailed": execution.count("FAILED"),
        "totalStepsSkipped": execution.count("SKIPPED"),
    }
    _stamp(doc, execution.start, execution.end)
    if execution.workflow.group:
        doc["parallelGroup"] = execution.workflow.group
    if execution.retried:
        doc["retried"] = True
    return doc


def _stamp(doc: Doc, start: float | None, end: float | None) -> None:
    if start is not None:
        doc["startTime"] = iso(start)
    if end is not None:
        doc["endTime"] = iso(end)


def step_metadata(step: Step) -> Doc:
    """Return a step as ``WorkflowStepMetadata``."""
    waits = step.planned.action == "WaitForAction" and step.status == "RUNNING"
    doc: Doc = {
        "stepExecutionId": step.id,
        "name": step.planned.name,
        "action": step.planned.action,
        "status": guesses.WAITING_STEP if waits else step.status,
        "inputs": _dumped(step.inputs),
        "attemptNumber": 1,
        "maxAttempts": 1,
    }
    # AWS's examples have neither member where there is nothing to say.
    if step.message:
        doc["message"] = step.message
    if step.outputs:
        doc["outputs"] = _dumped(step.outputs)
    if step.planned.description:
        doc["description"] = step.planned.description
    if step.rollback:
        doc["rollbackStatus"] = step.rollback
    _stamp(doc, step.start, step.end)
    return doc


def step_detail(execution: Execution, step: Step) -> Doc:
    """Return a step as ``GetWorkflowStepExecutionResponse``."""
    return {
        **step_metadata(step),
        "workflowBuildVersionArn": execution.workflow.arn,
        "workflowExecutionId": execution.id,
        "imageBuildVersionArn": execution.image_arn,
        "onFailure": step.planned.on_failure,
        "timeoutSeconds": step.planned.timeout,
    }


def waiting_step(execution: Execution, step: Step) -> Doc:
    """Return a waiting step as ``WorkflowStepExecution``."""
    doc: Doc = {
        "stepExecutionId": step.id,
        "imageBuildVersionArn": execution.image_arn,
        "workflowExecutionId": execution.id,
        "workflowBuildVersionArn": execution.workflow.arn,
        "name": step.planned.name,
        "action": step.planned.action,
    }
    _stamp(doc, step.start, None)
    return doc


def _dumped(value: Doc) -> str:
    """Write inputs or outputs of a step, which the model has as JSON in a string."""
    return json.dumps(value)
