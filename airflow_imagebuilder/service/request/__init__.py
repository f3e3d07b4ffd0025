"""The requests that make an image: to CreateImage, or to StartImagePipelineExecution.

``image_request`` checks a request against ``schema`` (each member alone, by the ``fields``) and ``rules``
(several members together). ``workflows`` are a member with classes of its own; ``test_plan`` and
``test_choice`` say which of them AWS runs, and in which order. ``pipeline_request`` starts a pipeline, and
``pipeline_workflows`` compares its workflows with declared ones.
"""

from __future__ import annotations

from airflow_imagebuilder.service.request.image_request import ImageRequest
from airflow_imagebuilder.service.request.pipeline_request import PipelineRequest
from airflow_imagebuilder.service.request.workflows import OnFailure, TestGroup, Workflow, WorkflowType

__all__ = ["ImageRequest", "OnFailure", "PipelineRequest", "TestGroup", "Workflow", "WorkflowType"]
