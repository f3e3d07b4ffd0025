"""The public classes with arguments for tests, and how they are refused and run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import task

from airflow_imagebuilder import (
    ImageBuilderAwaitImageOperator,
    ImageBuilderCreateImageOperator,
    ImageBuilderMonitorWorkflowOperator,
    ImageBuilderStartPipelineOperator,
    ImageBuilderTaskGroup,
    Workflow,
)
from airflow_imagebuilder.service.errors import InvalidRequestError
from tests.support.arns import IMAGE as ARN
from tests.support.arns import PIPELINE
from tests.support.arns import PREFIX as HERE
from tests.support.operators import with_hook
from tests.support.task import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.image_builder import FakeImageBuilder

BASE: dict[str, Any] = {
    "image_recipe_arn": f"{HERE}:image-recipe/golden/1.0.0",
    "infrastructure_configuration_arn": f"{HERE}:infrastructure-configuration/build",
}
ROLE: dict[str, Any] = {"execution_role": "ImageBuilderExecution"}


def workflow(name: str, kind: str = "test", **options: Any) -> Workflow:
    return Workflow(f"{HERE}:workflow/{kind}/{name}/1.0.0/1", **options)


BUILD, BOOT, CIS, SEND = (
    workflow("b", "build"),
    workflow("boot"),
    workflow("cis"),
    workflow("send", "distribution"),
)
ARNS = BOOT.arn
WORKFLOWS = [
    BUILD,
    workflow("boot", parallel_group="functional"),
    workflow("performance"),
    workflow("cis", parallel_group="security"),
]


@task
def up() -> Any: ...


def create(**options: Any) -> Any:
    return ImageBuilderCreateImageOperator(task_id="t", **{**BASE, **options})


def start(**options: Any) -> Any:
    return ImageBuilderStartPipelineOperator(task_id="t", **{"pipeline_arn": PIPELINE, **options})


def bake(**options: Any) -> Any:
    return ImageBuilderTaskGroup("g", **{**BASE, **ROLE, "build_workflow": BUILD, **options})


def guard(**options: Any) -> Any:
    return ImageBuilderAwaitImageOperator(task_id="t", **{"image_build_version_arn": ARN, **options})


def monitor(**options: Any) -> Any:
    return ImageBuilderMonitorWorkflowOperator(task_id="t", **{"image_build_version_arn": ARN, **options})


def refused(make: Callable[..., Any], *args: Any, **options: Any) -> str:
    """Return the one line of the one fault."""
    with pytest.raises(InvalidRequestError) as caught:
        make(*args, **options)
    (fault,) = caught.value.faults
    return str(fault)


def run(operator: Any, aws: FakeImageBuilder, **params: Any) -> None:
    """Render an operator and execute it."""
    operator.render_template_fields({"params": params})
    execute(operator, aws)


def execute(operator: Any, aws: FakeImageBuilder) -> None:
    with_hook(operator, aws).execute(context())


# Members that a form may leave empty.
OPTIONAL = [
    "container_recipe_arn",
    "distribution_configuration_arn",
    "image_tests_configuration",
    "enhanced_image_metadata_enabled",
    "image_scanning_configuration",
    "workflows",
    "execution_role",
    "logging_configuration",
    "tags",
]
