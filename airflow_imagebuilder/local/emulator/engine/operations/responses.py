"""Executions, steps and images in the shapes that the answers have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import identifiers as names
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.operations.pagination import pick
from airflow_imagebuilder.local.emulator.engine.operations.resource_types import RESOURCE_TYPES

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Execution, Image, Step

_HIDDEN = {kind.segment: kind.hidden for kind in RESOURCE_TYPES}


def shown(doc: Doc) -> Doc:
    """A document as Get shows it, also inside of an image."""
    hidden = _HIDDEN.get(doc["arn"].split(":")[5].split("/")[0], frozenset()) if "arn" in doc else frozenset()
    return {key: value for key, value in doc.items() if key not in hidden}


def image_summary(image: Image) -> Doc:
    """``ImageSummary``."""
    members = (
        *("arn", "name", "type", "version", "platform", "osVersion", "state", "dateCreated"),
        *("outputResources", "tags", "buildType", "imageSource", "loggingConfiguration"),
    )
    return {**pick(image.doc, members), "owner": names.ACCOUNT}


def image_version(image: Image) -> Doc:
    """``ImageVersion``."""
    members = ("name", "type", "platform", "osVersion", "dateCreated", "buildType", "imageSource")
    return {
        **pick(image.doc, members),
        "arn": image.arn.rpartition("/")[0],
        "version": image.doc["version"].split("/")[0],
        "owner": names.ACCOUNT,
    }


def execution(found: Execution) -> Doc:
    """``WorkflowExecutionMetadata``."""
    doc: Doc = {
        "workflowBuildVersionArn": found.workflow.arn,
        "workflowExecutionId": found.id,
        "type": found.workflow.type,
        "status": found.status,
        "message": found.message[:500],
        "totalStepCount": len(found.steps),
        "totalStepsSucceeded": found.count("COMPLETED"),
        "totalStepsFailed": found.count("FAILED"),
        "totalStepsSkipped": found.count("SKIPPED"),
    }
    _stamp(doc, found.start, found.end)
    if found.workflow.group:
        doc["parallelGroup"] = found.workflow.group
    if found.retried:
        doc["retried"] = True
    return doc


def _stamp(doc: Doc, start: float | None, end: float | None) -> None:
    if start is not None:
        doc["startTime"] = iso(start)
    if end is not None:
        doc["endTime"] = iso(end)


def step(found: Step) -> Doc:
    """``WorkflowStepMetadata``."""
    doc: Doc = {
        "stepExecutionId": found.id,
        "name": found.planned.name,
        "action": found.planned.action,
        "status": found.status,
        "message": found.message,
        "inputs": _dumped(found.planned.inputs),
        "outputs": _dumped(found.outputs),
        "attemptNumber": 1,
        "maxAttempts": 1,
    }
    if found.planned.description:
        doc["description"] = found.planned.description
    if found.rollback:
        doc["rollbackStatus"] = found.rollback
    _stamp(doc, found.start, found.end)
    return doc


def step_detail(run: Execution, found: Step) -> Doc:
    """``GetWorkflowStepExecutionResponse``."""
    return {
        **step(found),
        "workflowBuildVersionArn": run.workflow.arn,
        "workflowExecutionId": run.id,
        "imageBuildVersionArn": run.image_arn,
        "onFailure": found.planned.on_failure,
        "timeoutSeconds": found.planned.timeout,
    }


def waiting_step(run: Execution, found: Step) -> Doc:
    """``WorkflowStepExecution``."""
    doc: Doc = {
        "stepExecutionId": found.id,
        "imageBuildVersionArn": run.image_arn,
        "workflowExecutionId": run.id,
        "workflowBuildVersionArn": run.workflow.arn,
        "name": found.planned.name,
        "action": found.planned.action,
    }
    _stamp(doc, found.start, None)
    return doc


def _dumped(value: Doc) -> str:
    """Inputs and outputs of a step are JSON in a string."""
    return json.dumps(value, separators=(",", ":"))
