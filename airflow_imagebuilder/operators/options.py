"""The parameters that AWS does not have, as a table: connection, waiting, retries, kills."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from os import PathLike
from typing import Any

from airflow_imagebuilder.service.arns.arns import (
    ContainerRecipeArn,
    ImageBuildVersionArn,
    ImagePipelineArn,
    ImageRecipeArn,
)
from airflow_imagebuilder.service.arns.grammar import misplaced_wildcard
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.gates.allow_list import read_allow_list
from airflow_imagebuilder.service.gates.findings import limit_faults
from airflow_imagebuilder.service.gates.needs.question import CHECKS, IfBuilding, WhenUnknown
from airflow_imagebuilder.service.gates.newest_image import moment
from airflow_imagebuilder.service.gates.scans.scan import SCAN_TYPES
from airflow_imagebuilder.service.request import WorkflowType
from airflow_imagebuilder.service.request.fields.fields import (
    ArnText,
    Choice,
    Flag,
    Later,
    ListOf,
    MapOf,
    Shape,
    Text,
)
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late, never
from airflow_imagebuilder.service.submission.decision import OnRetry


@dataclass(frozen=True, kw_only=True)
class Seconds(Shape):
    """A number of seconds, or a timedelta."""

    allowed: str = "seconds above 0, as a number or a timedelta"

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        number = value.total_seconds() if isinstance(value, timedelta) else value
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            yield Fault(
                path, value, self.allowed, "write the number alone, such as 30, or timedelta(seconds=30)"
            )
        elif not 0 < number < math.inf:
            yield Fault(path, value, self.allowed, "write a number above 0, or leave it out")


LONGEST = timedelta(days=366)
"""The longest time that a wait may take. Python cannot add every timedelta to a date."""


@dataclass(frozen=True, kw_only=True)
class Duration(Shape):
    """A timedelta that can be added to a date."""

    allowed: str = "a timedelta above 0, a year at most"

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if isinstance(value, timedelta):
            if not timedelta(0) < value <= LONGEST:
                yield Fault(path, value, self.allowed, "write one in this range, or leave it out")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield Fault(path, value, self.allowed, f"write timedelta(seconds={value})")
        else:
            yield Fault(path, value, self.allowed, "write a timedelta, such as timedelta(hours=4)")


@dataclass(frozen=True, kw_only=True)
class Boolean(Shape):
    """``True`` or ``False``, not as text: Airflow does not render it."""

    allowed: str = "True or False"

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if not isinstance(value, bool):
            yield Fault(path, value, self.allowed, "write one of these, without quotes")


@dataclass(frozen=True, kw_only=True)
class InstanceOf(Shape):
    """A value of one of some types.

    :param types: the types.
    """

    types: tuple[type, ...]

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        # botocore's own Config is known by its module: a Dag file parses without botocore.
        if not isinstance(value, self.types) and type(value).__module__ != "botocore.config":
            yield Fault(path, value, self.allowed, "write one of these, or leave it out")


@dataclass(frozen=True, kw_only=True)
class ImageArn(ArnText):
    """The ARN of an image. A task without an image pushes no ARN, and Jinja renders that as ``None``."""

    def is_unset(self, value: object) -> bool:
        """Return whether the ARN is missing."""
        return value == "None" or super().is_unset(value)


@dataclass(frozen=True, kw_only=True)
class UnixTime(Shape):
    """A Unix time in seconds, or the text of one; Jinja renders a missing one as ``None``."""

    def is_unset(self, value: object) -> bool:
        """Return whether the time is missing."""
        return value == "None" or super().is_unset(value)

    allowed: str = "a Unix time in seconds"

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        try:
            fits = isinstance(value, (int, float, str)) and math.isfinite(float(value))
        except (ValueError, OverflowError):
            fits = False
        if not fits or isinstance(value, bool):
            yield Fault(path, value, self.allowed, "write a number, or leave it out")


@dataclass(frozen=True, kw_only=True)
class Position(Shape):
    """A position in a list, counted from 0."""

    allowed: str = "0, 1, 2, ..."

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            yield Fault(path, value, self.allowed, "count from 0")


@dataclass(frozen=True, kw_only=True)
class Wish(Flag):
    """A flag that a form or a Dag's params give; Jinja renders a missing one as ``None``."""

    allowed: str = "True or False, also as text"

    def is_unset(self, value: object) -> bool:
        """Return whether the flag is missing."""
        return value == "None" or super().is_unset(value)

    def clean(self, value: Any) -> Any:
        """Return the flag, where it is given as text."""
        return super().clean(value.strip() if isinstance(value, str) else value)


