"""The hook: EC2 Image Builder through an Airflow connection, sync and async."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.compat import connection_read, uninterrupted
from airflow_imagebuilder.hooks.calls import PATIENCE, Patience
from airflow_imagebuilder.hooks.findings import FindingReader
from airflow_imagebuilder.hooks.images import ImageReader, image_in
from airflow_imagebuilder.hooks.resources import ResourceReader
from airflow_imagebuilder.service.client.aio_client import AioClient
from airflow_imagebuilder.service.client.cleanup import delete_outputs
from airflow_imagebuilder.service.client.outdated import check_members
from airflow_imagebuilder.service.client.retries import acall
from airflow_imagebuilder.service.errors import RefusedError
from airflow_imagebuilder.service.results.states import is_image_terminal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from airflow_imagebuilder.service.request.image_request import ImageRequest
    from airflow_imagebuilder.service.request.pipeline_request import PipelineRequest

_CALL_TIMEOUT = 20.0
"""Seconds after which an asynchronous call without an answer is repeated."""

_SETTLE_INTERVAL = 15.0
"""Maximum seconds between two polls of an image that is being cancelled."""


class ImageBuilderHook(ImageReader, ResourceReader, FindingReader):
    """
    Call EC2 Image Builder with the credentials, region and configuration of an AWS connection.

    Every call goes through the package's own retry policy, because botocore's standard and adaptive modes
    do not retry ``CallRateLimitExceededException``. The methods return the plain mappings of the API, and
    each raises the subclasses of ``AwsError`` in :mod:`airflow_imagebuilder.service.errors`.

    :param aws_conn_id: a connection of the type *Amazon Web Services* (default: ``aws_default``); ``None``
        takes boto3's own chain of credentials. This package has no type of its own: the provider's connection
        warns of every other one.
    :param region_name: the region to build in; ``None`` (default) takes the connection's.
    :param verify: whether to verify TLS certificates, or the path of a bundle to verify them against;
        ``None`` (default) takes the connection's.
    :param config: botocore configuration, a mapping or ``botocore.config.Config``; ``None`` (default) takes
        the connection's.

    .. seealso:: :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsGenericHook`
    """

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
        check_members(self.image_builder("create_image"), "CreateImage", members)
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
        check_members(self.image_builder(operation), "StartImagePipelineExecution", members)
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

    def delete_outputs(self, image: Mapping[str, Any]) -> list[str]:
        """Deregister the AMIs of an image that has finished, and delete their snapshots; return the ids."""
        return delete_outputs(image, lambda region: self.client_of("ec2", region))

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
            image = image_in(answer)
            if is_image_terminal(image["state"]["status"]) or time.monotonic() >= end:
                return image
            await asyncio.sleep(wait)
            wait = min(1.5 * wait, _SETTLE_INTERVAL)
