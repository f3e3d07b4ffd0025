"""The hook: EC2 Image Builder through an Airflow connection, sync and async."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from botocore.exceptions import BotoCoreError, ClientError

from airflow_imagebuilder.compat import connection_read, uninterrupted
from airflow_imagebuilder.service.client.aio_client import AioClient
from airflow_imagebuilder.service.client.answers import has_status, malformed
from airflow_imagebuilder.service.client.cleanup import delete_outputs
from airflow_imagebuilder.service.client.error_mapping import translate
from airflow_imagebuilder.service.client.outdated import check_list_of_the_account, check_members
from airflow_imagebuilder.service.client.pages import PAGES, Pages, mappings
from airflow_imagebuilder.service.client.retries import acall, call
from airflow_imagebuilder.service.errors import RefusedError
from airflow_imagebuilder.service.results.states import is_image_terminal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper

    from airflow_imagebuilder.service.request.image_request import ImageRequest
    from airflow_imagebuilder.service.request.pipeline_request import PipelineRequest

Patience = float | timedelta
PATIENCE = timedelta(minutes=2)
"""How long a call is retried through throttling and outages before it fails."""

LONGEST_LIST = 10_000
"""Images after which a list of them counts as endless: more than an account keeps of one name or pipeline."""

_PAGE = 25
"""Images per page: the largest ``maxResults`` (API reference)."""
FINDING_PAGES = 400
"""More pages than a scan has of findings: 40,000 of them, unless AWS's pages are short."""

_CALL_TIMEOUT = 20.0
"""Seconds after which an asynchronous call without an answer is repeated."""

_SETTLE_INTERVAL = 15.0
"""Maximum seconds between two polls of an image that is being cancelled."""


