"""The operations on images: create, read, list, cancel, retry, distribute, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.errors import ApiError
from airflow_imagebuilder.local.emulator.engine.operations import responses
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
    """The images of every region.

    :param context: state, clock and timers of the engine.
    :param resources: holds recipes and configurations.
    :param world: knows the AMIs that Image Builder did not make.
    """

    def __init__(self, context: SimulationContext, resources: Resources, world: World) -> None:
        self._context = context
        self._resources = resources
        self._world = world
        self.lifecycle = ImageLifecycle(context)
        self.build_rules = BuildRules(context.state, resources)

    def create(self, params: Doc, region: str) -> Doc:
        """CreateImage."""
        build = self.build_rules.check(params, region)
        image = self._new(params, build, region)
        self.lifecycle.begin(image)
        return self._answer(image)

    def start_pipeline(self, params: Doc, region: str) -> Doc:
        """StartImagePipelineExecution; a disabled pipeline can be started too."""
        pipeline = self._resources.find(params["imagePipelineArn"], region)
        request = {k: v for k, v in pipeline.items() if k not in ("tags", "loggingConfiguration")}
        group = pipeline.get("loggingConfiguration", {}).get("imageLogGroupName")
        request |= {"loggingConfiguration": {"logGroupName": group}} if group else {}
        request |= pick(params, ("tags",))
        build = self.build_rules.check(request, region)
        image = self._new(request, build, region)
        image.doc["sourcePipelineArn"] = pipeline["arn"]
        pipeline["dateLastRun"] = iso(self._context.clock.now())
        self.lifecycle.begin(image)
        return {"imageBuildVersionArn": image.arn}

    def _new(self, params: Doc, build: Build, region: str) -> Image:
        name, now = build.recipe["name"], self._context.clock.now()
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
            "imageRecipe" if build.is_ami else "containerRecipe": responses.visible(build.recipe),
            "infrastructureConfiguration": responses.visible(build.infrastructure),
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
            doc["distributionConfiguration"] = responses.visible(build.distribution)
        image = Image(
            doc, region, build.recipe, build.infrastructure, build.distribution, build.workflows, now
        )
        self._context.state.images[arn] = image
        return image

    def _next_arn(self, name: str, version: str, region: str) -> tuple[str, int]:
        stem = identifiers.arn_of(region, f"image/{identifiers.normalise(name)}/{version}")
        number = self._context.state.builds.get(stem, 0) + 1
        self._context.state.builds[stem] = number
        return f"{stem}/{number}", number

    def _answer(self, image: Image) -> Doc:
        return {
            "imageBuildVersionArn": image.arn,
            "latestVersionReferences": identifiers.references(image.arn),
        }

    def find(self, arn: str, region: str) -> Image:
        """Find an image by its build version ARN.

        :raises ApiError: the region has no such image.
        """
        image = self._context.state.images.get(arn)
        if image is None or image.region != region:
            raise unknown(arn)
        return image

    def get(self, params: Doc, region: str) -> Doc:
        """GetImage; a version or a wildcard means the newest build that is AVAILABLE."""
        arn = params["imageBuildVersionArn"]
        image = self._context.state.images.get(arn)
        if image is None:
            image = self._newest(arn)
        if image is None or image.region != region:
            raise unknown(arn)
        return {"image": image.doc, "latestVersionReferences": identifiers.references(image.arn)}

    def _newest(self, arn: str) -> Image | None:
        if identifiers.parse(arn).build:
            return None
        ready = (a for a, image in self._context.state.images.items() if image.status == "AVAILABLE")
        found = identifiers.newest(ready, arn)
        return self._context.state.images[found] if found else None

    def delete(self, params: Doc, region: str) -> Doc:
        """DeleteImage: deletes the image, not its AMIs."""
        image = self.find(params["imageBuildVersionArn"], region)
        if not image.ended:
            raise ApiError(guesses.DELETE_IN_PROGRESS, f"The image '{image.arn}' is {image.status}.")
        del self._context.state.images[image.arn]
        return {"imageBuildVersionArn": image.arn}

    def cancel(self, params: Doc, region: str) -> Doc:
        """CancelImageCreation."""
        image = self.find(params["imageBuildVersionArn"], region)
        self.lifecycle.cancel(image)
        return {"imageBuildVersionArn": image.arn}

    def retry(self, params: Doc, region: str) -> Doc:
        """RetryImage."""
        image = self.find(params["imageBuildVersionArn"], region)
        self.lifecycle.retry(image)
        return {"imageBuildVersionArn": image.arn}

    def distribute(self, params: Doc, region: str) -> Doc:
        """DistributeImage: makes a new image that is only distributed."""
        distribution = self._resources.find(params["distributionConfigurationArn"], region)
        source = self._source(params["sourceImage"], region)
        if source:
            recipe = {**source.recipe, "name": source.doc["name"]}
            recipe["version"] = source.doc["version"].split("/")[0]
        else:
            parent, name = params["sourceImage"], distribution["name"]
            recipe = {"parentImage": parent, "name": name, "version": "1.0.0"}
        build = Build(recipe, is_ami=True, infrastructure={}, distribution=distribution, workflows=())
        image = self._new(params, build, region)
        image.doc = {k: v for k, v in image.doc.items() if k != "infrastructureConfiguration"}
        if not source:
            del image.doc["imageRecipe"]
        self.lifecycle.distribute_only(image)
        return {"imageBuildVersionArn": image.arn}

    def _source(self, wanted: str, region: str) -> Image | None:
        """Find the image behind ``sourceImage``; None for an AMI that Image Builder did not make.

        :raises ApiError: the region has neither such an image nor such an AMI.
        """
        if wanted.startswith("arn:") and ":imagebuilder:" in wanted:
            image = self._context.state.images.get(wanted) or self._newest(wanted)
            if image is None or not image.ami:
                raise unknown(wanted)
            return image
        ami = self._world.parameter(region, wanted) if wanted.startswith(("ssm:", "arn:")) else wanted
        for image in self._context.state.images.values():
            if ami and ami in image.copies.values():
                return image
        if not ami or not self._world.has_ami(region, ami):
            raise unknown(wanted)
        return None

    def list_builds(self, params: Doc, region: str) -> Doc:
        """ListImageBuildVersions."""
        version = params.get("imageVersionArn")
        images = [i for i in self._in_region(region) if version in (None, i.arn.rpartition("/")[0])]
        return self._summaries(images, params, ("name", "osVersion", "platform", "type", "version"))

    def list_pipeline(self, params: Doc, region: str) -> Doc:
        """ListImagePipelineImages."""
        arn = self._resources.find(params["imagePipelineArn"], region)["arn"]
        images = [i for i in self._in_region(region) if i.doc.get("sourcePipelineArn") == arn]
        return self._summaries(images, params, ("name", "version"))

    def _summaries(self, images: list[Image], params: Doc, filters: tuple[str, ...]) -> Doc:
        docs = filtered([responses.image_summary(image) for image in images], params, filters)
        return paged("imageSummaryList", docs, params)

    def list_versions(self, params: Doc, region: str) -> Doc:
        """ListImages: one entry per version."""
        versions: dict[str, Doc] = {}
        if params.get("owner", guesses.DEFAULT_OWNER) == "Self":
            versions = {i.arn.rpartition("/")[0]: responses.image_version(i) for i in self._in_region(region)}
        docs = list(versions.values())
        if params.get("byName"):
            docs = list({doc["name"]: doc for doc in docs}.values())
        docs = filtered(docs, params, ("name", "osVersion", "platform", "type", "version"))
        return paged("imageVersionList", docs, params)

    def _in_region(self, region: str) -> Iterator[Image]:
        return (image for image in self._context.state.images.values() if image.region == region)