@dataclass(frozen=True, kw_only=True)
class VersionText(Shape):
    """A version of an image, or a pattern of versions as AWS writes it: ``1.x.x``."""

    allowed: str = "1.2.3, or with wildcards on the right: 1.2.x, 1.x.x"

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        node = "(?:[0-9]+|x)"
        if not isinstance(value, str) or not re.fullmatch(rf"{node}\.{node}\.{node}", value, re.ASCII):
            yield Fault(path, value, self.allowed, "write three parts, without a build number")
        elif wrong := misplaced_wildcard(value):
            yield Fault(path, value, self.allowed, wrong)


@dataclass(frozen=True, kw_only=True)
class Moment(Shape):
    """A time: a datetime, or ISO text. Jinja renders a missing one as ``None``."""

    allowed: str = "a datetime, or ISO text such as 2026-01-31T06:00:00Z"

    def is_unset(self, value: object) -> bool:
        """Return whether the time is missing."""
        return value == "None" or super().is_unset(value)

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if isinstance(value, datetime) or self.is_unset(value):
            return
        try:
            moment(str(value) if isinstance(value, str) else "")
        except ValueError:
            yield Fault(path, value, self.allowed, "write one of these, or leave it out")


@dataclass(frozen=True, kw_only=True)
class Limits(Shape):
    """The most findings of each severity."""

    def _faults(self, path: str, value: object, later: Later) -> Iterator[Fault]:
        yield from limit_faults(path, value, later)


@dataclass(frozen=True, kw_only=True)
class AllowList(Shape):
    """Accepted findings, or the place where they are listed: its content is checked when the task runs."""

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if isinstance(value, (str, PathLike)):
            return
        try:
            read_allow_list(value, path)
        except InvalidRequestError as error:
            yield from error.faults


@dataclass(frozen=True, kw_only=True)
class Distributions(Shape):
    """AWS's ``Distribution`` of each region, as a list or inside of a distribution configuration."""

    allowed: str = "a list of AWS's Distribution, each with its region, or a mapping with it as distributions"

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        listed = value.get("distributions") if isinstance(value, Mapping) else value
        if not isinstance(listed, (list, tuple)):
            yield Fault(path, value, self.allowed, "write one of these, or leave it out")
            return
        for number, item in enumerate(listed):
            if not (isinstance(item, Mapping) and isinstance(item.get("region"), str)):
                yield Fault(f"{path}[{number}]", item, "a mapping with a region", "give it its region")


_NAME = Text(allowed="a name")
_ANY = Text(allowed="text")

OPTIONS: Mapping[str, Shape] = {
    "aws_conn_id": Text(allowed="the id of an AWS connection, or None for boto3's own credentials"),
    "region_name": Text(allowed="a region, such as eu-west-1"),
    "verify": InstanceOf(allowed="True, False, or the path of a bundle of certificates", types=(bool, str)),
    "botocore_config": InstanceOf(
        allowed="a mapping of botocore.config.Config's arguments", types=(Mapping,)
    ),
    "timeout": Duration(),
    "poll_interval": Seconds(),
    "on_retry": Choice(words=tuple(word.value for word in OnRetry)),
    "deferrable": Boolean(),
    "wait_for_completion": Boolean(),
    "cancel_on_kill": Boolean(),
    "delete_outputs_on_kill": Boolean(),
    "fail_on_test_failure": Boolean(),
    "image_build_version_arn": ImageArn(kind=ImageBuildVersionArn.KIND),
    "pipeline_arn": ArnText(kind=ImagePipelineArn.KIND),
    "image_name": Text(allowed="the name of an image, such as golden-web"),
    "version": VersionText(),
    "since": Moment(),
    "stale_until": UnixTime(),
    "stale_failure": Text(allowed="the id of a workflow execution"),
    "submitted_by": Text(allowed="the seed of a try"),
    "submitted_at": UnixTime(),
    "submitter": Text(allowed="the id of a task"),
    "guard": Text(allowed="the id of a task"),
    "workflow_type": Choice(words=tuple(WorkflowType.__members__)),
    "workflow": _NAME,
    "parallel_group": _NAME,
    "ordinal": Position(),
    "image_recipe_arn": ArnText(kind=ImageRecipeArn.KIND),
    "container_recipe_arn": ArnText(kind=ContainerRecipeArn.KIND),
    "checks": ListOf(allowed=f"a list of {', '.join(CHECKS)}", member=Choice(words=CHECKS)),
    "max_age": Duration(),
    "force": Wish(),
    "if_building": Choice(words=tuple(word.value for word in IfBuilding)),
    "when_unknown": Choice(words=tuple(word.value for word in WhenUnknown)),
    "ignore_downstream_trigger_rules": Boolean(),
    "max_findings": Limits(allowed="the most findings of each severity"),
    "only_fixable": Boolean(),
    "allow_list": AllowList(),
    "scan_type": Choice(words=SCAN_TYPES),
    "account_conn_ids": MapOf(
        key=Text(pattern="[0-9]{12}", allowed="an account id of twelve digits, as text"),
        value=Text(minimum=1, allowed="the id of an AWS connection"),
        allowed="a mapping of account ids to ids of AWS connections",
    ),
    "expected": Distributions(),
    "require_tags": MapOf(key=_ANY, value=_ANY, allowed="a mapping of tags to values"),
    "require_encryption": Boolean(),
    "regions": ListOf(
        member=Text(pattern="[a-z]{2,}(-[a-z]+)+-[0-9]+", allowed="a region, such as eu-west-1"),
        allowed="a list of regions",
    ),
    "fail_on_unverified": Boolean(),
    "patience": Seconds(),
}
"""Every parameter that AWS does not have, by its name in the operators and the task group."""

