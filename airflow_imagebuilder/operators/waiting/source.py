"""The parameters that name the image of a task that only observes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.operators.option_shapes import Moment, VersionText
from airflow_imagebuilder.operators.options import OPTIONS, Option
from airflow_imagebuilder.service.arns.arns import ImagePipelineArn
from airflow_imagebuilder.service.arns.grammar import is_like_an_arn
from airflow_imagebuilder.service.errors import Fault
from airflow_imagebuilder.service.request.fields.fields import ArnText, Text
from airflow_imagebuilder.service.request.fields.templates import never

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


SOURCES = ("image_build_version_arn", "pipeline_arn", "image_name")
"""The parameters that name the image which a sensor waits for, each in its own way."""


def _not_a_name(text: str) -> str | None:
    """Return what to do about an ARN in place of a name."""
    if is_like_an_arn(text):
        return "give the ARN of a build as image_build_version_arn, that of a pipeline as pipeline_arn"
    return None


SOURCE_OPTIONS: Mapping[str, Option] = {
    "pipeline_arn": Option(ArnText(kind=ImagePipelineArn.KIND), templated=True),
    "image_name": Option(
        Text(
            allowed="the name of an image, such as golden-web",
            pattern=r"[-_A-Za-z0-9 ]+",
            characters=r"[-_A-Za-z0-9 ]",
            hint=_not_a_name,
        ),
        templated=True,
    ),
    "version": Option(VersionText(), templated=True),
    "since": Option(Moment(), templated=True),
}
"""The options that only such a task has."""

_SHAPES = {
    "image_build_version_arn": OPTIONS["image_build_version_arn"].shape,
    **{name: option.shape for name, option in SOURCE_OPTIONS.items()},
}


def source_faults(given: Mapping[str, object], *, rendered: bool = False) -> Iterator[Fault]:
    """
    Yield what is wrong with the parameters that name the image of a sensor.

    :param given: the parameters by their names.
    :param rendered: whether templates have rendered them (default: no).
    """
    if rendered:
        for name, shape in _SHAPES.items():
            if not shape.is_unset(given[name]):
                yield from shape.faults(name, given[name], never)
    named = [name for name in SOURCES if not _SHAPES[name].is_unset(given[name])]
    if len(named) != 1:
        got = {name: given[name] for name in named} or None
        remedy = "leave the others out" if named else "give the one that names the image"
        yield Fault("image", got, f"exactly one of {', '.join(SOURCES)}", remedy)
    if named == ["image_build_version_arn"]:
        for name in ("version", "since"):
            if not _SHAPES[name].is_unset(given[name]):
                yield Fault(name, given[name], "nothing", "leave it out: the ARN names one image")
    elif named == ["pipeline_arn"] and not _SHAPES["version"].is_unset(given["version"]):
        yield Fault("version", given["version"], "with image_name only", "leave it out")
