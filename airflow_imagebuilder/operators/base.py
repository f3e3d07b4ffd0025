"""What the operators share: the connection, and nothing that makes a Dag file import boto3."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_imagebuilder.operators.arguments import partial_faults, refuse, unknown_arguments
from airflow_imagebuilder.operators.options import option_faults
from airflow_imagebuilder.service.errors import Fault, ImageBuilderError, InvalidRequestError
from airflow_imagebuilder.service.request.fields.templates import is_blank

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
        refuse(unknown_arguments(type(self), kwargs), of=f"task {kwargs.get('task_id')!r}")
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._refuse_options()

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Check what is known already: Airflow makes the operators only when their tasks run."""
        refuse(partial_faults(cls, kwargs), of=f"task {kwargs.get('task_id')!r}")
        return super().partial(**kwargs)

    def _refuse_options(self) -> None:
        """Check the parameters of ours that are set so far; each class does, once it has set its own."""
        refuse(option_faults(vars(self)), of=f"task {self.task_id!r}")

    @cached_property
    def hook(self) -> ImageBuilderHook:
        """The hook of this operator's connection."""
        from airflow_imagebuilder.hooks import ImageBuilderHook

        aws = self.aws
        refuse(option_faults(aws))  # as templates have rendered them
        try:
            return ImageBuilderHook(config=aws.pop("botocore_config"), **aws)
        except TypeError as error:  # botocore.config.Config's, for an argument that it has not
            value, allowed = self.botocore_config, "a mapping of botocore.config.Config's arguments"
            raise InvalidRequestError([Fault("botocore_config", value, allowed, str(error))]) from None

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
        given = {name: getattr(self, name) for name in AWS_FIELDS}
        # An optional parameter that a form left empty is as if not given; that of the connection names none.
        blank = {name for name in AWS_FIELDS if name != "aws_conn_id" and is_blank(given[name])}
        return {name: None if name in blank else value for name, value in given.items()}
