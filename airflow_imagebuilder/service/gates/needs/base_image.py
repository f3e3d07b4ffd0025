"""The base image of a recipe: what its ``parentImage`` means now, and what the last image was built from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.gates.needs.statement import Statement, Verdict, read
from airflow_imagebuilder.service.gates.needs.versions import compared, version_of
from airflow_imagebuilder.service.results.workflow import seconds_between

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_imagebuilder.service.gates.needs.ports import Reads

CHECK = "base_image"
PARAMETER = "ssm:"

_AMI = re.compile(r"ami-[0-9a-f]{8,17}")
_ECR = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^:@]+))?"
)


def base_image(aws: Reads, given: str, recorded: str, image: Mapping[str, Any]) -> Statement:
    """
    Compare the parent image that a recipe names with the one that the last image records.

    GetImage records what a wildcard meant when the image was built; GetImageRecipe keeps the wildcard.

    :param given: the recipe's ``parentImage``: an Image Builder image, ``ssm:`` and a parameter, an AMI, a
        container image, or a product of AWS Marketplace.
    :param recorded: the ``parentImage`` in the recipe that the last image records.
    :param image: GetImage's answer for the last image.
    """
    if version_of(given) is not None:
        return _of_image_builder(aws, given, recorded)
    if given.startswith(PARAMETER):
        return _of_parameter(aws, given.removeprefix(PARAMETER), recorded)
    if given != recorded:
        return _statement(
            Verdict.BUILD, f"the recipe names {given}; the last image was built from {recorded}"
        )
    if _AMI.fullmatch(given):
        return _of_ami(aws, given)
    ecr = _ECR.fullmatch(given)
    if ecr is not None:
        return _of_ecr(aws, given, ecr.groupdict(), image)
    text = f"AWS does not record which build of {given} the last image has: use max_age for it"
    return _statement(Verdict.NOT_COMPARED, text)


def _of_image_builder(aws: Reads, given: str, recorded: str) -> Statement:
    named, then = version_of(given), version_of(recorded)
    now = named
    if named and named.is_open:
        found = read(CHECK, f"image {given}", lambda: aws.get_image(given))
        if isinstance(found, Statement):
            return found
        now = version_of(found.get("arn"))
    if now is None or now.is_open:
        return _statement(Verdict.UNKNOWN, f"GetImage answers {given} without a build number")
    if then is None or now.thing != then.thing:
        text = f"a build begins with {now.name} {now.text}; the last image was built from {recorded}"
        return _statement(Verdict.BUILD, text)
    if then.is_open:
        return _statement(Verdict.UNKNOWN, f"the last image does not record what {recorded} meant")
    if change := compared(now, then):
        return _statement(Verdict.BUILD, f"{now.name} {change}")
    why = "the newest" if named and named.is_open else "pinned by the recipe"
    return _statement(Verdict.NO, f"{now.name} {now.text} is {why}")


def _of_parameter(aws: Reads, name: str, recorded: str) -> Statement:
    if not _AMI.fullmatch(recorded):
        text = f"the last image records {recorded} as its parent, and not the AMI that parameter {name} held"
        return _statement(Verdict.UNKNOWN, text)
    value = read(CHECK, f"parameter {name}", lambda: aws.get_parameter(name))
    if isinstance(value, Statement):
        return value
    if value.strip() == recorded:
        return _statement(Verdict.NO, f"parameter {name} still holds {recorded}")
    text = f"parameter {name} now holds {value.strip()}; the last image was built from {recorded}"
    return _statement(Verdict.BUILD, text)


def _of_ami(aws: Reads, ami: str) -> Statement:
    """An AMI's id always means the same AMI. EC2 is asked for its end alone, so no answer changes nothing."""
    text = f"the recipe names {ami}, which never changes"
    found = read(CHECK, f"AMI {ami}", lambda: aws.describe_ami(ami))
    if isinstance(found, Statement):
        return _statement(Verdict.NO, f"{text} (whether it is deprecated: {found.text})")
    if found is None:
        why = "EC2 does not show it (deregistered, or not shared): a build would fail, so change the recipe"
        return _statement(Verdict.NO, f"{text}. {why}")
    if found.get("DeprecationTime"):
        why = f"Its deprecation time is {found['DeprecationTime']}: name a newer AMI in a new recipe version"
        return _statement(Verdict.NO, f"{text}. {why}")
    return _statement(Verdict.NO, text)


def _of_ecr(aws: Reads, uri: str, parts: Mapping[str, Any], image: Mapping[str, Any]) -> Statement:
    place = (parts["region"], parts["account"], parts["repository"], parts["tag"] or "latest")
    found = read(CHECK, f"container image {uri}", lambda: aws.describe_ecr_image(*place))
    if isinstance(found, Statement):
        return found
    pushed, built = found.get("imagePushedAt"), str(image.get("dateCreated") or "")
    after = seconds_between(built, str(pushed or ""))
    if after is None:
        text = f"whether {uri} was pushed since: AWS shows no time of the push ({pushed}) or image ({built})"
        return _statement(Verdict.UNKNOWN, text)
    if after:
        return _statement(Verdict.BUILD, f"{uri} was pushed {pushed}, after the last image began ({built})")
    return _statement(Verdict.NO, f"{uri} was pushed {pushed}, before the last image began ({built})")


def _statement(verdict: Verdict, text: str) -> Statement:
    return Statement(CHECK, verdict, text)
