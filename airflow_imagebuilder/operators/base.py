"""The base of the operators: the connection, and a hook that is made only when a task runs."""

from __future__ import annotations

import time
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_imagebuilder.operators.arguments import partial_faults, refuse, unknown_arguments
from airflow_imagebuilder.operators.options import option_faults
from airflow_imagebuilder.service.errors import Fault, ImageBuilderError, InvalidRequestError
from airflow_imagebuilder.service.request.fields.templates import is_blank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_imagebuilder.hooks import ImageBuilderHook
    from airflow_imagebuilder.operators.arguments.keywords import TaskArguments
    from airflow_imagebuilder.operators.options import Option

AWS_FIELDS = ("aws_conn_id", "region_name", "verify", "botocore_config")


class ImageBuilderBaseOperator(BaseOperator):
    """
    An operator that calls EC2 Image Builder.

    The parameters are those of the amazon provider's ``AwsBaseOperator``. That class is not used, because
    it imports boto3: half a second and 34 MB for each parse of each Dag file.

    :param aws_conn_id: the AWS connection (default: ``aws_default``); ``None`` takes boto3's own chain of
        credentials.
    :param region_name: the region; ``None`` (default) takes the connection's.
    :param verify: whether to verify TLS certificates, or the path of a bundle to verify them against;
        ``None`` (default) takes the connection's.
    :param botocore_config: arguments of ``botocore.config.Config``; ``None`` (default) takes the
        connection's.
    """

    template_fields: Sequence[str] = AWS_FIELDS
    own_options: Mapping[str, Option] = MappingProxyType({})
    """The options that only this operator has; each of its base classes has others."""

    def __init__(
        self,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Unpack[TaskArguments],
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
        """Check what is known at parse: Airflow makes mapped operators only when their tasks run."""
        refuse(partial_faults(cls, kwargs), of=f"task {kwargs.get('task_id')!r}")
        return super().partial(**kwargs)

    @property
    def output(self) -> Any:
        """The result of this task as an argument of another one, whatever type that argument has."""
        return super().output

    def _refuse_options(self) -> None:
        """Check this package's parameters that are set so far. Each class calls this after it set its own."""
        refuse(option_faults(vars(self), self.own_options), of=f"task {self.task_id!r}")

    @cached_property
    def hook(self) -> ImageBuilderHook:
        """The hook of this operator's connection."""
        from airflow_imagebuilder.hooks import ImageBuilderHook

        aws = self.aws
        refuse(option_faults(aws))  # as templates have rendered them
        try:
            return ImageBuilderHook(config=aws.pop("botocore_config"), **aws)
        except TypeError as error:  # of botocore.config.Config, for an argument that it does not take
            value, allowed = self.botocore_config, "a mapping of botocore.config.Config's arguments"
            raise InvalidRequestError([Fault("botocore_config", value, allowed, str(error))]) from None

    def wait_until(self, context: Context, timeout: timedelta, since: float | None = None) -> float:
        """
        Return the Unix time at which a wait is over.

        :param context: the task's context.
        :param timeout: how long the wait may take. ``execution_timeout``, from the start of the try, counts
            too: Airflow's own does not reach a deferred task.
        :param since: Unix time from which ``timeout`` counts; ``None`` (default) means now.
        """
        deadline = (since or time.time()) + timeout.total_seconds()
        started = getattr(context["ti"], "start_date", None)
        if self.execution_timeout and started:
            deadline = min(deadline, (started + self.execution_timeout).timestamp())
        return deadline

    def readable_steps(self, execution_id: str) -> list[dict[str, Any]]:
        """Return a workflow's steps; none if AWS does not list them: its failure is still reported."""
        try:
            return self.hook.list_workflow_step_executions(execution_id)
        except ImageBuilderError as error:
            self.log.warning("Could not list the workflow's steps: %s", error)
            return []

    @property
    def aws(self) -> dict[str, Any]:
        """The connection's parameters, as a trigger takes them."""
        given = {name: getattr(self, name) for name in AWS_FIELDS}
        # A form leaves an optional parameter as empty text, which means "not given". The connection's id is
        # different: empty text names no connection.
        blank = {name for name in AWS_FIELDS if name != "aws_conn_id" and is_blank(given[name])}
        return {name: None if name in blank else value for name, value in given.items()}
