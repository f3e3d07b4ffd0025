"""The table of operations: the function that answers each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine.errors import unknown_arn
from airflow_imagebuilder.local.emulator.engine.operations.images.imports import Imports
from airflow_imagebuilder.local.emulator.engine.operations.images.software import Software
from airflow_imagebuilder.local.emulator.engine.operations.images.workflow_executions import (
    WorkflowExecutions,
)
from airflow_imagebuilder.local.emulator.engine.operations.lifecycle_policies import LifecyclePolicies
from airflow_imagebuilder.local.emulator.engine.operations.pipelines import Pipelines, check_schedule
from airflow_imagebuilder.local.emulator.engine.operations.resources import resource_policies
from airflow_imagebuilder.local.emulator.engine.operations.resources.resource_types import (
    RESOURCE_TYPES,
    ResourceType,
)
from airflow_imagebuilder.local.emulator.engine.state import Doc

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.operations.images.images import Images
    from airflow_imagebuilder.local.emulator.engine.operations.resources.resources import Resources
    from airflow_imagebuilder.local.emulator.engine.operations.rules.build_rules import BuildRules
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext

Handler = Callable[[Doc, str], Doc]


def handlers(context: SimulationContext, resources: Resources, images: Images) -> dict[str, Handler]:
    """Return every operation with the function that answers it."""
    workflow_executions = WorkflowExecutions(context, images)
    pipelines = Pipelines(context, resources, images)
    software, imports = Software(context, images), Imports(context, resources, images)
    return OperationTable(context, resources, images.build_rules, pipelines).handlers() | {
        "CreateImage": images.create,
        "GetImage": images.get,
        "DeleteImage": images.delete,
        "ListImages": images.list_versions,
        "ListImageBuildVersions": images.list_builds,
        "ListImagePipelineImages": images.list_pipeline,
        "StartImagePipelineExecution": pipelines.start,
        "CancelImageCreation": images.cancel,
        "RetryImage": images.retry,
        "DistributeImage": images.distribute,
        "ListWorkflowExecutions": workflow_executions.list_executions,
        "GetWorkflowExecution": workflow_executions.get_execution,
        "ListWorkflowStepExecutions": workflow_executions.list_steps,
        "GetWorkflowStepExecution": workflow_executions.get_step,
        "ListWaitingWorkflowSteps": workflow_executions.list_waiting,
        "SendWorkflowStepAction": workflow_executions.send_action,
        "ListImageScanFindingAggregations": software.list_aggregations,
        "ListImageScanFindings": software.list_findings,
        "ListImagePackages": software.list_packages,
        "ImportComponent": imports.component,
        "ImportVmImage": imports.vm_image,
        "ImportDiskImage": imports.disk_image,
        "GetMarketplaceResource": _marketplace,
        **LifecyclePolicies(context, images).handlers(),
        **_of_policies(context, resources, images),
    }


def _marketplace(params: Doc, _region: str) -> Doc:
    """GetMarketplaceResource: no product is subscribed to here."""
    raise unknown_arn(params["resourceArn"])


def _of_policies(context: SimulationContext, resources: Resources, images: Images) -> dict[str, Handler]:
    table: dict[str, Handler] = {}
    for noun, member in resource_policies.MEMBERS.items():
        exists = images.find if noun == "Image" else resources.own
        policies = resource_policies.ResourcePolicies(context.state, exists)
        table[f"Put{noun}Policy"] = partial(policies.put, member)
        table[f"Get{noun}Policy"] = partial(policies.get, member)
    return table


class OperationTable:
    """The operations on resources and tags."""

    def __init__(
        self,
        context: SimulationContext,
        resources: Resources,
        build_rules: BuildRules,
        pipelines: Pipelines,
    ) -> None:
        self._pipelines = pipelines
        self._context = context
        self._resources = resources
        self._build_rules = build_rules

    def handlers(self) -> dict[str, Handler]:
        """Return the operations on resources and tags."""
        table: dict[str, Handler] = {
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._list_tags,
        }
        for resource_type in RESOURCE_TYPES:
            table |= self._of_type(resource_type)
        return table

    def _of_type(self, resource_type: ResourceType) -> dict[str, Handler]:
        resources = self._resources
        table: dict[str, Handler] = {
            f"Create{resource_type.noun}": partial(self._create, resource_type),
            f"Get{resource_type.noun}": partial(resources.get, resource_type),
            f"Delete{resource_type.noun}": partial(resources.delete, resource_type),
            resource_type.listing.operation: partial(resources.list_resources, resource_type),
        }
        if resource_type.updatable:
            table[f"Update{resource_type.noun}"] = partial(self._update, resource_type)
        if resource_type.builds:
            table[resource_type.builds.operation] = partial(resources.list_builds, resource_type)
        return table

    def _create(self, resource_type: ResourceType, params: Doc, region: str) -> Doc:
        if resource_type.noun == "ImagePipeline":
            params = self._pipeline(params, region)
        answer = self._resources.create(resource_type, params, region, self._context.clock.now())
        if resource_type.noun == "ImagePipeline" and not params.get("dryRun"):
            self._pipelines.schedule(answer["imagePipelineArn"])
        return answer

    def _update(self, resource_type: ResourceType, params: Doc, region: str) -> Doc:
        if resource_type.noun == "ImagePipeline":
            params = self._pipeline(params, region)
        answer = self._resources.update(resource_type, params, region, self._context.clock.now())
        if resource_type.noun == "ImagePipeline":
            self._pipelines.schedule(answer["imagePipelineArn"])
        return answer

    def _pipeline(self, params: Doc, region: str) -> Doc:
        """Check the request of a pipeline, and add what it has from its recipe and by default."""
        check_schedule(params)
        recipe = self._build_rules.check(params, region).recipe
        tests = {
            "imageTestsEnabled": True,
            "timeoutMinutes": 720,
            **params.get("imageTestsConfiguration", {}),
        }
        return {**params, "platform": recipe["platform"], "imageTestsConfiguration": tests}

    def _tag(self, params: Doc, region: str) -> Doc:
        doc = self._resources.tagged(params["resourceArn"], region)
        doc["tags"] = {**doc.get("tags", {}), **params["tags"]}
        return {}

    def _untag(self, params: Doc, region: str) -> Doc:
        doc = self._resources.tagged(params["resourceArn"], region)
        doc["tags"] = {k: v for k, v in doc.get("tags", {}).items() if k not in params["tagKeys"]}
        return {}

    def _list_tags(self, params: Doc, region: str) -> Doc:
        return {"tags": self._resources.tagged(params["resourceArn"], region).get("tags", {})}
