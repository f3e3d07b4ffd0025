"""LifecyclePolicies: the operations on lifecycle policies, their executions, and the state of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.errors import (
    ApiError,
    invalid_combination,
    invalid_value,
    unknown_arn,
)
from airflow_imagebuilder.local.emulator.engine.operations.pagination import page, paged, passing, pick
from airflow_imagebuilder.local.emulator.engine.shelf import Shelf
from airflow_imagebuilder.local.emulator.engine.simulation.lifecycle import (
    FROM,
    STATUSES,
    Lifecycle,
)
from airflow_imagebuilder.local.emulator.engine.state import LifecycleExecution

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine.operations.images.images import Images
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc

_SUMMARY = (
    *("arn", "name", "description", "status", "executionRole", "resourceType"),
    *("dateCreated", "dateUpdated", "dateLastRun", "tags"),
)
_WHOLE = (*_SUMMARY, "policyDetails", "resourceSelection")
_REQUEST = ("name", "description", "status", "executionRole", "resourceType", "policyDetails")


class LifecyclePolicies:
    """Lifecycle policies of every region.

    :param context: state and clock.
    :param images: the images that they take.
    """

    def __init__(self, context: SimulationContext, images: Images) -> None:
        self._context = context
        self._images = images
        self.lifecycle: Lifecycle = images.lifecycle.policies

    def handlers(self) -> dict[str, Callable[[Doc, str], Doc]]:
        """Return the operations by name."""
        return {
            "CreateLifecyclePolicy": self.create,
            "GetLifecyclePolicy": self.get,
            "UpdateLifecyclePolicy": self.update,
            "DeleteLifecyclePolicy": self.delete,
            "ListLifecyclePolicies": self.list_policies,
            "GetLifecycleExecution": self.get_execution,
            "ListLifecycleExecutions": self.list_executions,
            "ListLifecycleExecutionResources": self.list_resources,
            "CancelLifecycleExecution": self.cancel,
            "StartResourceStateUpdate": self.update_state,
        }

    def create(self, params: Doc, region: str) -> Doc:
        """CreateLifecyclePolicy."""
        _check(params)
        arn = identifiers.arn_of(
            region, f"lifecycle-policy/{identifiers.normalise(params['name'])}", self._context.account
        )
        resources = self._context.state.resources
        if arn in resources:
            raise ApiError("ResourceAlreadyExistsException", f"The lifecycle policy '{arn}' already exists.")
        now = self._context.clock.now()
        policy = {
            "status": "ENABLED",
            **pick(params, (*_REQUEST, "resourceSelection", "tags")),
            "arn": arn,
            "dateCreated": now,
        }
        resources[arn] = policy
        if not params.get("dryRun"):
            self.lifecycle.schedule(policy)
        return {"lifecyclePolicyArn": arn}

    def _find(self, arn: str, region: str) -> Doc:
        policy = self._context.state.resources.get(arn)
        if policy is None or identifiers.parse(arn).region != region:
            raise unknown_arn(arn)
        return policy

    def get(self, params: Doc, region: str) -> Doc:
        """GetLifecyclePolicy."""
        return {"lifecyclePolicy": pick(self._find(params["lifecyclePolicyArn"], region), _WHOLE)}

    def update(self, params: Doc, region: str) -> Doc:
        """UpdateLifecyclePolicy: replaces everything; a running execution is cancelled if it disables."""
        policy = self._find(params["lifecyclePolicyArn"], region)
        _check(params)
        if params["resourceType"] != policy["resourceType"]:
            raise invalid_value("resourceType", "The resource type of a policy cannot change.")
        kept = pick(policy, ("arn", "name", "dateCreated", "dateLastRun", "tags", "revision"))
        changed = pick(params, (*_REQUEST, "resourceSelection"))
        new = {"status": "ENABLED", **changed, **kept, "dateUpdated": self._context.clock.now()}
        self._context.state.resources[policy["arn"]] = new
        if new["status"] == "DISABLED":
            self.lifecycle.stop(new)
        self.lifecycle.schedule(new)
        return {"lifecyclePolicyArn": policy["arn"]}

    def delete(self, params: Doc, region: str) -> Doc:
        """DeleteLifecyclePolicy: cancels a running execution."""
        policy = self._find(params["lifecyclePolicyArn"], region)
        self.lifecycle.stop(policy)
        del self._context.state.resources[policy["arn"]]
        return {"lifecyclePolicyArn": policy["arn"]}

    def list_policies(self, params: Doc, region: str) -> Doc:
        """ListLifecyclePolicies."""
        passes: Callable[[Doc], bool] | None = passing(params, ("name", "status", "resourceType"))
        found = self._context.state.resources.of_type(region, "lifecycle-policy")
        key = "lifecyclePolicySummaryList"
        return page(key, found, params, lambda doc: pick(doc, _SUMMARY), passes=passes)

    def _execution(self, identifier: str, region: str) -> LifecycleExecution:
        found = self._context.state.lifecycle_executions.get(identifier)
        if found is None or found.region != region:
            raise ApiError("ResourceNotFoundException", f"'{identifier}' cannot be found.", 404)
        return found

    def get_execution(self, params: Doc, region: str) -> Doc:
        """GetLifecycleExecution."""
        return {"lifecycleExecution": _shown(self._execution(params["lifecycleExecutionId"], region))}

    def list_executions(self, params: Doc, region: str) -> Doc:
        """ListLifecycleExecutions: of a policy, or the updates of an image; newest first."""
        arn = params["resourceArn"]
        found = self._context.state.lifecycle_by_subject.get(arn, Shelf[LifecycleExecution]())
        if identifiers.parse(arn).region != region:
            found = Shelf()
        return page("lifecycleExecutions", found, params, _shown, newest_first=True)

    def list_resources(self, params: Doc, region: str) -> Doc:
        """ListLifecycleExecutionResources: images, or the AMIs of one image."""
        execution = self._execution(params["lifecycleExecutionId"], region)
        rows = execution.resources
        if parent := params.get("parentResourceId"):
            rows = [ami for row in rows if row["resourceId"] == parent for ami in row["amis"]]
        answer = paged("resources", rows, params, lambda row: {k: v for k, v in row.items() if k != "amis"})
        state = _state(execution)
        return {**answer, "lifecycleExecutionId": execution.id, "lifecycleExecutionState": state}

    def cancel(self, params: Doc, region: str) -> Doc:
        """CancelLifecycleExecution."""
        execution = self._execution(params["lifecycleExecutionId"], region)
        if execution.ended:
            raise ApiError(guesses.LIFECYCLE_ENDED, f"'{execution.id}' is {execution.status}.")
        self.lifecycle.end(execution, "CANCELLED", "It was cancelled by CancelLifecycleExecution.")
        return {"lifecycleExecutionId": execution.id}

    def update_state(self, params: Doc, region: str) -> Doc:
        """StartResourceStateUpdate."""
        image = self._images.find(params["resourceArn"], region)
        if "status" not in params["state"]:
            raise invalid_value("state.status", "The status to change to is required.")
        status, include = params["state"]["status"], params.get("includeResources")
        action = next(name for name, found in STATUSES.items() if found == status)
        _check_update(params, status, is_ami=image.is_ami, now=self._context.clock.now())
        if not image.ended or image.status not in FROM[action]:
            raise ApiError(
                guesses.STATE_UPDATE_REFUSED,
                f"The image '{image.arn}' is {image.status} and cannot be {status}.",
            )
        updates = self._context.state.lifecycle_by_subject.get(image.arn, Shelf[LifecycleExecution]())
        if any(not execution.ended for execution in updates.values()):
            raise ApiError("ResourceInUseException", f"Another update of '{image.arn}' is in progress.")
        identifier = self.lifecycle.update(image, {**params, "includeResources": include})
        answer = {"resourceArn": image.arn}
        return {**answer, "lifecycleExecutionId": identifier} if identifier else answer


def _state(execution: LifecycleExecution) -> Doc:
    found: Doc = {"status": execution.status}
    return {**found, "reason": execution.reason} if execution.reason else found


def _shown(execution: LifecycleExecution) -> Doc:
    doc: dict[str, Any] = {
        "lifecycleExecutionId": execution.id,
        "resourcesImpactedSummary": {"hasImpactedResources": bool(execution.resources)},
        "state": _state(execution),
        "startTime": execution.start,
    }
    if execution.policy:
        doc["lifecyclePolicyArn"] = execution.subject
    if execution.end is not None:
        doc["endTime"] = execution.end
    return doc


def _check(params: Doc) -> None:
    """Check the rules and the selection of a policy (service model, its documentation).

    :raises ApiError: AWS does not take them; the error names the first fault.
    """
    selection = params["resourceSelection"]
    if bool(selection.get("recipes")) == bool(selection.get("tagMap")):
        raise invalid_combination("Exactly one of recipes and tagMap must be specified in resourceSelection.")
    seen: set[str] = set()
    for index, rule in enumerate(params["policyDetails"]):
        where = f"policyDetails[{index}]"
        action, given = rule["action"], rule["filter"]
        if action["type"] in seen:
            raise invalid_value(where, f"A policy has at most one rule of type {action['type']}.")
        seen.add(action["type"])
        if params["resourceType"] == "CONTAINER_IMAGE" and action["type"] != "DELETE":
            raise invalid_value(f"{where}.action.type", "Container images can only be deleted.")
        if given["type"] == "COUNT" and action["type"] != "DELETE":
            raise invalid_value(f"{where}.filter.type", "Only rules that delete can count.")
        if given["type"] == "AGE" and "unit" not in given:
            raise invalid_value(f"{where}.filter.unit", "An age has a unit.")
        if given["type"] == "COUNT" and ("unit" in given or "retainAtLeast" in given):
            raise invalid_value(f"{where}.filter", "unit and retainAtLeast belong to an age.")
        _check_included(action.get("includeResources", {}), action["type"], params["resourceType"], where)


def _check_included(include: Doc, action: str, resource_type: str, where: str) -> None:
    allowed = {"amis", "snapshots"} if action == "DELETE" else {"amis"}
    if resource_type == "CONTAINER_IMAGE":
        allowed = {"containers"}
    if wrong := sorted(key for key, value in include.items() if value and key not in allowed):
        raise invalid_value(f"{where}.action.includeResources", f"{action} cannot include {wrong[0]}.")
    if include.get("snapshots") and not include.get("amis"):
        raise invalid_value(f"{where}.action.includeResources", "snapshots need amis.")


def _check_update(params: Doc, status: str, *, is_ami: bool, now: float) -> None:
    include, at = params.get("includeResources"), params.get("updateAt")
    if ("executionRole" in params) != (include is not None):
        raise invalid_combination("executionRole and includeResources must be specified together.")
    if status == "DELETED" and include is None:
        raise invalid_combination("DELETED needs includeResources; DeleteImage deletes an image alone.")
    if not is_ami and status != "DELETED":
        raise invalid_value("state", "Container images can only be DELETED.")
    if at is not None and (status != "DEPRECATED" or float(at) <= now):
        raise invalid_value("updateAt", "It is a moment in the future, for DEPRECATED alone.")
    if include is not None:
        kind = "AMI_IMAGE" if is_ami else "CONTAINER_IMAGE"
        _check_included(include, "DELETE" if status == "DELETED" else status, kind, "state")
