"""Operators on a fake Image Builder: how they are made, resumed and interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.compat import AirflowTaskTimeout
from airflow_imagebuilder.operators.await_image import ImageBuilderAwaitImageOperator
from airflow_imagebuilder.operators.create_image import ImageBuilderCreateImageOperator
from airflow_imagebuilder.operators.monitor_workflow import ImageBuilderMonitorWorkflowOperator
from airflow_imagebuilder.operators.start_pipeline import ImageBuilderStartPipelineOperator
from airflow_imagebuilder.service.errors import (
    AwsError,
    ForbiddenError,
    MalformedAnswerError,
    NotFoundError,
    ThrottledError,
    TransientError,
)
from airflow_imagebuilder.service.request import ImageRequest, Workflow
from tests.support.airflow_names import TaskDeferred
from tests.support.arns import BOOT, BUILD, IMAGE, INFRASTRUCTURE, PIPELINE, PREFIX, RECIPE, USERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.operators.base import ImageBuilderBaseOperator
    from tests.support.image_builder import FakeImageBuilder

MEMBERS: dict[str, Any] = {
    "image_recipe_arn": RECIPE,
    "infrastructure_configuration_arn": INFRASTRUCTURE,
}
"""The members of CreateImage that a request needs at least."""

TESTS = ImageRequest(
    **MEMBERS,
    execution_role="r",
    workflows=[
        Workflow(BUILD),
        Workflow(BOOT, parallel_group="functional"),
        Workflow(USERS, parallel_group="functional"),
        Workflow(f"{PREFIX}:workflow/test/performance/1.0.0/1"),
        Workflow(f"{PREFIX}:workflow/test/cis/1.0.0/1", parallel_group="security"),
    ],
)
"""A build, a group of two tests, a test that runs alone, and a group of one."""

TROUBLES: tuple[AwsError, ...] = (
    TransientError("GetImage", "ServiceUnavailableException", 503),
    ThrottledError("GetImage", "CallRateLimitExceededException", 429),
    ForbiddenError("GetImage", "NoCredentialsError"),
    NotFoundError("GetImage", "ResourceNotFoundException", 404),
    MalformedAnswerError("GetImage"),
)
"""Errors of a call that say nothing about the build."""


def with_hook(operator: ImageBuilderBaseOperator, aws: FakeImageBuilder) -> Any:
    """Let an operator call this Image Builder, and return the operator."""
    vars(operator)["hook"] = aws
    return operator


def create(aws: FakeImageBuilder, **options: Any) -> Any:
    return with_hook(ImageBuilderCreateImageOperator(task_id="t", **{**MEMBERS, **options}), aws)


def start(aws: FakeImageBuilder, **options: Any) -> Any:
    """Return the operator of a pipeline that exists."""
    aws.pipelines.setdefault(PIPELINE, {"arn": PIPELINE, "imageRecipeArn": RECIPE, "status": "ENABLED"})
    wanted = {"pipeline_arn": PIPELINE, **options}
    return with_hook(ImageBuilderStartPipelineOperator(task_id="t", **wanted), aws)


SUBMITTERS = {"create_image": create, "start_pipeline": start}
"""The operators that submit an image, by the method of the hook that they call."""


def guard(aws: FakeImageBuilder, **options: Any) -> Any:
    wanted = {"image_build_version_arn": IMAGE, **options}
    return with_hook(ImageBuilderAwaitImageOperator(task_id="t", **wanted), aws)


def monitor(aws: FakeImageBuilder, **options: Any) -> Any:
    wanted = {"image_build_version_arn": IMAGE, "workflow": "boot", "parallel_group": "f", **options}
    return with_hook(ImageBuilderMonitorWorkflowOperator(task_id="t", **wanted), aws)


def execution(arn: str, status: str, number: str = "wf-1", **more: Any) -> dict[str, Any]:
    """Return a workflow execution as ListWorkflowExecutions returns it."""
    kind = arn.split(":workflow/")[1].split("/", maxsplit=1)[0].upper()
    ids = {"workflowBuildVersionArn": arn, "workflowExecutionId": number}
    return {**ids, "type": kind, "status": status, **more}


def event(outcome: str = "ended", message: str = "", **more: Any) -> dict[str, Any]:
    """Return an event of the trigger that waits for an image."""
    return {
        "image_build_version_arn": IMAGE,
        "outcome": outcome,
        "status": None,
        "message": message,
        **more,
    }


def assert_defers(work: Callable[[], Any]) -> Any:
    """Return the trigger that the task is deferred to."""
    with pytest.raises(TaskDeferred) as deferred:
        work()
    return deferred.value.trigger


def time_out() -> None:
    """Do what Airflow does when execution_timeout is over."""
    raise AirflowTaskTimeout("execution_timeout")