_ALWAYS = frozenset(
    {name for name, shape in OPTIONS.items() if isinstance(shape, (Boolean, Duration, Position))}
    - {"max_age"}
    | {"workflow_type"}
)
_TEMPLATED = frozenset(
    {
        "aws_conn_id",
        "region_name",
        "verify",
        "botocore_config",
        "on_retry",
        "image_build_version_arn",
        "pipeline_arn",
        "image_name",
        "version",
        "since",
        "stale_until",
        "stale_failure",
        "submitted_by",
        "submitted_at",
        "image_recipe_arn",
        "container_recipe_arn",
        "force",
        "if_building",
        "when_unknown",
        "max_findings",
        "allow_list",
        "scan_type",
        "account_conn_ids",
        "expected",
        "require_tags",
        "regions",
    }
)


def option_faults(given: Mapping[str, object]) -> Iterator[Fault]:
    """
    Yield what is wrong with options. A template is not checked where Airflow renders the option.

    :param given: options by the names of :data:`OPTIONS`; other names are ignored.
    """
    for name, shape in OPTIONS.items():
        value = given.get(name)
        if name not in given:
            continue
        if name in _ALWAYS and value is None:
            yield Fault(name, None, shape.allowed, "leave it out for the default")
        elif name not in _TEMPLATED:
            yield from shape.faults(name, value, never)
        elif not shape.is_unset(value):
            yield from shape.faults(name, value, is_late)


SOURCES = ("image_build_version_arn", "pipeline_arn", "image_name")
"""The parameters that name the image which a sensor waits for, each in its own way."""


def source_faults(given: Mapping[str, object], *, rendered: bool = False) -> Iterator[Fault]:
    """
    Yield what is wrong with the parameters that name the image of a sensor.

    :param given: the parameters by their names.
    :param rendered: whether templates have rendered them (default: no).
    """
    if rendered:
        for name in (*SOURCES, "version", "since"):
            if not OPTIONS[name].is_unset(given[name]):
                yield from OPTIONS[name].faults(name, given[name], never)
    named = [name for name in SOURCES if not OPTIONS[name].is_unset(given[name])]
    if len(named) != 1:
        got = {name: given[name] for name in named} or None
        remedy = "leave the others out" if named else "give the one that names the image"
        yield Fault("image", got, f"exactly one of {', '.join(SOURCES)}", remedy)
    if named == ["image_build_version_arn"]:
        for name in ("version", "since"):
            if not OPTIONS[name].is_unset(given[name]):
                yield Fault(name, given[name], "nothing", "leave it out: the ARN names one image")
    elif named == ["pipeline_arn"] and not OPTIONS["version"].is_unset(given["version"]):
        yield Fault("version", given["version"], "with image_name only", "leave it out")


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
    if faults := list(OPTIONS["on_retry"].faults("on_retry", rendered, never)):
        raise InvalidRequestError(faults)
    return OnRetry(rendered)
