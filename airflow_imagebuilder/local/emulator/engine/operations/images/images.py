"""The operations on images: create, read, list, cancel, retry, distribute, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.errors import ApiError, unknown_arn
from airflow_imagebuilder.local.emulator.engine.operations import responses
from airflow_imagebuilder.local.emulator.engine.operations.pagination import (
    Item,
    filtered,
    page,
    paged,
    passing,
    pick,
)
from airflow_imagebuilder.local.emulator.engine.operations.resources import managed_resources
from airflow_imagebuilder.local.emulator.engine.operations.rules.build_rules import Build, BuildRules
from airflow_imagebuilder.local.emulator.engine.shelf import Shelf
from airflow_imagebuilder.local.emulator.engine.simulation.image_lifecycle import ImageLifecycle
from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine.operations.resources.resources import Resources
    from airflow_imagebuilder.local.emulator.engine.operations.rules.parents import Parent
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.world import World

_FILTERS = ("name", "osVersion", "platform", "type", "version")
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
        self._sharing = resources.sharing
        self.lifecycle = ImageLifecycle(context)
        self.build_rules = BuildRules(context.state, resources)

    def create(self, params: Doc, region: str) -> Doc:
        """CreateImage."""
        build = self.build_rules.check(params, region)
        image = self.new(params, build, region)
        self.lifecycle.begin(image)
        return self._answer(image)

    def new(self, params: Doc, build: Build, region: str) -> Image:
        """Make an image of a checked request; its life has not begun."""
        name, now = build.recipe["name"], self._context.clock.now()
        version = build.recipe["version"]
        parent = self._resources.parents.find(build.recipe, region)
        recipe = self._resolved(build.recipe, parent, region)
        arn, number = self.next_arn(name, version, region)
        doc: Doc = {
            "arn": arn,
            "type": "AMI" if build.is_ami else "DOCKER",
            "name": name,
            "version": f"{version}/{number}",
            "platform": parent.platform,
            "enhancedImageMetadataEnabled": params.get("enhancedImageMetadataEnabled", True),
            "osVersion": parent.os_version,
            "imageRecipe" if build.is_ami else "containerRecipe": responses.visible(recipe),
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
        image = Image(doc, region, recipe, build.infrastructure, build.distribution, build.workflows, now)
        image.parent, image.architecture = parent.ami, parent.architecture
        self._context.state.add_image(image)
        return image

    def _resolved(self, recipe: Doc, parent: Parent, region: str) -> Doc:
        """Return a recipe as an image shows it: with builds instead of versions and wildcards.

        Source: GetImage of real accounts; GetImageRecipe keeps the wildcards.
        """
        if "arn" not in recipe:
            return recipe
        components = [
            {**item, "componentArn": self._build_of(item["componentArn"], region)}
            for item in recipe.get("components", ())
        ]
        found = {**recipe, "parentImage": parent.resolved}
        return {**found, "components": components} if "components" in recipe else found

    def _build_of(self, arn: str, region: str) -> str:
        return arn if identifiers.parse(arn).build else str(self._resources.find(arn, region)["arn"])

    def next_arn(self, name: str, version: str, region: str) -> tuple[str, int]:
        """Return the ARN of the next build of a version, and its number."""
        stem = identifiers.arn_of(
            region, f"image/{identifiers.normalise(name)}/{version}", self._context.account
        )
        number = self._context.state.builds.get(stem, 0) + 1
        if guesses.BUILD_NUMBERS_REUSED:
            versions = self._context.state.by_version.get(region)
            kept = versions.get(stem) if versions else None
            number = max((int(identifiers.parse(arn).build) for arn in kept or ()), default=0) + 1
        self._context.state.builds[stem] = number
        return f"{stem}/{number}", number

    def _answer(self, image: Image) -> Doc:
        return {
            "imageBuildVersionArn": image.arn,
            "latestVersionReferences": identifiers.references(image.arn),
        }

    def find(self, arn: str, region: str) -> Image:
        """Find an own image by its build version ARN.

        :raises ApiError: the region has no such image, or another account has it.
        """
        if self._sharing.is_foreign(arn):
            raise self._sharing.refusal(arn)
        image = self._context.state.images.get(arn)
        if image is None or image.region != region:
            raise unknown_arn(arn)
        return image

    def get(self, params: Doc, region: str) -> Doc:
        """GetImage; a version or a wildcard means the newest build that is AVAILABLE."""
        arn = params["imageBuildVersionArn"]
        if (managed := managed_resources.image(arn)) and identifiers.parse(arn).region == region:
            return {"image": managed, "latestVersionReferences": identifiers.references(managed["arn"])}
        image = self._readable(arn)
        if image is None or image.region != region:
            raise unknown_arn(arn)
        return {"image": image.doc, "latestVersionReferences": identifiers.references(image.arn)}

    def _readable(self, arn: str) -> Image | None:
        """Find an image of this account, or one that another account shares.

        :raises ApiError: another account has it, and does not share it.
        """
        image = self._sharing.holder(arn).images.get(arn) or self._newest(arn)
        if self._sharing.is_foreign(arn) and not (image and self._sharing.allows(image.arn, "Get")):
            raise self._sharing.refusal(arn)
        return image

    def _newest(self, arn: str) -> Image | None:
        if identifiers.parse(arn).build:
            return None
        allows = self._sharing.allows
        return self._sharing.holder(arn).newest_image(arn, lambda image: allows(image.arn, "Get"))

    def delete(self, params: Doc, region: str) -> Doc:
        """DeleteImage: deletes the image, not its AMIs.

        The documentation of the service model says that a build in progress keeps its image; AWS's own
        CloudFormation handler expects the error for it.
        """
        image = self.find(params["imageBuildVersionArn"], region)
        if not image.ended:
            raise ApiError("ResourceDependencyException", f"The image '{image.arn}' is {image.status}.")
        self._context.state.remove_image(image)
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
        image = self.new(params, build, region)
        image.doc = {k: v for k, v in image.doc.items() if k != "infrastructureConfiguration"}
        if not source:
            del image.doc["imageRecipe"]
        image.copied = True
        self.lifecycle.distribute_only(image)
        return {"imageBuildVersionArn": image.arn}

    def _source(self, wanted: str, region: str) -> Image | None:
        """Find the image behind ``sourceImage``; None for an AMI that Image Builder did not make.

        :raises ApiError: the region has neither such an image nor such an AMI.
        """
        if wanted.startswith("arn:") and ":imagebuilder:" in wanted:
            image = self._readable(wanted)
            if image is None or not image.ami:
                raise unknown_arn(wanted)
            return image
        ami = self._world.parameter(region, wanted) if wanted.startswith(("ssm:", "arn:")) else wanted
        for image in self._context.state.images.values():
            if ami and ami in image.copies.values():
                return image
        if not ami or not self._world.has_ami(region, ami):
            raise unknown_arn(wanted)
        return None

    def list_builds(self, params: Doc, region: str) -> Doc:
        """ListImageBuildVersions: of a version, or of the account; an unknown version has none."""
        version = params.get("imageVersionArn")
        if version is None:
            images = self._context.state.by_region.get(region, Shelf[Image]())
            return self._summaries(images, params, _FILTERS)
        if identifiers.parse(version).owner == "aws":
            found = managed_resources.image(version)
            docs = [responses.summary_of(found, "Amazon")] if found else []
            return paged("imageSummaryList", filtered(docs, params, _FILTERS), params)
        versions = self._sharing.holder(version).by_version.get(region, Shelf[Shelf[Image]]())
        builds = versions.get(version, Shelf[Image]())
        if self._sharing.is_foreign(version):
            shared = Shelf[Image]()
            shared.update({arn: image for arn, image in builds.items() if self._sharing.allows(arn, "List")})
            builds = shared
        return self._summaries(builds, params, _FILTERS, newest_first=True)

    def list_pipeline(self, params: Doc, region: str) -> Doc:
        """ListImagePipelineImages; an unknown pipeline has none."""
        arn = params["imagePipelineArn"]
        images = self._context.state.by_pipeline.get(arn) if identifiers.parse(arn).region == region else None
        return self._summaries(images or Shelf[Image](), params, ("name", "version"))

    def _summaries(
        self, images: Shelf[Image], params: Doc, filters: tuple[str, ...], *, newest_first: bool = False
    ) -> Doc:
        passes = passing(params, filters, _document)
        return page(
            "imageSummaryList",
            images,
            params,
            responses.image_summary,
            passes=passes,
            newest_first=newest_first,
        )

    def list_versions(self, params: Doc, region: str) -> Doc:
        """ListImages: one entry per version, or per name; with its newest build."""
        owner = params.get("owner", "Self")
        if owner == "Amazon":
            docs = [responses.version_of(doc, "Amazon") for doc in managed_resources.all_images(region)]
            docs = list({doc["name"]: doc for doc in docs}.values()) if params.get("byName") else docs
            return paged("imageVersionList", filtered(docs, params, _FILTERS), params)
        if owner == "Shared":
            shared = self._shared(region, by_name=bool(params.get("byName")))
            return _versions(shared, params, lambda image: image)
        if owner == "Self" and params.get("byName"):
            names = self._context.state.by_name.get(region, Shelf[Shelf[Shelf[Image]]]())
            return _versions(names, params, lambda versions: versions.newest.newest)
        found = self._context.state.by_version.get(region) if owner == "Self" else None
        return _versions(found or Shelf[Shelf[Image]](), params, lambda builds: builds.newest)

    def _shared(self, region: str, *, by_name: bool) -> Shelf[Image]:
        """Return the newest shared build of each version, or of each name, that other accounts share."""
        found = Shelf[Image]()
        for state in self._sharing.others():
            for image in state.images_in(region):
                if self._sharing.allows(image.arn, "List"):
                    version = image.version_arn
                    found[version.rpartition("/")[0] if by_name else version] = image
        return found


def _versions(shelf: Shelf[Item], params: Doc, image_of: Callable[[Item], Image]) -> Doc:
    return page(
        "imageVersionList",
        shelf,
        params,
        lambda item: responses.image_version(image_of(item)),
        passes=passing(params, _FILTERS, lambda item: image_of(item).doc),
    )


def _document(image: Image) -> Doc:
    return image.doc
