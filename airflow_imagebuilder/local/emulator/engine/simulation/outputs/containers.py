"""Containers: the outputs of a container image: its URIs, and what is pushed to ECR."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure
from airflow_imagebuilder.local.emulator.engine.simulation.outputs import ami_names

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image


class Containers:
    """Pushes container images."""

    def __init__(self, context: SimulationContext) -> None:
        self._context = context

    def push(self, image: Image, items: list[Doc], failed: set[str | None]) -> list[Failure]:
        """Push an image to the repository of each region, and set ``outputResources``.

        :param items: ``Distribution`` of each region; the region of the image without any.
        :param failed: regions that have failed already.
        :return: the failures: regions without the repository.
        """
        found, failures = [], []
        for item in items or [{"region": image.region}]:
            region, repository = item["region"], _repository(image, item)
            if region in failed:
                continue
            if not self._context.world.has(region, "repository", repository):
                registry = f"the registry with id '{image.account}'"
                why = f"The repository with name '{repository}' does not exist in {registry}"
                failures.append(Failure(region=region, message=why))
                continue
            tags, host = _tags(image, item), f"{image.account}.dkr.ecr.{region}.amazonaws.com"
            found.append({"region": region, "imageUris": [f"{host}/{repository}:{tag}" for tag in tags]})
            data = {"repository": repository, "tags": tags, "image": image.arn}
            self._context.emit("container", region, data)
        image.doc["outputResources"] = {"containers": found}
        return failures


def _tags(image: Image, item: Doc) -> list[str]:
    version, build = image.doc["version"].split("/")
    given = item.get("containerDistributionConfiguration", {}).get("containerTags")
    return [ami_names.fill(tag, image) for tag in given or [f"{version}-{build}"]]


def _repository(image: Image, item: Doc) -> str:
    """Return the name of the repository of a container image in a region."""
    given = item.get("containerDistributionConfiguration", {})
    return str((given.get("targetRepository") or image.recipe["targetRepository"])["repositoryName"])
