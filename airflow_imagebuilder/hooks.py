"""The hook: EC2 Image Builder through an Airflow connection, sync and async."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from botocore.exceptions import BotoCoreError, ClientError

from airflow_imagebuilder.compat import connection_read, uninterrupted
from airflow_imagebuilder.service.client.aio_client import AioClient
from airflow_imagebuilder.service.client.answers import has_status, malformed
from airflow_imagebuilder.service.client.cleanup import delete_outputs
from airflow_imagebuilder.service.client.error_mapping import translate
from airflow_imagebuilder.service.client.outdated import check_members
from airflow_imagebuilder.service.client.pages import Pages, mappings
from airflow_imagebuilder.service.client.retries import acall, call
from airflow_imagebuilder.service.errors import RefusedError
from airflow_imagebuilder.service.results.states import is_image_terminal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper

    from airflow_imagebuilder.service.request.image_request import ImageRequest
    from airflow_imagebuilder.service.request.pipeline_request import PipelineRequest

Patience = float | timedelta
PATIENCE = timedelta(minutes=2)
"""How long a call is retried through throttling and outages before it fails."""

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

    def get_pipeline(self, arn: str, *, patience: Patience = PATIENCE) -> dict[str, Any]:
        """
        Return GetImagePipeline's ``imagePipeline``.

        :param arn: the ARN of the pipeline.
        :param patience: seconds (or a timedelta) for which the call is retried (default: 2 minutes).
        :raises NotFoundError: there is no such pipeline in this account and region.
        :raises MalformedAnswerError: the answer has no pipeline.
        """
        operation, member = "get_image_pipeline", "imagePipeline"
        answer = self._call(operation, expect=member, patience=patience, imagePipelineArn=arn)
        pipeline = answer[member]
        if not isinstance(pipeline, dict):
            raise malformed(answer, operation, member)
        return pipeline

    def delete_outputs(self, image: Mapping[str, Any]) -> list[str]:
        """Deregister the AMIs of an image that has finished, and delete their snapshots; return the ids."""
        return delete_outputs(image, self._ec2)

    def _ec2(self, region: str) -> Any:
        session = self.get_session(region_name=region)
        endpoint = self.conn_config.get_service_endpoint_url("ec2")
        return session.client("ec2", region_name=region, endpoint_url=endpoint, verify=self.verify)

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

    def _client(self, operation: str) -> Any:
        """Return the client. If it cannot be made (no region, no such role), raise as its call would."""
        try:
            return self.conn
        except (BotoCoreError, ClientError) as error:
            raise translate(error, operation) from error

    def _arn(self, operation: str, *, patience: Patience = PATIENCE, **params: Any) -> str:
        answer = self._call(operation, expect="imageBuildVersionArn", patience=patience, **params)
        return str(answer["imageBuildVersionArn"])

    def _pages(self, operation: str, member: str, **params: Any) -> Iterator[dict[str, Any]]:
        pages, token = Pages(operation, member), dict[str, Any]()
        while True:
            answer = self._call(operation, expect=member, **params, **token)
            for record in mappings(pages.records(answer), operation, member):
                yield dict(record)
            token = pages.after(answer)
            if not token:
                return


def _image_in(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return GetImage's ``image``; raise MalformedAnswerError if it has no status."""
    image: dict[str, Any] = answer["image"]
    if not has_status(image):
        raise malformed(answer, "get_image", "image.state.status")
    return image
