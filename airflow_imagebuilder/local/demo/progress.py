"""The progress of a bake: the image, its workflows in the order of the request, and its AMIs in EC2."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.arns import WorkflowArn
from airflow_imagebuilder.service.results.image import Ami, ImageResult
from airflow_imagebuilder.service.results.states import WorkflowStatus
from airflow_imagebuilder.service.results.workflow import WorkflowResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Progress:
    """An image at one moment.

    :param image: the image as GetImage answers it.
    :param workflows: every workflow of the image, in the order of the request. A workflow that has not begun
        is PENDING; a workflow that AWS added comes last.
    """

    image: ImageResult
    workflows: tuple[WorkflowResult, ...]

    @property
    def tests(self) -> tuple[WorkflowResult, ...]:
        """The test workflows, those that have not begun included."""
        return tuple(workflow for workflow in self.workflows if workflow.type == "TEST")


def read_progress(client: Any, arn: str) -> Progress:
    """Read an image and its workflow executions.

    :param client: boto3 client of Image Builder.
    :param arn: the image build version ARN.
    """
    image = client.get_image(imageBuildVersionArn=arn)["image"]
    pages = client.get_paginator("list_workflow_executions").paginate(imageBuildVersionArn=arn)
    result = ImageResult.from_api(image, [item for page in pages for item in page["workflowExecutions"]])
    return Progress(image=result, workflows=_in_planned_order(image.get("workflows", ()), result.workflows))


def _in_planned_order(
    planned: Iterable[Mapping[str, Any]], executions: Iterable[WorkflowResult]
) -> tuple[WorkflowResult, ...]:
    remaining, ordered = list(executions), []
    for workflow in map(_not_begun, planned):
        found = next((item for item in remaining if _identity(item) == _identity(workflow)), workflow)
        remaining = [item for item in remaining if item is not found]
        ordered.append(found)
    return (*ordered, *remaining)


def _identity(workflow: WorkflowResult) -> tuple[str, str, str]:
    """Return what a planned workflow and its execution share; the version of the plan may be a wildcard."""
    return workflow.type, workflow.name, workflow.parallel_group or ""


def _not_begun(planned: Mapping[str, Any]) -> WorkflowResult:
    arn = WorkflowArn.parse(planned["workflowArn"])
    return WorkflowResult(
        name=arn.name,
        arn=str(arn),
        type=arn.type.upper(),
        status=WorkflowStatus.PENDING.value,
        parallel_group=planned.get("parallelGroup"),
    )


def amis_in_ec2(clients: Mapping[str, Any], amis: Sequence[Ami]) -> list[Ami]:
    """Read AMIs back from the EC2 of their regions.

    :param clients: boto3 clients of EC2 by region.
    :return: the AMIs, each with its state in EC2 as ``status``; ``missing`` if EC2 does not have the AMI.
    """
    found = []
    for ami in amis:
        images = clients[ami.region].describe_images(Filters=[{"Name": "image-id", "Values": [ami.image]}])
        states = [image["State"] for image in images["Images"]]
        found.append(replace(ami, status=states[0] if states else "missing"))
    return found
