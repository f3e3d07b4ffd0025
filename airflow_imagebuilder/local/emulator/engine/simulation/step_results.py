"""The results of steps: outputs, messages, the context of a failure, and lines of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import component_arn

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Execution, Image, Step


def is_skipped(image: Image, step: Step) -> bool:
    """Whether the image does not need a step (User Guide, "Manage image workflows")."""
    action = step.planned.action
    if action == "RunSysPrep":
        return bool(image.doc["platform"] != "Windows")
    if step.planned.name == "ApplyBuildComponents":
        return not image.recipe.get("components")
    scans = image.doc.get("imageScanningConfiguration", {}).get("imageScanningEnabled")
    if action == "CollectImageMetadata":
        return not image.doc["enhancedImageMetadataEnabled"]
    return action == "CollectImageScanFindings" and not scans


def values(execution: Execution) -> Doc:
    """Return what the ``$.`` paths of a workflow document refer to."""
    outputs = {step.planned.name: step.outputs for step in execution.steps}
    return {"parameters": execution.workflow.parameters, "stepOutputs": outputs}


def outputs(image: Image, step: Step) -> Doc:
    """Return the outputs of a step that succeeded."""
    hexadecimal = step.id.replace("-", "")[-17:]
    if step.planned.action == "LaunchInstance":
        return {"instanceId": f"i-{hexadecimal}"}
    if step.planned.action == "CreateImage":
        return {"imageId": image.ami}
    if step.planned.action in ("ExecuteComponents", "RunCommand"):
        return {"runCommandId": step.id.removeprefix("step-"), "status": "Success"}
    return {}


def message(image: Image, failure: Failure, step: Step) -> str:
    """Return the message of a step that failed."""
    if failure.component:
        return f"Document {component_arn(image, failure.component)} failed!"
    return failure.message or f"Step {step.planned.name} failed on demand of the scenario"


def failure_context(image: Image, execution: Execution, step: Step, failure: Failure) -> Doc:
    """Return ``ImageFailureContext`` of the service model."""
    context: Doc = {
        "imageStatus": image.status,
        "workflowExecutionId": execution.id,
        "workflowArn": execution.workflow.arn,
        "stepExecutionId": step.id,
        "failedStep": step.planned.name,
    }
    if failure.component:
        context["componentFailure"] = {
            "componentArn": component_arn(image, failure.component),
            "phaseName": failure.phase or ("test" if execution.workflow.type == "TEST" else "build"),
            "stepName": failure.component_step,
            "action": failure.action,
            "errorMessage": component_error(failure)[:1024],
        }
    return context


def component_error(failure: Failure) -> str:
    """Return the error that a failing component writes."""
    return failure.message or "Command exited with status 1: failed on demand of the scenario"


def component_log(image: Image, execution: Execution, failure: Failure | None) -> list[str]:
    """Return the lines that a step with components writes into the log of the build.

    :param failure: the failure of the step; None if it succeeded.
    """
    phase = "test" if execution.workflow.type == "TEST" else "build"
    lines = [f"Workflow {execution.workflow.name} ({execution.id}): phase {phase}"]
    failing = component_arn(image, failure.component) if failure and failure.component else None
    for item in image.recipe.get("components", ()):
        arn = item["componentArn"]
        lines.append(f"Document {arn}: phase {phase} started")
        if arn == failing and failure:
            lines += [f"Stderr: {component_error(failure)}", f"Document {arn} failed!"]
            return lines
        lines.append(f"Document {arn}: phase {phase} completed")
    if failure and not failing:
        lines.append(f"Stderr: {component_error(failure)}")
    return lines
