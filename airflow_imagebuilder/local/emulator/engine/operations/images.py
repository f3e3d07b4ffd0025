"""The operations on images: create, read, list, cancel, retry, distribute, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine import identifiers as names
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.operations import responses as views
from airflow_imagebuilder.local.emulator.engine.operations.build_rules import Build, BuildRules
from airflow_imagebuilder.local.emulator.engine.operations.pagination import filtered, paged, pick
from airflow_imagebuilder.local.emulator.engine.operations.resources import (
    Resources,
    os_version_of,
    platform_of,
    unknown,
)
from airflow_imagebuilder.local.emulator.engine.simulation.image_lifecycle import ImageLifecycle
from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.world import World

_CONFIGURATION = ("imageScanningConfiguration", "workflows", "executionRole", "loggingConfiguration", "tags")


class Images:
    """Images of every region.

    :param core: what the engine holds on to.
    :param documents: where recipes and configurations are.
    :param world: where AMIs of other origin are looked for.
    """

    def __init__(self, core: SimulationContext, documents: Resources, world: World) -> None:
        self._core = core
        self._documents = documents
        self._world = world
        self.life = ImageLifecycle(core)
        self.rules = BuildRules(core.state, documents)

    def create(self, params: Doc, region: str) -> Doc:
        """CreateImage."""
        build = self.rules.check(params, region)
        image = self._new(params, build, region)
        self.life.begin(image)
        return self._answer(image)

    def start_pipeline(self, params: Doc, region: str) -> Doc:
        """StartImagePipelineExecution; works for a disabled pipeline too."""
        pipeline = self._documents.find(params["imagePipelineArn"], region)
        request = {k: v for k, v in pipeline.items() if k not in ("tags", "loggingConfiguration")}
        group = pipeline.get("loggingConfiguration", {}).get("imageLogGroupName")
        request |= {"loggingConfiguration": {"logGroupName": group}} if group else {}
        request |= pick(params, ("tags",))
        build = self.rules.check(request, region)
        image = self._new(request, build, region)
        image.doc["sourcePipelineArn"] = pipeline["arn"]
        pipeline["dateLastRun"] = iso(self._core.clock.now())
        self.life.begin(image)
        return {"imageBuildVersionArn": image.arn}

    def _new(self, params: Doc, build: Build, region: str) -> Image:
        name, now = build.recipe["name"], self._core.clock.now()
        version = build.recipe["version"]
        arn, number = self._next_arn(name, version, region)
        doc: Doc = {
            "arn": arn,
            "type": "AMI" if build.is_ami else "DOCKER",
            "name": name,
            "version": f"{version}/{number}",
            "platform": platform_of(build.recipe),
            "enhancedImageMetadataEnabled": params.get("enhancedImageMetadataEnabled", True),
            "osVersion": os_version_of(build.recipe),
            "imageRecipe" if build.is_ami else "containerRecipe": views.shown(build.recipe),
            "infrastructureConfiguration": views.shown(build.infrastructure),
            "imageTestsConfiguration": {
                "imageTestsEnabled": True,
                "timeoutMinutes": 720,
                **params.get("imageTestsConfiguration", {}),
            },
            "dateCreated": iso(now),
            "buildType": "USER_INITIATED",
            "imageSource": "CUSTOM",
            **pick(params, _CONFIGURATION),
        }
        if build.distribution:
            doc["distributionConfiguration"] = views.shown(build.distribution)
        image = Image(
            doc, region, build.recipe, build.infrastructure, build.distribution, build.workflows, now
        )
        self._core.state.images[arn] = image
        return image

    def _next_arn(self, name: str, version: str, region: str) -> tuple[str, int]:
        stem = names.arn_of(region, f"image/{names.normalise(name)}/{version}")
        number = self._core.state.builds.get(stem, 0) + 1
        self._core.state.builds[stem] = number
        return f"{stem}/{number}", number

    def _answer(self, image: Image) -> Doc:
        return {
            "imageBuildVersionArn": image.arn,
            "latestVersionReferences": names.references(image.arn),
        }

    def find(self, arn: str, region: str) -> Image:
        """The image that a build version ARN means.

        :raises ApiError: if there is none in this region.
        """
        image = self._core.state.images.get(arn)
        if image is None or image.region != region:
            raise unknown(arn)
        return image

    def get(self, params: Doc, region: str) -> Doc:
        """GetImage; versions and wildcards mean the newest build that is AVAILABLE."""
        arn = params["imageBuildVersionArn"]
        image = self._core.state.images.get(arn)
        if image is None:
            image = self._newest(arn)
        if image is None or image.region != region:
            raise unknown(arn)
        return {"image": image.doc, "latestVersionReferences": names.references(image.arn)}

    def _newest(self, arn: str) -> Image | None:
        if names.parse(arn).build:
            return None
        ready = (a for a, image in self._core.state.images.items() if image.status == "AVAILABLE")
        found = names.newest(ready, arn)
        return self._core.state.images[found] if found else None

    def delete(self, params: Doc, region: str) -> Doc:
        """DeleteImage: the resource, not its AMIs."""
        image = self.find(params["imageBuildVersionArn"], region)
        if not image.ended:
            raise ApiError(guesses.DELETE_IN_PROGRESS, f"The image '{image.arn}' is {image.status}.")
        del self._core.state.images[image.arn]
        return {"imageBuildVersionArn": image.arn}

    def cancel(self, params: Doc, region: str) -> Doc:
        """CancelImageCreation."""
        image = self.find(params["imageBuildVersionArn"], region)
        self.life.cancel(image)
        return {"imageBuildVersionArn": image.arn}

    def retry(self, params: Doc, region: str) -> Doc:
        """RetryImage."""
        image = self.find(params["imageBuildVersionArn"], region)
        self.life.retry(image)
        return {"imageBuildVersionArn": image.arn}

    def distribute(self, params: Doc, region: str) -> Doc:
        """DistributeImage: a new image that only goes out."""
        distribution = self._documents.find(params["distributionConfigurationArn"], region)
        source = self._source(params["sourceImage"], region)
        name, version = (
            (source.doc["name"], source.doc["version"].split("/")[0])
            if source
            else (
                distribution["name"],
                "1.0.0",
            )
        )
        recipe = dict(source.recipe) if source else {"parentImage": params["sourceImage"], "name": name}
        recipe |= {"name": name, "version": version}
        build = Build(recipe, is_ami=True, infrastructure={}, distribution=distribution, workflows=())
        image = self._new(params, build, region)
        image.doc = {k: v for k, v in image.doc.items() if k != "infrastructureConfiguration"}
        if not source:
            del image.doc["imageRecipe"]
        self.life.distribute_only(image)
        return {"imageBuildVersionArn": image.arn}

    def _source(self, wanted: str, region: str) -> Image | None:
        """The image behind DistributeImage's ``sourceImage``; None for an AMI of other origin.

        :raises ApiError: if it means nothing in this region.
        """
        if wanted.startswith("arn:") and ":imagebuilder:" in wanted:
            image = self._core.state.images.get(wanted) or self._newest(wanted)
            if image is None or not image.ami:
                raise unknown(wanted)
            return image
        ami = self._world.parameter(region, wanted) if wanted.startswith(("ssm:", "arn:")) else wanted
        for image in self._core.state.images.values():
            if ami and ami in image.copies.values():
                return image
        if not ami or not self._world.has_ami(region, ami):
            raise unknown(wanted)
        return None

    def list_builds(self, params: Doc, region: str) -> Doc:
        """ListImageBuildVersions."""
        version = params.get("imageVersionArn")
        images = [i for i in self._of(region) if version in (None, i.arn.rpartition("/")[0])]
        return self._summaries(images, params, ("name", "osVersion", "platform", "type", "version"))

    def list_pipeline(self, params: Doc, region: str) -> Doc:
        """ListImagePipelineImages."""
        arn = self._documents.find(params["imagePipelineArn"], region)["arn"]
        images = [i for i in self._of(region) if i.doc.get("sourcePipelineArn") == arn]
        return self._summaries(images, params, ("name", "version"))

    def _summaries(self, images: list[Image], params: Doc, filters: tuple[str, ...]) -> Doc:
        docs = filtered([views.image_summary(image) for image in images], params, filters)
        return paged("imageSummaryList", docs, params)

    def list_versions(self, params: Doc, region: str) -> Doc:
        """ListImages: one entry a version."""
        versions: dict[str, Doc] = {}
        if params.get("owner", guesses.DEFAULT_OWNER) == "Self":
            versions = {i.arn.rpartition("/")[0]: views.image_version(i) for i in self._of(region)}
        docs = list(versions.values())
        if params.get("byName"):
            docs = list({doc["name"]: doc for doc in docs}.values())
        docs = filtered(docs, params, ("name", "osVersion", "platform", "type", "version"))
        return paged("imageVersionList", docs, params)

    def _of(self, region: str) -> Iterator[Image]:
        return (image for image in self._core.state.images.values() if image.region == region)
