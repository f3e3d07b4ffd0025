"""Which function answers which operation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine.operations.resource_types import RESOURCE_TYPES, ResourceType
from airflow_imagebuilder.local.emulator.engine.operations.workflow_executions import WorkflowExecutions
from airflow_imagebuilder.local.emulator.engine.state import Doc

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.operations.build_rules import BuildRules
    from airflow_imagebuilder.local.emulator.engine.operations.images import Images
    from airflow_imagebuilder.local.emulator.engine.operations.resources import Resources
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext

Handler = Callable[[Doc, str], Doc]


def handlers(core: SimulationContext, documents: Resources, images: Images) -> dict[str, Handler]:
    """The whole table."""
    runs, found = WorkflowExecutions(core, images), OperationTable(core, documents, images.rules).handlers()
    return found | {
        "CreateImage": images.create,
        "GetImage": images.get,
        "DeleteImage": images.delete,
        "ListImages": images.list_versions,
        "ListImageBuildVersions": images.list_builds,
        "ListImagePipelineImages": images.list_pipeline,
        "StartImagePipelineExecution": images.start_pipeline,
        "CancelImageCreation": images.cancel,
        "RetryImage": images.retry,
        "DistributeImage": images.distribute,
        "ListWorkflowExecutions": runs.list_executions,
        "GetWorkflowExecution": runs.get_execution,
        "ListWorkflowStepExecutions": runs.list_steps,
        "GetWorkflowStepExecution": runs.get_step,
        "ListWaitingWorkflowSteps": runs.list_waiting,
        "SendWorkflowStepAction": runs.send_action,
        "ListImageScanFindingAggregations": runs.list_findings,
    }


class OperationTable:
    """The operations on documents and tags."""

    def __init__(self, core: SimulationContext, documents: Resources, rules: BuildRules) -> None:
        self._core = core
        self._documents = documents
        self._rules = rules

    def handlers(self) -> dict[str, Handler]:
        """The part of the table that is about documents and tags."""
        found: dict[str, Handler] = {
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._list_tags,
        }
        for kind in RESOURCE_TYPES:
            found |= self._of(kind)
        return found

    def _of(self, kind: ResourceType) -> dict[str, Handler]:
        documents = self._documents
        found: dict[str, Handler] = {
            f"Create{kind.noun}": partial(self._create, kind),
            f"Get{kind.noun}": partial(documents.get, kind),
            f"Delete{kind.noun}": partial(documents.delete, kind),
            kind.listing.operation: partial(documents.list_kind, kind),
        }
        if kind.updatable:
            found[f"Update{kind.noun}"] = partial(self._update, kind)
        if kind.builds:
            found[kind.builds.operation] = partial(documents.list_builds, kind)
        return found

    def _create(self, kind: ResourceType, params: Doc, region: str) -> Doc:
        if kind.noun == "ImagePipeline":
            self._rules.check(params, region)
        for component in params.get("components", ()):
            self._documents.find(component["componentArn"], region)
        return self._documents.create(kind, params, region, self._core.clock.now())

    def _update(self, kind: ResourceType, params: Doc, region: str) -> Doc:
        if kind.noun == "ImagePipeline":
            self._rules.check(params, region)
        return self._documents.update(kind, params, region, self._core.clock.now())

    def _tag(self, params: Doc, _region: str) -> Doc:
        doc = self._documents.tagged(params["resourceArn"])
        doc["tags"] = {**doc.get("tags", {}), **params["tags"]}
        return {}

    def _untag(self, params: Doc, _region: str) -> Doc:
        doc = self._documents.tagged(params["resourceArn"])
        doc["tags"] = {k: v for k, v in doc.get("tags", {}).items() if k not in params["tagKeys"]}
        return {}

    def _list_tags(self, params: Doc, _region: str) -> Doc:
        return {"tags": self._documents.tagged(params["resourceArn"]).get("tags", {})}
