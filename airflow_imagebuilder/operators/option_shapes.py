"""The types of parameters that AWS does not have: durations, flags, times, limits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from os import PathLike
from typing import Any

from airflow_imagebuilder.service.arns.grammar import misplaced_wildcard
from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.gates.allow_list import read_allow_list
from airflow_imagebuilder.service.gates.findings import limit_faults
from airflow_imagebuilder.service.gates.newest_image import as_utc, moment
from airflow_imagebuilder.service.request.fields.fields import (
    ArnText,
    Flag,
    Later,
    ListOf,
    MapOf,
    Shape,
    Structure,
    Text,
)


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
    """A timedelta that can be added to a date.

    :ivar unit: what a plain number is likely to mean.
    """

    allowed: str = "a timedelta above 0, a year at most"
    unit: str = "seconds"

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        if isinstance(value, timedelta):
            if not timedelta(0) < value <= LONGEST:
                yield Fault(path, value, self.allowed, "write one in this range, or leave it out")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield Fault(path, value, self.allowed, f"write timedelta({self.unit}={value})")
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
        if self.is_unset(value):
            return
        try:
            as_utc(value) if isinstance(value, datetime) else moment(value if isinstance(value, str) else "")
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

    def _faults(self, path: str, value: object, later: Later) -> Iterator[Fault]:
        listed = value.get("distributions") if isinstance(value, Mapping) else value
        if not isinstance(listed, (list, tuple)):
            yield Fault(path, value, self.allowed, "write one of these, or leave it out")
            return
        for number, item in enumerate(listed):
            if not (isinstance(item, Mapping) and isinstance(item.get("region"), str)):
                yield Fault(f"{path}[{number}]", item, "a mapping with a region", "give it its region")
            else:
                # What a misspelt member asks for would not be verified.
                yield from _DISTRIBUTION.faults(f"{path}[{number}]", item, later)


@dataclass(frozen=True, kw_only=True)
class Anything(Shape):
    """A value that is not read."""

    def _wrong(self, path: str, value: object) -> Iterator[Fault]:
        yield from ()


_TEXT = Text(allowed="text", blank_is_unset=False)
_TEXTS = ListOf(member=_TEXT, allowed="a list of texts")
_MEMBERS = "a mapping with AWS's members"


def _listed(required: str, **members: Shape) -> ListOf:
    return ListOf(
        member=Structure(members={required: _TEXT, **members}, required=(required,), allowed=_MEMBERS),
        allowed="a list of mappings",
    )


_DISTRIBUTION = Structure(
    allowed=_MEMBERS,
    members={
        "region": _TEXT,
        "amiDistributionConfiguration": Structure(
            allowed=_MEMBERS,
            members={
                **dict.fromkeys(("name", "description", "kmsKeyId"), _TEXT),
                "targetAccountIds": _TEXTS,
                "amiTags": MapOf(key=_TEXT, value=_TEXT, allowed="a mapping of tags to values"),
                "launchPermission": Structure(
                    allowed=_MEMBERS,
                    members=dict.fromkeys(
                        ("userIds", "userGroups", "organizationArns", "organizationalUnitArns"), _TEXTS
                    ),
                ),
            },
        ),
        "containerDistributionConfiguration": Structure(
            allowed=_MEMBERS,
            members={
                "description": _TEXT,
                "containerTags": _TEXTS,
                "targetRepository": Structure(
                    allowed=_MEMBERS, members={"service": _TEXT, "repositoryName": _TEXT}
                ),
            },
        ),
        "launchTemplateConfigurations": _listed(
            "launchTemplateId", accountId=_TEXT, setDefaultVersion=Boolean()
        ),
        "ssmParameterConfigurations": _listed("parameterName", amiAccountId=_TEXT, dataType=_TEXT),
        **dict.fromkeys(
            ("fastLaunchConfigurations", "licenseConfigurationArns", "s3ExportConfiguration"), Anything()
        ),
    },
)
"""AWS's ``Distribution`` (API reference), with what is verified of it."""
