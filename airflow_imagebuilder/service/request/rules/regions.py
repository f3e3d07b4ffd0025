"""The region of a build: Image Builder builds in one region, from resources of this region.

The ARNs of managed workflows have a region too, and resources are shared within a region alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.service.arns.grammar import region_in
from airflow_imagebuilder.service.errors import Fault
from airflow_imagebuilder.service.request.fields.templates import is_blank, is_late
from airflow_imagebuilder.service.request.rules.draft import RequestDraft

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_imagebuilder.service.request.fields.fields import Later

_MEMBERS = (
    "infrastructure_configuration_arn",
    "image_recipe_arn",
    "container_recipe_arn",
    "distribution_configuration_arn",
    "pipeline_arn",
)


def one_region(draft: RequestDraft) -> Iterator[Fault]:
    """Yield a fault where the ARNs of a request are of different regions."""
    found = _regions(draft)
    firsts = {region: path for path, region in reversed(found.items())}
    if len(firsts) > 1:
        remedy = "Image Builder builds in one region, from resources of this region: write all ARNs with it"
        paths = [path for path in found if path in firsts.values()]
        yield Fault(" and ".join(paths), found, "ARNs of one region", remedy)


def region_faults(
    fields: Mapping[str, object], region: object, named: str = "region_name", later: Later = is_late
) -> Iterator[Fault]:
    """Yield a fault where the ARNs of a request are of another region than the call.

    :param fields: the members of the request.
    :param region: the region of the call. ``None``, empty text and a region that is not known yet are not
        checked.
    :param named: how the fault names the region of the call (default ``region_name``).
    :param later: returns whether a value is not known yet.
    """
    found = _regions(RequestDraft(fields, later))
    regions = set(found.values())
    if len(regions) != 1 or not isinstance(region, str) or is_blank(region) or later(region):
        return
    (theirs,) = regions
    if region != theirs:
        allowed = f"{theirs}, the region of {' and '.join(list(found)[:2])}"
        remedy = f"Image Builder builds in one region: write {theirs!r} here, or the ARNs with {region!r}"
        yield Fault(named, region, allowed, remedy)


def _regions(draft: RequestDraft) -> dict[str, str]:
    """Return the regions that are known, by the path of their ARN."""
    texts = {name: draft.fields.get(name) for name in _MEMBERS}
    for entry in draft.listed():
        name = "arn" if "arn" in entry.members else "workflowArn"
        texts[f"{entry.path}.{name}"] = entry.members.get(name)
    found = {path: region_in(text) for path, text in texts.items()}
    return {path: region for path, region in found.items() if region}
