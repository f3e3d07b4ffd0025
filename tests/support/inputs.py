"""The public classes with arguments for tests, and an Image Builder that takes one image."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import task

from airflow_imagebuilder import (
    ImageBuilderAwaitImageOperator,
    ImageBuilderCreateImageOperator,
    ImageBuilderMonitorWorkflowOperator,
    ImageBuilderTaskGroup,
    ImageRequest,
    Workflow,
)
from airflow_imagebuilder.service.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "arn:aws:imagebuilder:us-east-1:123456789012"
ARN = f"{HERE}:image/golden/1.0.0/1"
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


class Hook:
    """An Image Builder that takes one image, in a region."""

    def __init__(self, region: str = "us-east-1") -> None:
        self.conn_region_name = region
        self.requests: list[dict[str, Any]] = []

    def create_image(self, request: ImageRequest, client_token: str, **_: Any) -> str:
        self.requests.append(request.to_api())
        return ARN

    def get_image(self, arn: str, **_: Any) -> dict[str, Any]:
        state = {"status": "AVAILABLE"}
        return {"arn": ARN, "name": "golden", "version": "1.0.0/1", "type": "AMI", "state": state}

    def list_workflow_executions(self, arn: str, **_: Any) -> list[dict[str, Any]]:
        return []


class StateStore(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = value


def run(operator: Any, hook: Any, **params: Any) -> None:
    """Render an operator and execute it."""
    operator.render_template_fields({"params": params})
    execute(operator, hook)


def execute(operator: Any, hook: Any) -> None:
    identity = {
        "dag_id": "d",
        "run_id": "r",
        "task_id": "t",
        "map_index": -1,
        "try_number": 1,
        "max_tries": 0,
    }
    ti = SimpleNamespace(**identity, id="uuid", start_date=None, xcom_push=lambda key, value: None)
    operator.__dict__["hook"] = hook
    operator.execute({"ti": ti, "task_state_store": StateStore()})


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
