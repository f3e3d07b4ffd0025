"""What the operators share: the connection, and nothing that makes a Dag file import boto3."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_imagebuilder.service.errors import ImageBuilderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_imagebuilder.hooks import ImageBuilderHook

AWS_FIELDS = ("aws_conn_id", "region_name", "verify", "botocore_config")


class ImageBuilderBaseOperator(BaseOperator):
    """
    An operator that talks to EC2 Image Builder.

    The parameters are those of the amazon provider's ``AwsBaseOperator``, which is not used here because
    importing it imports boto3: half a second and 34 MB for every parse of every Dag file.

    :param aws_conn_id: the AWS connection; ``None`` takes boto3's own chain of credentials.
    :param region_name: the region; ``None`` takes the connection's.
    :param verify: whether, or against which bundle, to verify TLS certificates.
    :param botocore_config: botocore configuration, see ``botocore.config.Config``.
    """

    template_fields: Sequence[str] = AWS_FIELDS

    def __init__(
        self,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    @cached_property
    def hook(self) -> ImageBuilderHook:
        """The hook of this operator's connection."""
        from airflow_imagebuilder.hooks import ImageBuilderHook

        return ImageBuilderHook(
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=self.botocore_config,
        )

    def steps_if_told(self, execution_id: str) -> list[dict[str, Any]]:
        """Return a workflow's steps; none where AWS does not tell them: the failure counts all the same."""
        try:
            return self.hook.list_workflow_step_executions(execution_id)
        except ImageBuilderError as error:
            self.log.warning("The steps cannot be told: %s", error)
            return []

    @property
    def aws(self) -> dict[str, Any]:
        """The connection's parameters, to hand over to a trigger."""
        return {name: getattr(self, name) for name in AWS_FIELDS}
