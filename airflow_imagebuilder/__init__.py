"""EC2 Image Builder for Apache Airflow: golden images baked, tested and distributed as Dags."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_imagebuilder.hooks import ImageBuilderHook as ImageBuilderHook
    from airflow_imagebuilder.operators.await_image import (
        ImageBuilderAwaitImageOperator as ImageBuilderAwaitImageOperator,
    )
    from airflow_imagebuilder.operators.create_image import (
        ImageBuilderCreateImageOperator as ImageBuilderCreateImageOperator,
    )
    from airflow_imagebuilder.operators.gates.needs_build import (
        ImageBuilderNeedsBuildOperator as ImageBuilderNeedsBuildOperator,
    )
    from airflow_imagebuilder.operators.gates.scan_gate import (
        ImageBuilderScanGateOperator as ImageBuilderScanGateOperator,
    )
    from airflow_imagebuilder.operators.gates.verify_outputs import (
        ImageBuilderVerifyOutputsOperator as ImageBuilderVerifyOutputsOperator,
    )
    from airflow_imagebuilder.operators.monitor_workflow import (
        ImageBuilderMonitorWorkflowOperator as ImageBuilderMonitorWorkflowOperator,
    )
    from airflow_imagebuilder.operators.start_pipeline import (
        ImageBuilderStartPipelineOperator as ImageBuilderStartPipelineOperator,
    )
    from airflow_imagebuilder.sensors import ImageBuilderImageSensor as ImageBuilderImageSensor
    from airflow_imagebuilder.service.errors import ImageBuilderError as ImageBuilderError
    from airflow_imagebuilder.service.request.image_request import ImageRequest as ImageRequest
    from airflow_imagebuilder.service.request.pipeline_request import PipelineRequest as PipelineRequest
    from airflow_imagebuilder.service.request.workflows import OnFailure as OnFailure
    from airflow_imagebuilder.service.request.workflows import TestGroup as TestGroup
    from airflow_imagebuilder.service.request.workflows import Workflow as Workflow
    from airflow_imagebuilder.service.results.image import ImageResult as ImageResult
    from airflow_imagebuilder.service.submission.decision import OnRetry as OnRetry
    from airflow_imagebuilder.task_groups import ImageBuilderTaskGroup as ImageBuilderTaskGroup
    from airflow_imagebuilder.triggers.find_image import (
        ImageBuilderFindImageTrigger as ImageBuilderFindImageTrigger,
    )
    from airflow_imagebuilder.triggers.image import ImageBuilderImageTrigger as ImageBuilderImageTrigger
    from airflow_imagebuilder.triggers.image_event import (
        ImageBuilderImageEventTrigger as ImageBuilderImageEventTrigger,
    )
    from airflow_imagebuilder.triggers.scan import ImageBuilderScanTrigger as ImageBuilderScanTrigger
    from airflow_imagebuilder.triggers.workflow import (
        ImageBuilderWorkflowTrigger as ImageBuilderWorkflowTrigger,
    )

# Loaded at first use: a Dag file imports only what it names.
_HOMES = {
    "ImageBuilderAwaitImageOperator": "operators.await_image",
    "ImageBuilderCreateImageOperator": "operators.create_image",
    "ImageBuilderError": "service.errors",
    "ImageBuilderFindImageTrigger": "triggers",
    "ImageBuilderHook": "hooks",
    "ImageBuilderImageSensor": "sensors",
    "ImageBuilderImageEventTrigger": "triggers",
    "ImageBuilderImageTrigger": "triggers",
    "ImageBuilderMonitorWorkflowOperator": "operators.monitor_workflow",
    "ImageBuilderStartPipelineOperator": "operators.start_pipeline",
    "ImageBuilderNeedsBuildOperator": "operators.gates.needs_build",
    "ImageBuilderScanGateOperator": "operators.gates.scan_gate",
    "ImageBuilderScanTrigger": "triggers",
    "ImageBuilderTaskGroup": "task_groups",
    "ImageBuilderVerifyOutputsOperator": "operators.gates.verify_outputs",
    "ImageBuilderWorkflowTrigger": "triggers",
    "ImageRequest": "service.request.image_request",
    "ImageResult": "service.results.image",
    "OnFailure": "service.request.workflows",
    "OnRetry": "service.submission.decision",
    "PipelineRequest": "service.request.pipeline_request",
    "TestGroup": "service.request.workflows",
    "Workflow": "service.request.workflows",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 (it follows the table above)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
