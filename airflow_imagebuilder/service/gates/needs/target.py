"""What is to be built, the last AVAILABLE image of it, and the images of it in progress."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.arns import ContainerRecipeArn
from airflow_imagebuilder.service.errors import NotFoundError, OutdatedBoto3Error
from airflow_imagebuilder.service.gates.needs.statement import (
    UNREADABLE_BUT_THERE,
    Statement,
    Verdict,
    read,
)
from airflow_imagebuilder.service.gates.newest_image import names_of
from airflow_imagebuilder.service.results.states import IMAGE_IN_PROGRESS
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_imagebuilder.service.gates.needs.ports import Reads

LAST_IMAGE = "last_image"
CANDIDATES = 3
"""AVAILABLE images that are read at most: one may be deprecated between the list and GetImage."""


@dataclass(frozen=True)
class Target:
    """
    What is to be built.

    :param arn: the pipeline's or the recipe's ARN.
    :param pipeline: GetImagePipeline's answer; ``None`` without a pipeline.
    :param recipe: the recipe that a build would take now; ``None`` if it could not be read.
    :param problems: what could not be read of these.
    """

    arn: str
    pipeline: Mapping[str, Any] | None
    recipe: Mapping[str, Any] | None
    problems: tuple[Statement, ...] = ()

    @property
    def is_container(self) -> bool:
        """Whether it is a container image that is built."""
        named = (self.pipeline or {}).get("containerRecipeArn") or self.arn
        return ContainerRecipeArn.accepts(named)


@dataclass(frozen=True)
class Built:
    """
    What was built before.

    :param last: GetImage's answer for the newest AVAILABLE image; ``None`` if there is none.
    :param in_progress: the ARNs of the images in progress, newest first.
    :param problem: why the images could not be read; ``None`` if they were.
    """

    last: Mapping[str, Any] | None = None
    in_progress: tuple[str, ...] = field(default=())
    problem: Statement | None = None


def target_of(aws: Reads, *, pipeline_arn: str | None, recipe_arn: str | None) -> Target:
    """
    Read what is to be built: at most two calls.

    :param pipeline_arn: the pipeline; or
    :param recipe_arn: the recipe of an AMI or a container image; ``x`` means its newest version.
    :raises NotFoundError: there is no such pipeline or recipe: no build of it could begin.
    """
    if pipeline_arn is None:
        return _with_recipe(aws, str(recipe_arn), None, str(recipe_arn))
    found = read(
        "recipe",
        f"pipeline {pipeline_arn}",
        lambda: aws.get_image_pipeline(pipeline_arn),
        UNREADABLE_BUT_THERE,
    )
    if isinstance(found, Statement):
        return Target(pipeline_arn, None, None, (found,))
    named = found.get("imageRecipeArn") or found.get("containerRecipeArn")
    if not named:
        text = f"pipeline {pipeline_arn} names no recipe"
        return Target(pipeline_arn, found, None, (Statement("recipe", Verdict.UNKNOWN, text),))
    return _with_recipe(aws, pipeline_arn, found, str(named))


def _with_recipe(aws: Reads, arn: str, pipeline: Mapping[str, Any] | None, named: str) -> Target:
    get = aws.get_container_recipe if ContainerRecipeArn.accepts(named) else aws.get_image_recipe
    recipe = read("recipe", f"recipe {named}", lambda: get(named), UNREADABLE_BUT_THERE)
    if isinstance(recipe, Statement):
        return Target(arn, pipeline, None, (recipe,))
    return Target(arn, pipeline, recipe)


def built_of(aws: Reads, target: Target) -> Built:
    """
    Read what was built before: the lists, then GetImage of the newest AVAILABLE image.

    A pipeline's images are those that it built itself. A recipe's images are those of its name, in each
    version, however they were built. No order of a list counts, only ``dateCreated``.
    """
    listed = read(LAST_IMAGE, f"the images of {target.arn}", lambda: list(_summaries(aws, target)))
    if isinstance(listed, Statement):
        return Built(problem=listed)
    newest = sorted(listed, key=lambda one: str(one.get("dateCreated") or ""), reverse=True)
    progress = tuple(str(one.get("arn")) for one in newest if _status(one) in IMAGE_IN_PROGRESS)
    available = [str(one.get("arn")) for one in newest if _status(one) == "AVAILABLE"]
    for arn in available[:CANDIDATES]:
        image = _image(aws, arn)
        if isinstance(image, Statement):
            return Built(None, progress, image)
        if image is not None and _status(image) == "AVAILABLE":
            return Built(image, progress)
    if len(available) > CANDIDATES:
        text = f"{CANDIDATES} images that a list showed AVAILABLE are not: the next run reads them again"
        return Built(None, progress, Statement(LAST_IMAGE, Verdict.UNKNOWN, text))
    return Built(None, progress)


def _summaries(aws: Reads, target: Target) -> Iterable[Mapping[str, Any]]:
    if target.pipeline is not None or target.recipe is None:
        return aws.list_image_pipeline_images(target.arn)
    # A recipe of each kind can have this name.
    kind = "DOCKER" if target.is_container else "AMI"
    return [one for one in _named(aws, str(target.recipe["name"])) if one.get("type") in (None, kind)]


def _named(aws: Reads, name: str) -> list[dict[str, Any]]:
    names = names_of(name)
    try:
        return aws.list_image_build_versions(names=names)
    except OutdatedBoto3Error:  # it lists the builds of one version only
        versions = [str(one["arn"]) for one in aws.list_images(names)]
        return [one for arn in versions for one in aws.list_image_build_versions(arn)]


def _image(aws: Reads, arn: str) -> Mapping[str, Any] | Statement | None:
    try:
        return read(LAST_IMAGE, f"image {one_line(arn)}", lambda: aws.get_image(arn), UNREADABLE_BUT_THERE)
    except NotFoundError:  # deleted since it was listed
        return None


def _status(image: Mapping[str, Any]) -> str:
    return str((image.get("state") or {}).get("status"))
