"""The parameters that AWS does not have, as tables: connection, waiting, retries, kills."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_imagebuilder.operators.option_shapes import (
    Boolean,
    Duration,
    ImageArn,
    InstanceOf,
    Position,
    Seconds,
    UnixTime,
)
from airflow_imagebuilder.service.arns.arns import ImageBuildVersionArn
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.request import WorkflowType
from airflow_imagebuilder.service.request.fields.fields import Choice, Shape, Text
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late, never
from airflow_imagebuilder.service.submission.decision import OnRetry

if TYPE_CHECKING:
    from collections.abc import Iterator


class Option(NamedTuple):
    """
    A parameter that AWS does not have.

    :param shape: what it may be.
    :param templated: whether Airflow renders it, so that a template is not checked at parse (default: no).
    :param required: whether ``None`` is refused (default: no).
    """

    shape: Shape
    templated: bool = False
    required: bool = False


_NAME = Text(allowed="a name")
_TASK = Text(allowed="the id of a task")

OPTIONS: Mapping[str, Option] = {
    "aws_conn_id": Option(
        Text(allowed="the id of an AWS connection, or None for boto3's own credentials"), templated=True
    ),
    "region_name": Option(Text(allowed="a region, such as eu-west-1"), templated=True),
    "verify": Option(
        InstanceOf(allowed="True, False, or the path of a bundle of certificates", types=(bool, str)),
        templated=True,
    ),
    "botocore_config": Option(
        InstanceOf(allowed="a mapping of botocore.config.Config's arguments", types=(Mapping,)),
        templated=True,
    ),
    "timeout": Option(Duration(), required=True),
    "poll_interval": Option(Seconds()),
    "on_retry": Option(Choice(words=tuple(word.value for word in OnRetry)), templated=True),
    "deferrable": Option(Boolean(), required=True),
    "wait_for_completion": Option(Boolean(), required=True),
    "cancel_on_kill": Option(Boolean(), required=True),
    "delete_outputs_on_kill": Option(Boolean(), required=True),
    "fail_on_test_failure": Option(Boolean(), required=True),
    "image_build_version_arn": Option(ImageArn(kind=ImageBuildVersionArn.KIND), templated=True),
    "stale_until": Option(UnixTime(), templated=True),
    "stale_failure": Option(Text(allowed="the id of a workflow execution"), templated=True),
    "submitted_by": Option(Text(allowed="the seed of a try"), templated=True),
    "submitted_at": Option(UnixTime(), templated=True),
    "submitter": Option(_TASK),
    "guard": Option(_TASK),
    "workflow_type": Option(Choice(words=tuple(WorkflowType.__members__)), required=True),
    "workflow": Option(_NAME),
    "parallel_group": Option(_NAME),
    "ordinal": Option(Position(), required=True),
}
"""The parameters of the operators and the task group that make or await an image, by name."""


def option_faults(
    given: Mapping[str, object], own: Mapping[str, Option] = MappingProxyType({})
) -> Iterator[Fault]:
    """
    Yield what is wrong with options. A template is not checked where Airflow renders the option.

    :param given: options by name; those of neither table are ignored.
    :param own: the options that an operator has beside :data:`OPTIONS` (default: none).
    """
    for name, option in {**OPTIONS, **own}.items():
        if name not in given:
            continue
        shape, value = option.shape, given[name]
        if option.required and value is None:
            yield Fault(name, None, shape.allowed, "leave it out for the default")
        elif not option.templated:
            yield from shape.faults(name, value, never)
        elif not shape.is_unset(value):
            yield from shape.faults(name, value, is_late)


def read_json(name: str, text: str) -> Any:
    """
    Return the structure that a template rendered as JSON.

    :param name: the parameter, for the error.
    :raises InvalidRequestError: the text is not JSON.
    """
    try:
        return json.loads(text)
    except ValueError:
        allowed = "a template that renders to JSON"
        remedy = "write {{ ... | tojson }}, or render_template_as_native_obj=True on the Dag"
        raise InvalidRequestError([Fault(name, text, allowed, remedy)]) from None


def as_seconds(interval: float | timedelta | None) -> float | None:
    """Return an interval in seconds; ``None`` stays ``None``."""
    return interval.total_seconds() if isinstance(interval, timedelta) else interval


def as_on_retry(rendered: object) -> OnRetry:
    """
    Return what to do on a retry; ``None`` and empty text are the default, ``repair``.

    :param rendered: the option as a template has rendered it.
    :raises InvalidRequestError: the option has no such value.
    """
    if rendered is None or is_blank(rendered):
        return OnRetry.REPAIR
    if faults := list(OPTIONS["on_retry"].shape.faults("on_retry", rendered, never)):
        raise InvalidRequestError(faults)
    return OnRetry(rendered)
