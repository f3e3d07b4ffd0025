"""Ami: an output of an image, and whether it is a golden one.

GetImage can list more AMIs than the image is meant to give:

* An image that is FAILED, CANCELLED, DISABLED or still in progress can hold AMIs. None of them is golden.
* An image of test workflows only ends with its *parent* AMI as output. It was tested, not built: not golden.
* The region of the build can hold the raw AMI of the build beside the one that the distribution configuration
  asks for (both were seen in one answer of AWS's CLI documentation). The one whose name the configuration
  asks for is golden; if the names do not decide, the one that GetImage lists last, since the raw AMI is made
  first.
* A distribution configuration without the region of the build leaves the raw AMI there, without the tags and
  launch permissions of the configuration. It is not golden. Without any distribution configuration, that AMI
  is the output, and golden.
* An entry without an AMI id, or in a state such as FAILED, is the report of a copy that failed: not golden.

Outside of the region of the build every AMI is a copy that a distribution made, so it is golden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.grammar import region_in, workflow_type_and_name
from airflow_imagebuilder.service.results.states import ImageStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USABLE: frozenset[str] = frozenset({ImageStatus.AVAILABLE, ImageStatus.DEPRECATED})
"""The states of an image, and of one of its AMIs, in which EC2 launches instances from it."""

_PLACEHOLDER = re.compile(r"\{\{[^{}]{0,200}\}\}")


@dataclass(frozen=True, kw_only=True)
class Ami:
    """One AMI of an image: each region and account has its own.

    :param region: the region, e.g. ``eu-west-1``.
    :param account_id: the account that owns the AMI.
    :param image: the AMI id.
    :param name: the AMI's name.
    :param status: the status of this copy.
    :param golden: whether it is the AMI to use in its region and account (this module says which one is).
    """

    region: str
    account_id: str | None = None
    image: str | None = None
    name: str | None = None
    status: str | None = None
    golden: bool = False


def fits(template: str, text: str) -> bool:
    """Return whether a text is what a template of AWS can become.

    :param template: e.g. ``golden {{ imagebuilder:buildDate }}``; a placeholder can be any text.
    :param text: e.g. ``golden 2026-09-09T19-12-03.500Z``.
    """
    first, *others = _PLACEHOLDER.split(template)
    if not others:
        return template == text
    *between, last = others
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    # Not a regular expression: many placeholders would take one too long.
    position, end = len(first), len(text) - len(last)
    for part in between:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def amis_of(image: Mapping[str, Any], executions: Sequence[Mapping[str, Any]] = ()) -> tuple[Ami, ...]:
    """Return the AMIs of an image, each with whether it is golden.

    :param image: GetImage's ``image``.
    :param executions: ListWorkflowExecutions' ``workflowExecutions``; they decide what kinds of workflows ran
        where GetImage does not list the workflows.
    """
    amis = [_read(ami) for ami in (image.get("outputResources") or {}).get("amis") or ()]
    if is_unbuilt(image, executions):
        return tuple(amis)
    configuration = image.get("distributionConfiguration") or {}
    return marked(amis, image["arn"], image["state"]["status"], configuration.get("distributions") or ())


def is_unbuilt(image: Mapping[str, Any], executions: Sequence[Mapping[str, Any]] = ()) -> bool:
    """Return whether no build workflow belongs to an image, so that its AMIs are not of its making.

    DistributeImage makes images without one, too: their AMIs are the copies that it was asked for.

    :param image: GetImage's ``image``.
    :param executions: ListWorkflowExecutions' ``workflowExecutions``.
    """
    listed = [workflow_type_and_name(item.get("workflowArn"))[0] for item in image.get("workflows") or ()]
    kinds = {kind.upper() for kind in listed if kind} or {str(item.get("type")) for item in executions}
    if "BUILD" in kinds:
        return False
    return "TEST" in kinds or ("DISTRIBUTION" in kinds and "infrastructureConfiguration" in image)


def marked(
    amis: Sequence[Ami], arn: str, status: str, distributions: Sequence[Mapping[str, Any]] = ()
) -> tuple[Ami, ...]:
    """Return AMIs with ``golden`` set, in their order.

    :param amis: the AMIs as GetImage lists them.
    :param arn: the image build version ARN.
    :param status: the image's status.
    :param distributions: the ``distributions`` of the distribution configuration; none by default.
    """
    if status not in USABLE:
        return tuple(amis)
    templates = {str(item.get("region")): _name_in(item) for item in distributions}
    owner, build_region = _account_in(arn), region_in(arn)
    places: dict[tuple[str, str], list[int]] = {}
    for number, ami in enumerate(amis):
        account = ami.account_id or owner
        raw_only = bool(templates) and (ami.region, account) == (build_region, owner)
        if _is_usable(ami) and not (raw_only and ami.region not in templates):
            places.setdefault((ami.region, account), []).append(number)
    golden = {_chosen(amis, numbers, templates.get(place[0])) for place, numbers in places.items()}
    return tuple(replace(ami, golden=number in golden) for number, ami in enumerate(amis))


def in_order(amis: Sequence[Ami], arn: str) -> tuple[Ami, ...]:
    """Return golden AMIs: that of the build's region and account first, then the account's others.

    :param amis: AMIs of the image.
    :param arn: the image build version ARN.
    """
    owner, build_region = _account_in(arn), region_in(arn)
    golden = [ami for ami in amis if ami.golden]
    return tuple(
        sorted(golden, key=lambda ami: (ami.account_id not in (None, owner), ami.region != build_region))
    )


def _chosen(amis: Sequence[Ami], numbers: list[int], template: str | None) -> int:
    named = [number for number in numbers if template and fits(template, amis[number].name or "")]
    return (named or numbers)[-1]


def _is_usable(ami: Ami) -> bool:
    return bool(ami.image) and (ami.status is None or ami.status in USABLE)


def _name_in(distribution: Mapping[str, Any]) -> str | None:
    name = (distribution.get("amiDistributionConfiguration") or {}).get("name")
    return str(name) if name else None


def _account_in(arn: str) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 4 else ""  # noqa: PLR2004 (arn:partition:service:region:account)


def _read(ami: Mapping[str, Any]) -> Ami:
    return Ami(
        region=ami.get("region", ""),
        account_id=ami.get("accountId"),
        image=ami.get("image"),
        name=ami.get("name"),
        status=(ami.get("state") or {}).get("status"),
    )
