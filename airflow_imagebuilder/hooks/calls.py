"""The calls of the hook: its clients, its retries, and the pages of a list."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from botocore.exceptions import BotoCoreError, ClientError

from airflow_imagebuilder.service.client.error_mapping import translate
from airflow_imagebuilder.service.client.pages import PAGES, Pages, mappings
from airflow_imagebuilder.service.client.retries import call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper

Patience = float | timedelta
PATIENCE = timedelta(minutes=2)
"""How long a call is retried through throttling and outages before it fails."""


class ImageBuilderCalls(AwsGenericHook[Any]):
    """Calls Image Builder, and other services, with the retry policy of this package."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "imagebuilder"
        super().__init__(*args, **kwargs)

    @cached_property
    def conn_config(self) -> AwsConnectionWrapper:
        """The connection. A misspelt id is an error: the provider would continue with other credentials."""
        if self.aws_conn_id and self.aws_conn_id != self.default_conn_name:
            self.get_connection(self.aws_conn_id)
        return super().conn_config

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

    def _call(self, operation: str, *, expect: str, patience: Patience = PATIENCE, **params: Any) -> Any:
        def renew() -> Any:
            self.__dict__.pop("conn", None)  # the provider's cached property
            return self.image_builder(operation)

        client = self.image_builder(operation)
        return call(client, operation, expect=expect, patience=patience, renew=renew, **params)

    def _of(self, service: str, operation: str, member: str, region: str | None = None, **params: Any) -> Any:
        """Call an operation of another service of AWS, in the region of this hook's client by default."""
        place = region or self.image_builder(operation).meta.region_name

        def renew() -> Any:
            return self.client_of(service, place, renew=True)

        client = self.client_of(service, place)
        return call(client, operation, expect=member, patience=PATIENCE, renew=renew, **params)

    def image_builder(self, operation: str) -> Any:
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