class ImageBuilderHook(AwsGenericHook[Any]):
    """
    Call EC2 Image Builder with the credentials, region and configuration of an AWS connection.

    Every call goes through the package's own retry policy, because botocore's standard and adaptive modes
    do not retry ``CallRateLimitExceededException``. The methods return the plain mappings of the API, and
    each raises the subclasses of ``AwsError`` in :mod:`airflow_imagebuilder.service.errors`.

    :param aws_conn_id: an AWS connection (default: ``aws_default``); ``None`` takes boto3's own chain of
        credentials.
    :param region_name: the region to build in; ``None`` (default) takes the connection's.
    :param verify: whether to verify TLS certificates, or the path of a bundle to verify them against;
        ``None`` (default) takes the connection's.
    :param config: botocore configuration, a mapping or ``botocore.config.Config``; ``None`` (default) takes
        the connection's.

    .. seealso:: :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsGenericHook`
    """

    conn_type = "imagebuilder"
    hook_name = "EC2 Image Builder"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "imagebuilder"
        super().__init__(*args, **kwargs)

    @cached_property
    def conn_config(self) -> AwsConnectionWrapper:
        """The connection. A misspelt id is an error: the provider would continue with other credentials."""
        if self.aws_conn_id and self.aws_conn_id != self.default_conn_name:
            self.get_connection(self.aws_conn_id)
        return super().conn_config

    # -- images --------------------------------------------------------------------------------------------

    def create_image(self, request: ImageRequest, client_token: str) -> str:
        """
        Submit CreateImage.

        :param request: what to build.
        :param client_token: 1 to 64 characters; the same token with the same request returns the same image.
        :return: the image build version ARN.
        :raises OutdatedBoto3Error: the installed boto3 lacks a member of the request; nothing was sent.
        :raises AwsError: one of its subclasses, see :mod:`airflow_imagebuilder.service.errors`.
        """
        members = request.to_api()
        check_members(self._client("create_image"), "CreateImage", members)
        return self._arn("create_image", clientToken=client_token, **members)

    def start_pipeline(self, request: PipelineRequest, client_token: str) -> str:
        """
        Submit StartImagePipelineExecution. AWS also starts a pipeline that is DISABLED.

        :param request: which pipeline to start.
        :param client_token: 1 to 64 characters; the same token with the same request returns the same image.
        :return: the image build version ARN.
        :raises OutdatedBoto3Error: the installed boto3 lacks a member of the request; nothing was sent.
        :raises AwsError: one of its subclasses, see :mod:`airflow_imagebuilder.service.errors`.
        """
        operation, members = "start_image_pipeline_execution", request.to_api()
        check_members(self._client(operation), "StartImagePipelineExecution", members)
        return self._arn(operation, clientToken=client_token, **members)

    def retry_image(self, arn: str, client_token: str) -> str:
        """
        Submit RetryImage: continue a FAILED or CANCELLED AMI build in its test or distribution phase.

        :param arn: image build version ARN.
        :param client_token: 1 to 64 characters; AWS makes one repair per token.
        :return: the image build version ARN.
        :raises OutdatedBoto3Error: the installed boto3 lacks RetryImage; nothing was sent.
        """
        return self._arn("retry_image", imageBuildVersionArn=arn, clientToken=client_token)

    def cancel_image(self, arn: str, client_token: str, *, patience: Patience = PATIENCE) -> str:
        """
        Submit CancelImageCreation. AWS answers at once and cancels afterwards.

        :param arn: image build version ARN.
        :param client_token: 1 to 64 characters.
        :param patience: seconds (or a timedelta) for which the call is retried (default: 2 minutes).
        :return: the image build version ARN.
        :raises RefusedError: the image has finished.
        """
        return self._arn(
            "cancel_image_creation", patience=patience, imageBuildVersionArn=arn, clientToken=client_token
        )

    def get_image(self, arn: str, *, patience: Patience = PATIENCE) -> dict[str, Any]:
        """
        Return GetImage's ``image``. Only a full build version ARN shows an image in progress.

        :param arn: image build version ARN.
        :param patience: seconds (or a timedelta) for which the call is retried (default: 2 minutes).
        :raises MalformedAnswerError: the answer has no image, or an image without a status.
        """
        answer = self._call("get_image", expect="image", patience=patience, imageBuildVersionArn=arn)
        return _image_in(answer)

    # -- lists of images: AWS documents no order of them, and shows a new image late ------------------------

    def list_image_pipeline_images(
        self, pipeline_arn: str, *, patience: Patience = PATIENCE
    ) -> list[dict[str, Any]]:
        """
        Return every image of a pipeline, as ListImagePipelineImages has it. An unknown pipeline has none.

        :param pipeline_arn: the pipeline's ARN.
        :param patience: seconds (or a timedelta) for which each page is retried (default: 2 minutes).
        :return: AWS's ``ImageSummary`` of each: ``arn``, ``name``, ``version``, ``state``, ``dateCreated``
            (ISO text), ``outputResources`` and others.
        :raises MalformedAnswerError: the list has no end (:data:`LONGEST_LIST`), or cannot be read.
        """
        return self._images(
            "list_image_pipeline_images", "imageSummaryList", patience, imagePipelineArn=pipeline_arn
        )

    def list_images(
        self, names: Sequence[str] = (), *, owner: str = "Self", patience: Patience = PATIENCE
    ) -> list[dict[str, Any]]:
        """
        Return image versions (``x.y.z``, without builds), as ListImages has them.

        :param names: only images of one of these names, as AWS shows them; empty (default) means all.
        :param owner: ``Self`` (default), ``Shared``, ``Amazon``, ...
        :param patience: seconds (or a timedelta) for which each page is retried (default: 2 minutes).
        :return: AWS's ``ImageVersion`` of each: ``arn``, ``name``, ``version``, ``dateCreated`` and others,
            but no state.
        :raises MalformedAnswerError: as :meth:`list_image_pipeline_images`.
        """
        filters = _named(names)
        return self._images("list_images", "imageVersionList", patience, owner=owner, **filters)

    def list_image_build_versions(
        self,
        version_arn: str | None = None,
        *,
        names: Sequence[str] = (),
        patience: Patience = PATIENCE,
    ) -> list[dict[str, Any]]:
        """
        Return every build of an image version, or of the account, as ListImageBuildVersions has them.

        :param version_arn: the ARN of an image version, without wildcards; an unknown one has no builds.
            ``None`` (default) means all images of the account and region.
        :param names: only images of one of these names, as AWS shows them; empty (default) means all.
        :param patience: seconds (or a timedelta) for which each page is retried (default: 2 minutes).
        :return: as :meth:`list_image_pipeline_images`.
        :raises OutdatedBoto3Error: the installed boto3 cannot list the account's; nothing was sent.
        :raises MalformedAnswerError: as :meth:`list_image_pipeline_images`.
        """
        if version_arn is None:
            check_list_of_the_account(self._client("list_image_build_versions"))
        version = {} if version_arn is None else {"imageVersionArn": version_arn}
        return self._images(
            "list_image_build_versions", "imageSummaryList", patience, **version, **_named(names)
        )

    def _images(self, operation: str, member: str, patience: Patience, **params: Any) -> list[dict[str, Any]]:
        most = LONGEST_LIST // _PAGE
        pages = self._pages(operation, member, most=most, patience=patience, maxResults=_PAGE, **params)
        return list(pages)

    def delete_outputs(self, image: Mapping[str, Any]) -> list[str]:
        """Deregister the AMIs of an image that has finished, and delete their snapshots; return the ids."""
        return delete_outputs(image, lambda region: self.client_of("ec2", region))

    # -- other services ------------------------------------------------------------------------------------

    def client_of(self, service: str, region: str, *, renew: bool = False) -> Any:
        """
        Return a new boto3 client of another AWS service, with the credentials of this connection.

        The clients share a session: a session of its own would read AWS's model of the service again.

        :param service: boto3's name of the service, e.g. ``ec2``.
        :param region: the region.
        :param renew: whether to make a new session, since the credentials have expired (default: no).
        :raises AwsError: it cannot be made: no credentials, no such role.
        """
        if renew:
            self.__dict__.pop("_session", None)
        try:
            endpoint = self.conn_config.get_service_endpoint_url(service)
            return self._session.client(
                service, region_name=region, endpoint_url=endpoint, verify=self.verify, config=self.config
            )
        except (BotoCoreError, ClientError) as error:
            raise translate(error, "AssumeRole") from error

    @cached_property
    def _session(self) -> Any:
        return self.get_session(region_name=self.region_name)

    # -- workflows -----------------------------------------------------------------------------------------

    def list_workflow_executions(self, arn: str, *, include_retried: bool = False) -> list[dict[str, Any]]:
        """
        Return every workflow execution of an image, as ListWorkflowExecutions has it.

        :param arn: image build version ARN.
        :param include_retried: also return those that a RetryImage superseded (default: no).
        """
        found = self._pages("list_workflow_executions", "workflowExecutions", imageBuildVersionArn=arn)
        return [e for e in found if include_retried or not e.get("retried")]

    def list_workflow_step_executions(self, workflow_execution_id: str) -> list[dict[str, Any]]:
        """Return the steps of one workflow execution (``wf-...``), as ListWorkflowStepExecutions has them."""
        return list(
            self._pages("list_workflow_step_executions", "steps", workflowExecutionId=workflow_execution_id)
        )

    # -- what a build is made of ---------------------------------------------------------------------------

    def get_image_pipeline(self, arn: str, *, patience: Patience = PATIENCE) -> dict[str, Any]:
        """
        Return GetImagePipeline's ``imagePipeline``.

        :param arn: the ARN of the pipeline.
        :param patience: seconds (or a timedelta) for which the call is retried (default: 2 minutes).
        :raises NotFoundError: there is no such pipeline in this account and region.
        :raises MalformedAnswerError: the answer has no pipeline.
        """
        operation, member = "get_image_pipeline", "imagePipeline"
        return self._resource(operation, member, patience=patience, imagePipelineArn=arn)

    def get_image_recipe(self, arn: str) -> dict[str, Any]:
        """Return GetImageRecipe's ``imageRecipe``; ``x`` means the newest version."""
        return self._resource("get_image_recipe", "imageRecipe", imageRecipeArn=arn)

    def get_container_recipe(self, arn: str) -> dict[str, Any]:
        """Return GetContainerRecipe's ``containerRecipe``; ``x`` means the newest version."""
        return self._resource("get_container_recipe", "containerRecipe", containerRecipeArn=arn)

    def get_component(self, arn: str) -> dict[str, Any]:
        """Return GetComponent's ``component``; ``x``, or no build number, means the newest one."""
        return self._resource("get_component", "component", componentBuildVersionArn=arn)

    def get_workflow(self, arn: str) -> dict[str, Any]:
        """Return GetWorkflow's ``workflow``; ``x``, or no build number, means the newest one."""
        return self._resource("get_workflow", "workflow", workflowBuildVersionArn=arn)

    def get_infrastructure_configuration(self, arn: str) -> dict[str, Any]:
        """Return GetInfrastructureConfiguration's ``infrastructureConfiguration``."""
        operation, member = "get_infrastructure_configuration", "infrastructureConfiguration"
        return self._resource(operation, member, infrastructureConfigurationArn=arn)

    def get_distribution_configuration(self, arn: str) -> dict[str, Any]:
        """Return GetDistributionConfiguration's ``distributionConfiguration``."""
        operation, member = "get_distribution_configuration", "distributionConfiguration"
        return self._resource(operation, member, distributionConfigurationArn=arn)

    def get_parameter(self, name: str) -> str:
        """Return the value of a parameter of Systems Manager (GetParameter), by its name or ARN."""
        answer = self._of("ssm", "get_parameter", "Parameter", Name=name)
        return str(answer["Parameter"].get("Value") or "")

    def describe_ami(self, ami: str) -> dict[str, Any] | None:
        """Return an AMI of this region as EC2's DescribeImages has it; ``None`` if EC2 shows none."""
        wanted = [{"Name": "image-id", "Values": [ami]}]  # ImageIds= is refused for an AMI that is gone
        answer = self._of("ec2", "describe_images", "Images", Filters=wanted, IncludeDeprecated=True)
        return next((dict(one) for one in answer["Images"]), None)

    def describe_ecr_image(self, region: str, account: str, repository: str, tag: str) -> dict[str, Any]:
        """
        Return an image of a private repository as ECR's DescribeImages has it.

        :param region: the repository's region.
        :param account: the account that owns the registry.
        :param repository: the repository's name.
        :param tag: the image's tag.
        :return: ``imagePushedAt`` (ISO text), ``imageDigest`` and others.
        :raises RefusedError: there is no such image.
        """
        wanted = {"registryId": account, "repositoryName": repository, "imageIds": [{"imageTag": tag}]}
        answer = self._of("ecr", "describe_images", "imageDetails", region=region, **wanted)
        found: dict[str, Any] = dict(next(iter(answer["imageDetails"]), {}))
        pushed = found.get("imagePushedAt")
        return {**found, "imagePushedAt": pushed.isoformat()} if isinstance(pushed, datetime) else found

    def _resource(self, operation: str, member: str, **params: Any) -> dict[str, Any]:
        answer = self._call(operation, expect=member, **params)
        found = answer[member]
        if not isinstance(found, dict) or not isinstance(found.get("arn"), str):
            raise malformed(answer, operation, f"{member}.arn")
        return found

    # -- findings ------------------------------------------------------------------------------------------

    def list_image_scan_findings(self, arn: str) -> Iterator[dict[str, Any]]:
        """
        Yield the findings of an image's scan, page by page, as ListImageScanFindings has them.

        It has those of scans of a test instance and of a container image. Those of a scan of the AMI itself
        (``ON_DEMAND_AMI_CVE``) are in :meth:`get_image_findings`.

        :param arn: image build version ARN.
        :raises MalformedAnswerError: the list has no end: a page token repeats, or there are more than
            :data:`FINDING_PAGES` pages.
        """
        wanted = {"name": "imageBuildVersionArn", "values": [arn]}
        return self._pages(
            "list_image_scan_findings", "findings", most=FINDING_PAGES, filters=[wanted], maxResults=100
        )

    def count_image_scan_findings(self, arn: str) -> dict[str, int] | None:
        """
        Return AWS's own counts of an image's findings (ListImageScanFindingAggregations).

        :param arn: image build version ARN.
        :return: ``all``, ``critical``, ``high`` and ``medium``: AWS counts no others. ``None`` if AWS has no
            counts of this image.
        """
        wanted = {"name": "imageBuildVersionArn", "values": [arn]}
        for record in self._pages("list_image_scan_finding_aggregations", "responses", filter=wanted):
            found = record.get("imageAggregation") or {}
            if found.get("imageBuildVersionArn") == arn:
                return dict(found.get("severityCounts") or {})
        return None

    def get_image_findings(self, ami: str, region: str) -> Iterator[dict[str, Any]]:
        """
        Yield the findings of a scan of an AMI, page by page, as EC2's GetImageFindings has them.

        :param ami: the AMI's id.
        :param region: the AMI's region.
        :raises OutdatedBoto3Error: the installed boto3 lacks GetImageFindings; nothing was sent.
        :raises MalformedAnswerError: as of :meth:`list_image_scan_findings`.
        """
        operation, member = "get_image_findings", "ImageFindings"
        pages, token = Pages(operation, member, most=FINDING_PAGES), dict[str, Any]()
        client = self.client_of("ec2", region)

        def renew() -> Any:
            return self.client_of("ec2", region)

        while True:
            given = {"ImageId": ami, "MaxResults": 1000, **token}
            answer = call(client, operation, expect=member, patience=PATIENCE, renew=renew, **given)
            for record in mappings(pages.records(answer), operation, member):
                yield dict(record)
            following = pages.after({"nextToken": answer.get("NextToken")})
            if not following:
                return
            token = {"NextToken": following["nextToken"]}

    # -- async ---------------------------------------------------------------------------------------------

    async def connect(self) -> AbstractAsyncContextManager[Any]:
        """Return the context manager of an aiobotocore client, which is made outside the event loop."""
        with connection_read():
            client: AbstractAsyncContextManager[Any] = await uninterrupted(self.get_async_conn())
        return client

    async def acancel_image(
        self,
        arn: str,
        client_token: str,
        *,
        patience: float = 20.0,
        settle: float = 0.0,
        before_each: Callable[[], Awaitable[None]] | None = None,
    ) -> dict[str, Any]:
        """
        Submit CancelImageCreation and return the image after it.

        If AWS refuses because the image has finished by itself, this returns the finished image.

        :param arn: image build version ARN.
        :param client_token: 1 to 64 characters.
        :param patience: seconds for which each call is retried (default: 20).
        :param settle: seconds to wait for the image to finish, since AWS cancels after it has answered
            (default: 0).
        :param before_each: awaited before each attempt of CancelImageCreation. An error of it stops the
            attempts, so that a cancel that AWS throttled does not hit an image that was repaired meanwhile.
        :return: GetImage's ``image``.
        :raises RefusedError: AWS refused, and the image is still in progress.
        """
        refused = None
        async with aclosing(AioClient(self.connect, call_timeout=_CALL_TIMEOUT)) as client:

            async def once(operation: str, **call: Any) -> dict[str, Any]:
                if before_each is not None:
                    await before_each()
                return await client.call(operation, **call)

            cancel: dict[str, Any] = {"imageBuildVersionArn": arn, "clientToken": client_token}
            try:
                await acall(once, "cancel_image_creation", patience=patience, **cancel)
            except RefusedError as error:
                refused = error
            image = await self._asettled(client, arn, patience, settle)
        if refused and not is_image_terminal(image["state"]["status"]):
            raise refused
        return image

    @staticmethod
    async def _asettled(client: AioClient, arn: str, patience: float, settle: float) -> dict[str, Any]:
        end, wait = time.monotonic() + settle, 1.0
        while True:
            answer = await acall(
                client.call, "get_image", expect="image", patience=patience, imageBuildVersionArn=arn
            )
            image = _image_in(answer)
            if is_image_terminal(image["state"]["status"]) or time.monotonic() >= end:
                return image
            await asyncio.sleep(wait)
            wait = min(1.5 * wait, _SETTLE_INTERVAL)

    # -- calls ---------------------------------------------------------------------------------------------

    def _call(self, operation: str, *, expect: str, patience: Patience = PATIENCE, **params: Any) -> Any:
        def renew() -> Any:
            self.__dict__.pop("conn", None)  # the provider's cached property
            return self._client(operation)

        client = self._client(operation)
        return call(client, operation, expect=expect, patience=patience, renew=renew, **params)

    def _of(self, service: str, operation: str, member: str, region: str | None = None, **params: Any) -> Any:
        """Call an operation of another service of AWS, in the region of this hook's client by default."""
        place = region or self._client(operation).meta.region_name

        def client() -> Any:
            try:
                session = self.get_session(region_name=place)
                endpoint = self.conn_config.get_service_endpoint_url(service)
                return session.client(service, region_name=place, endpoint_url=endpoint, verify=self.verify)
            except (BotoCoreError, ClientError) as error:
                raise translate(error, operation) from error

        return call(client(), operation, expect=member, patience=PATIENCE, renew=client, **params)

    def _client(self, operation: str) -> Any:
        """Return the client. If it cannot be made (no region, no such role), raise as its call would."""
        try:
            return self.conn
        except (BotoCoreError, ClientError) as error:
            raise translate(error, operation) from error

    def _arn(self, operation: str, *, patience: Patience = PATIENCE, **params: Any) -> str:
        answer = self._call(operation, expect="imageBuildVersionArn", patience=patience, **params)
        return str(answer["imageBuildVersionArn"])

    def _pages(
        self, operation: str, member: str, *, most: int = PAGES, **params: Any
    ) -> Iterator[dict[str, Any]]:
        pages, token = Pages(operation, member, most=most), dict[str, Any]()
        while True:
            answer = self._call(operation, expect=member, **params, **token)
            for record in mappings(pages.records(answer), operation, member):
                yield dict(record)
            token = pages.after(answer)
            if not token:
                return


def _named(names: Sequence[str]) -> dict[str, Any]:
    return {"filters": [{"name": "name", "values": list(names)}]} if names else {}


def _image_in(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return GetImage's ``image``; raise MalformedAnswerError if it has no status."""
    image: dict[str, Any] = answer["image"]
    if not has_status(image):
        raise malformed(answer, "get_image", "image.state.status")
    return image
