"""Calls under policies: what AWS would ask IAM for each call of boto3 in this process, and its refusals."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from aiobotocore.client import AioBaseClient
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.support.iam import Policy, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ACCOUNT = "123456789012"
"""The account of the local Image Builder."""

IMAGE_BUILDER = "imagebuilder.amazonaws.com"
SERVICE_LINKED_ROLE = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{IMAGE_BUILDER}/AWSServiceRoleForImageBuilder"
)

_UNNAMED = frozenset(
    {
        "imagebuilder:ListImages",
        "imagebuilder:ListImageScanFindingAggregations",
        "ec2:DescribeImages",
        "ec2:DescribeSnapshots",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetImageFindings",
    }
)
"""Actions for which AWS names no resource, or none that the request names."""

_looking_up: ContextVar[bool] = ContextVar("looking_up", default=False)


@dataclass
class Access:
    """What was asked of the policies.

    :param new_account: whether Image Builder's service-linked role does not exist yet.
    """

    policy: Policy
    new_account: bool = False
    calls: set[str] = field(default_factory=set)
    asked: list[Request] = field(default_factory=list)
    refused: list[Request] = field(default_factory=list)

    @property
    def actions(self) -> set[str]:
        return {request.action for request in self.asked}

    def check(self, client: Any, operation: str, params: Mapping[str, Any]) -> None:
        """
        Ask the policies for a call.

        :raises ClientError: they do not allow it; with AWS's code for that.
        """
        service, region = client.meta.service_model.service_name, client.meta.region_name
        self.calls.add(f"{service}:{operation}")
        for request in requests_of(service, operation, params, region, new_account=self.new_account):
            self.asked.append(request)
            if not self.policy.allows(request):
                self.refused.append(request)
                code = "UnauthorizedOperation" if service == "ec2" else "AccessDeniedException"
                text = f"is not authorized to perform: {request.action} on resource: {request.resource}"
                answer: Any = {
                    "Error": {"Code": code, "Message": text},
                    "ResponseMetadata": {"HTTPStatusCode": 403},
                }
                raise ClientError(answer, operation)


@contextmanager
def under(access: Access) -> Iterator[None]:
    """Let each call of boto3 and aiobotocore in this process ask the policies first."""
    sync, asynchronous = cast("Any", BaseClient), cast("Any", AioBaseClient)
    send, asend = sync._make_api_call, asynchronous._make_api_call

    def call(client: Any, operation: str, params: Any) -> Any:
        if not _looking_up.get():
            access.check(client, operation, params)
        return send(client, operation, params)

    async def acall(client: Any, operation: str, params: Any) -> Any:
        access.check(client, operation, params)
        return await asend(client, operation, params)

    with (
        patch.object(BaseClient, "_make_api_call", call),
        patch.object(AioBaseClient, "_make_api_call", acall),
    ):
        yield


def requests_of(
    service: str, operation: str, params: Mapping[str, Any], region: str, *, new_account: bool = False
) -> list[Request]:
    """
    Return what AWS asks the policies for a call, by its Service Authorization Reference.

    :raises NotImplementedError: the call is not known here; add which resource it names.
    """
    action = f"{service}:{operation}"
    if action in _UNNAMED:
        return [Request(action, "*")]
    if service == "imagebuilder":
        return list(_of_image_builder(action, params, region, new_account=new_account))
    return [_of_others(action, params, region)]


def _of_image_builder(
    action: str, params: Mapping[str, Any], region: str, *, new_account: bool
) -> Iterator[Request]:
    here = f"arn:aws:imagebuilder:{region}:{ACCOUNT}:"
    operation = action.removeprefix("imagebuilder:")
    if operation == "CreateImage":
        recipe = params.get("imageRecipeArn") or params["containerRecipeArn"]
        yield from _of_a_build(
            params, here + "image/" + recipe.split("/", 1)[1] + "/1", new_account=new_account
        )
    elif operation == "StartImagePipelineExecution":
        pipeline = params["imagePipelineArn"]
        yield Request(action, pipeline)
        yield Request("imagebuilder:GetImagePipeline", pipeline)
        if params.get("tags"):
            yield Request("imagebuilder:TagResource", here + "image/" + pipeline.split("/")[1] + "/1.0.0/1")
    elif operation == "ListImageBuildVersions":
        version = params.get("imageVersionArn")
        yield Request(action, f"{version}/*" if version else "*")
    elif operation == "ListWorkflowStepExecutions":
        yield Request(action, here + "workflow-execution/" + params["workflowExecutionId"])
    elif operation == "ListImageScanFindings":
        yield Request(action, "*")
        yield Request("inspector2:ListFindings", "*")
    else:
        (named,) = (value for key, value in params.items() if key.endswith("Arn"))
        yield Request(action, named)


def _of_a_build(params: Mapping[str, Any], image: str, *, new_account: bool) -> Iterator[Request]:
    """What CreateImage needs: AWS reads what it names, and does the rest, with the rights of the caller."""
    yield Request("imagebuilder:CreateImage", image)
    named = {
        "imageRecipeArn": "GetImageRecipe",
        "containerRecipeArn": "GetContainerRecipe",
        "infrastructureConfigurationArn": "GetInfrastructureConfiguration",
        "distributionConfigurationArn": "GetDistributionConfiguration",
    }
    for member, action in named.items():
        if params.get(member):
            yield Request(f"imagebuilder:{action}", params[member])
    for workflow in params.get("workflows", ()):
        yield Request("imagebuilder:GetWorkflow", workflow["workflowArn"])
    if role := params.get("executionRole"):
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{role}"
        yield Request("iam:PassRole", arn, {"iam:PassedToService": IMAGE_BUILDER})
    elif new_account:
        yield Request(
            "iam:CreateServiceLinkedRole", SERVICE_LINKED_ROLE, {"iam:AWSServiceName": IMAGE_BUILDER}
        )
    if params.get("tags"):
        yield Request("imagebuilder:TagResource", image)
    scan = params.get("imageScanningConfiguration") or {}
    if scan.get("imageScanningEnabled"):
        yield Request("inspector2:BatchGetAccountStatus", "*")
        if params.get("containerRecipeArn"):
            name = (scan.get("ecrConfiguration") or {}).get("repositoryName", "the-default")
            repository = f"arn:aws:ecr:{image.split(':')[3]}:{ACCOUNT}:repository/{name}"
            yield Request("ecr:DescribeRepositories", repository)
            yield Request("ecr:BatchGetRepositoryScanningConfiguration", repository)


def _of_others(action: str, params: Mapping[str, Any], region: str) -> Request:
    if action == "ssm:GetParameter":
        # A public parameter belongs to no account.
        owner = "" if params["Name"].startswith("/aws/") else ACCOUNT
        return Request(action, f"arn:aws:ssm:{region}:{owner}:parameter/{params['Name'].lstrip('/')}")
    if action == "ecr:DescribeImages":
        return Request(action, f"arn:aws:ecr:{region}:{ACCOUNT}:repository/{params['repositoryName']}")
    if action == "kms:DescribeKey":
        # By an alias IAM sees the key behind it, whose id the request does not have.
        return Request(action, f"arn:aws:kms:{region}:{ACCOUNT}:key/{params['KeyId'].rpartition('/')[2]}")
    if action == "ec2:DescribeImageAttribute":
        return Request(action, f"arn:aws:ec2:{region}::image/{params['ImageId']}")
    if action in ("ec2:DeregisterImage", "ec2:DeleteSnapshot"):
        kind, id_ = next(
            (key, params[member])
            for key, member in (("image", "ImageId"), ("snapshot", "SnapshotId"))
            if member in params
        )
        return Request(action, f"arn:aws:ec2:{region}::{kind}/{id_}", _tags(region, id_))
    if action.startswith("sqs:"):
        queue = params["QueueUrl"].rpartition("/")[2]
        # A batch needs the permission of the single call.
        return Request(action.removesuffix("Batch"), f"arn:aws:sqs:{region}:{ACCOUNT}:{queue}")
    raise NotImplementedError(f"{action} {sorted(params)}: say here which resource it names")


def _tags(region: str, resource: str) -> dict[str, str]:
    """Return the tags of a resource of EC2, as keys of a condition."""
    import boto3

    token = _looking_up.set(True)
    try:
        found: Iterable[Any] = boto3.client("ec2", region_name=region).describe_tags(
            Filters=[{"Name": "resource-id", "Values": [resource]}]
        )["Tags"]
    finally:
        _looking_up.reset(token)
    return {f"aws:ResourceTag/{tag['Key']}": tag["Value"] for tag in found}
