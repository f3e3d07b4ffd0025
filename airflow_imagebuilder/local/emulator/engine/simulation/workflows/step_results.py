"""The results of steps: outputs, messages, the context of a failure, and lines of the log."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.documents import conditions, paths
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import component_arn

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Execution, Image, Step


def is_needless(image: Image, execution: Execution, step: Step) -> bool:
    """Whether a step will be skipped, as far as that is known before its workflow begins."""
    if step.planned.action == "ExecuteComponents" and not image.recipe.get("components"):
        return True
    later = ("stepOutputs", "workflowOutputs")
    condition = step.planned.condition
    known = condition is not None and not any(
        paths.parts(path)[0] in later for path in conditions.references(condition)
    )
    return known and not conditions.holds(condition, values(image, execution))


def values(image: Image, execution: Execution) -> Doc:
    """Return what the ``$.`` paths of a workflow document refer to."""
    return {
        "parameters": execution.workflow.parameters,
        "stepOutputs": {step.planned.name: step.outputs for step in execution.steps},
        "workflowOutputs": image.outputs,
        "imagebuilder": system_variables(image, execution),
    }


def system_variables(image: Image, execution: Execution) -> Doc:
    """Return ``$.imagebuilder`` (User Guide, "Use Image Builder system variables")."""
    version, build = image.doc["version"].split("/")
    infrastructure = image.infrastructure
    scanning = image.doc.get("imageScanningConfiguration", {})
    found = {
        "cloudWatchLogGroup": log_group(image),
        "cloudWatchLogStream": image.doc["version"],
        "collectImageMetadata": image.doc["enhancedImageMetadataEnabled"],
        "collectImageScanFindings": bool(scanning.get("imageScanningEnabled")),
        "dateTime": iso(image.created),
        "imageBuildNumber": int(build),
        "imageId": image.parent,
        "imageName": image.doc["name"],
        "imageType": image.doc["type"],
        "imageVersionNumber": version,
        "instanceProfileName": infrastructure.get("instanceProfileName"),
        "platform": {"macOS": "MacOS"}.get(image.doc["platform"], image.doc["platform"]),
        "s3Logs": infrastructure.get("logging", {}).get("s3Logs"),
        "securityGroups": infrastructure.get("securityGroupIds"),
        "sourceImageARN": image.arn,
        "subnetId": infrastructure.get("subnetId"),
        "terminateInstanceOnFailure": infrastructure.get("terminateInstanceOnFailure", True),
        "workflowPhase": execution.workflow.type.capitalize(),
        "workingDirectory": image.recipe.get("workingDirectory") or working_directory(image),
    }
    return {name: value for name, value in found.items() if value is not None}


def working_directory(image: Image) -> str:
    """Return the working directory of a recipe without one (API reference, CreateImageRecipe)."""
    return "C:/" if image.doc["platform"] == "Windows" else "/tmp"  # noqa: S108  (AWS's value)


def log_group(image: Image) -> str:
    """Return the log group of a build."""
    given = image.doc.get("loggingConfiguration", {}).get("logGroupName")
    return given or f"/aws/imagebuilder/{image.doc['name']}"


def outputs(image: Image, step: Step) -> Doc:
    """Return the outputs of a step that succeeded."""
    hexadecimal = step.id.replace("-", "")[-17:]
    name = step.id.removeprefix("step-")
    ran = {"runCommandId": name, "status": "Success", "output": ""}
    made = {"imageId": image.ami}
    by_action: dict[str, Doc] = {
        "LaunchInstance": {"instanceId": f"i-{hexadecimal}", "instanceType": _instance_type(image, step)},
        "CreateImage": made,
        "RegisterImage": made,
        "CreateImageFromIso": {
            "amiName": f"{image.doc['name']} {iso(image.created)}",
            "snapshotId": f"snap-{hexadecimal}",
            "architecture": image.architecture,
        },
        "CollectImageMetadata": {"osVersion": image.doc.get("osVersion", ""), "associationId": name},
        "ExecuteStateMachine": {"executionArn": _state_machine_execution(step, name), "output": "{}"},
        "RunCommand": {**ran, "output": [""]},
        "WaitForSSMAgent": {"status": "Success"},
        "TerminateInstance": {},
    }
    return by_action.get(step.planned.action, ran)


def _state_machine_execution(step: Step, name: str) -> str:
    return str(step.inputs.get("stateMachineArn", "")).replace(":stateMachine:", ":execution:") + f":{name}"


def _instance_type(image: Image, step: Step) -> str:
    given = step.inputs.get("instanceTypesOverride") or image.infrastructure.get("instanceTypes")
    return str(given[0]) if isinstance(given, list) and given else "m5.large"


def refusal(image: Image, step: Step) -> str | None:
    """Return why a step cannot run; None if it can."""
    action, platform = step.planned.action, image.doc["platform"]
    instance = step.inputs.get("instanceId")
    if isinstance(instance, str) and instance.startswith("$."):
        # Guide, "Use dynamic variables": without .$ at the name of the input, a path is only text.
        return f"InvalidInstanceId: '{instance}' is a text; write 'instanceId.$' for a path"
    if instance in image.terminated and action != "TerminateInstance":
        return f"InvalidInstanceId: Instances [[{instance}]] not in a valid state for account"
    if action == "RunSysPrep" and platform != "Windows":
        return f"RunSysPrep needs a Windows instance, not {platform}"
    if action == "SanitizeInstance" and platform == "Windows":
        return "SanitizeInstance needs a Linux instance, not Windows"
    return None


def workflow_outputs(image: Image, execution: Execution) -> Doc:
    """Return the outputs of a workflow that has finished, without those of steps that did not run."""
    found, known = {}, values(image, execution)
    for name, value in execution.workflow.document.outputs:
        with suppress(paths.UnresolvedError):
            found[name] = paths.find(value, known) if paths.is_path(value) else paths.resolve(value, known)
    return found


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
