"""Resources: components, workflows, recipes, configurations and pipelines, and the operations on them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_imagebuilder.local.emulator.documents import component, workflow
from airflow_imagebuilder.local.emulator.documents.text import DocumentError
from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.errors import (
    ApiError,
    invalid_combination,
    invalid_value,
    unknown_arn,
)
from airflow_imagebuilder.local.emulator.engine.operations.pagination import page, passing, pick
from airflow_imagebuilder.local.emulator.engine.operations.resources.sharing import Sharing
from airflow_imagebuilder.local.emulator.engine.operations.rules import (
    distribution_rules,
    infrastructure_rules,
    recipe_rules,
    versions,
)
from airflow_imagebuilder.local.emulator.engine.operations.rules.parents import Parents
from airflow_imagebuilder.local.emulator.engine.shelf import Shelf
from airflow_imagebuilder.local.emulator.engine.state import Doc

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.local.emulator.engine.operations.resources.resource_types import (
        Listing,
        ResourceType,
    )
    from airflow_imagebuilder.local.emulator.engine.state import State
    from airflow_imagebuilder.local.emulator.engine.world import World

Document = TypeVar("Document")
#: The largest document in S3, in bytes (quotas of Image Builder).
MAX_DOCUMENT = 64 * 1024
_NOT_KEPT = frozenset({"clientToken", "dryRun", "semanticVersion", "uri", "dockerfileTemplateUri"})


class Resources:
    """The resources of every region.

    :param state: stores them.
    :param world: holds the documents that a request names by ``uri``, and the parents of recipes.
    """

    def __init__(self, state: State, world: World) -> None:
        self._state = state
        self._world = world
        self.sharing = Sharing(state)
        self.parents = Parents(state, world, self.sharing)

    def create(self, resource_type: ResourceType, params: Doc, region: str, now: float) -> Doc:
        """Create<noun>.

        :raises ApiError: name and version exist already, or the document is invalid.
        """
        if resource_type.versioned:
            versions.check(params["semanticVersion"])
        params = {**params, **self._read_text(resource_type, params, region)}
        arn = self._new_arn(resource_type, params, region)
        doc = {**resource_type.defaults, **{k: v for k, v in params.items() if k not in _NOT_KEPT}}
        doc |= {"arn": arn, "name": params["name"], "dateCreated": iso(now)}
        if resource_type.versioned:
            doc |= {"owner": self._state.account, "version": identifiers.parse(arn).version}
        self._complete(resource_type, doc, region)
        if resource_type.builds:
            version, _, build = arn.rpartition("/")
            self._state.builds[version] = int(build)
        self._state.resources[arn] = doc
        return _created(resource_type, arn)

    def _read_text(self, resource_type: ResourceType, params: Doc, region: str) -> Doc:
        """Return the document of a request as ``data``, also if it is in S3.

        :raises ApiError: the request has both or neither of ``data`` and ``uri``, or S3 lacks the object.
        """
        if resource_type.noun not in ("Component", "Workflow"):
            return {}
        if ("data" in params) == ("uri" in params):
            raise invalid_combination("Exactly one of data and uri must be specified.")
        return {} if "data" in params else {"data": self.text(region, params["uri"])}

    def text(self, region: str, uri: str) -> str:
        """Read an object in S3.

        :raises ApiError: it cannot be read, or is too large.
        """
        text = self._world.text(region, uri)
        if text is None:
            raise invalid_value("uri", f"The object '{uri}' cannot be read.")
        if len(text.encode()) > MAX_DOCUMENT:
            raise invalid_value("uri", f"The document has more than {MAX_DOCUMENT} bytes.")
        return text

    def _new_arn(self, resource_type: ResourceType, params: Doc, region: str) -> str:
        name = identifiers.normalise(params["name"])
        segment = (
            f"workflow/{params['type'].lower()}"
            if resource_type.noun == "Workflow"
            else resource_type.segment
        )
        stem = identifiers.arn_of(region, f"{segment}/{name}", self._state.account)
        if not resource_type.versioned:
            return self._free(resource_type, stem)
        existing = [
            identifiers.parse(arn).version for arn in self._state.resources if arn.startswith(f"{stem}/")
        ]
        arn = f"{stem}/{versions.resolve(params['semanticVersion'], existing)}"
        return (
            self._next_build(resource_type, arn, params)
            if resource_type.builds
            else self._free(resource_type, arn)
        )

    def _free(self, resource_type: ResourceType, arn: str) -> str:
        if arn in self._state.resources:
            raise _exists(resource_type, arn)
        return arn

    def _next_build(self, resource_type: ResourceType, arn: str, params: Doc) -> str:
        """Return the ARN of the next build version; an identical document is refused.

        Source: User Guide, "Create a component"; service model, CreateComponent and CreateWorkflow.
        """
        number = self._state.builds.get(arn, 0)
        latest = self._state.resources.get(f"{arn}/{number}")
        if latest and all(
            latest.get(key) == params.get(key) for key in ("data", "platform", "type") if key in params
        ):
            raise _exists(resource_type, latest["arn"])
        return f"{arn}/{number + 1}"

    def find(self, arn: str, region: str) -> Doc:
        """Find a resource by its ARN, own or shared; a wildcard or a version means the newest.

        :raises ApiError: the region has no such resource, or another account has it and does not share it.
        """
        doc = self.sharing.holder(arn).resources.get(arn)
        if doc is None:
            doc = self._newest(arn)
        if self.sharing.is_foreign(arn) and not (doc and self.sharing.allows(doc["arn"], "Get")):
            raise self.sharing.refusal(arn)
        if doc is None or identifiers.parse(arn).region != region:
            raise unknown_arn(arn)
        return doc

    def own(self, arn: str, region: str) -> Doc:
        """Find a resource that this account may change.

        :raises ApiError: it has no such resource in the region.
        """
        if self.sharing.is_foreign(arn):
            raise self.sharing.refusal(arn)
        return self.find(arn, region)

    def _newest(self, arn: str) -> Doc | None:
        parts = identifiers.parse(arn)
        if not parts.version:
            return None
        resources = self.sharing.holder(arn).resources
        prefix = identifiers.arn_of(parts.region, f"{parts.resource_type}/{parts.name}/", parts.owner)
        candidates = (a for a in resources if a.startswith(prefix) and self.sharing.allows(a, "Get"))
        found = identifiers.newest(candidates, arn)
        return resources[found] if found else None

    def get(self, resource_type: ResourceType, params: Doc, region: str) -> Doc:
        """Get<noun>."""
        doc = self.find(params[resource_type.arn_member], region)
        answer: Doc = {resource_type.body: {k: v for k, v in doc.items() if k not in resource_type.hidden}}
        if resource_type.versioned:
            answer["latestVersionReferences"] = identifiers.references(doc["arn"])
        return answer

    def delete(self, resource_type: ResourceType, params: Doc, region: str) -> Doc:
        """Delete<noun>.

        :raises ApiError: a pipeline or a recipe needs it.
        """
        arn = self.own(params[resource_type.arn_member], region)["arn"]
        users = (doc for doc in self._state.resources.values() if doc["arn"] != arn)
        if guesses.DELETE_USED_RECIPE != "accepted" and any(
            image.recipe.get("arn") == arn for image in self._state.images.values()
        ):
            raise ApiError(guesses.DELETE_USED_RECIPE, f"An image of '{arn}' exists.")
        if arn in self._state.policies or any(_needs(doc, arn) for doc in users):
            raise ApiError(
                "ResourceDependencyException",
                f"Resource dependency error: The resource ARN '{arn}' has other resources depended on it.",
            )
        del self._state.resources[arn]
        return {resource_type.arn_member: arn}

    def update(self, resource_type: ResourceType, params: Doc, region: str, now: float) -> Doc:
        """Update<noun>: removes every member that is not given (API reference, UpdateImagePipeline)."""
        doc = self.own(params[resource_type.arn_member], region)
        kept = pick(doc, ("arn", "name", "dateCreated", "tags", "dateLastRun", "lastRunStatus", "revision"))
        changed = {k: v for k, v in params.items() if k not in _NOT_KEPT and k != resource_type.arn_member}
        # A new document, because images that are being built use the old one.
        new = {**resource_type.defaults, **changed, **kept, "dateUpdated": iso(now)}
        self._complete(resource_type, new, region)
        self._state.resources[doc["arn"]] = new
        return {resource_type.arn_member: doc["arn"]}

    def list_resources(self, resource_type: ResourceType, params: Doc, region: str) -> Doc:
        """List<noun>s; of versioned resources, those of the wanted owner."""
        owner = params.get("owner", "Self") if resource_type.versioned else "Self"
        segment, docs = resource_type.segment, Shelf[Doc]()
        if owner == "Shared":
            docs = self._shared(segment, region)
        elif owner in ("Self", "Amazon"):
            docs = self._state.resources.of_type(region, segment, amazon=owner == "Amazon")
        return self._page(resource_type.listing, docs, params, cut=resource_type.builds is not None)

    def list_builds(self, resource_type: ResourceType, params: Doc, region: str) -> Doc:
        """List<noun>BuildVersions."""
        version_arn = next((v for k, v in params.items() if k.endswith("VersionArn")), None)
        docs = self._state.resources.of_type(region, resource_type.segment)
        if version_arn:
            docs = self._builds(version_arn, region)
        listing = resource_type.builds
        assert listing is not None  # noqa: S101  (only types with builds have the operation)
        return self._page(listing, docs, params, cut=False)

    def _shared(self, segment: str, region: str) -> Shelf[Doc]:
        """Return the resources of a type that other accounts share."""
        found = Shelf[Doc]()
        for state in self.sharing.others():
            for arn, doc in state.resources.of_type(region, segment).items():
                if self.sharing.allows(arn, "List"):
                    found[arn] = doc
        return found

    def _builds(self, version_arn: str, region: str) -> Shelf[Doc]:
        """Return the builds of a version; of a version with wildcards, those of each version that fits."""
        parts, found = identifiers.parse(version_arn), Shelf[Doc]()
        if parts.region != region:
            return found
        if "x" not in parts.version.split("."):
            return self._state.resources.builds(version_arn)
        segment, amazon = parts.resource_type.split("/")[0], parts.owner == "aws"
        for arn, doc in self._state.resources.of_type(region, segment, amazon=amazon).items():
            own = identifiers.parse(arn)
            if own.base == parts.base and identifiers.matches(own.version, parts.version):
                found[arn] = doc
        return found

    def _page(self, listing: Listing, docs: Shelf[Doc], params: Doc, *, cut: bool) -> Doc:
        fits: Callable[[Doc], bool] | None = passing(params, listing.filters)
        newest = {doc["name"]: doc["arn"] for doc in docs.values()} if params.get("byName") else None

        def passes(doc: Doc) -> bool:
            if newest is not None and newest[doc["name"]] != doc["arn"]:
                return False
            version = doc["arn"].rpartition("/")[0]
            builds = self.sharing.holder(version).resources.builds(version)
            # A version is listed with its newest build.
            if cut and builds.newest is not doc:
                return False
            return fits is None or fits(doc)

        def shape(doc: Doc) -> Doc:
            summary = pick(doc, listing.members)
            return {**summary, "arn": doc["arn"].rpartition("/")[0]} if cut else summary

        return page(listing.key, docs, params, shape, passes=passes)

    def _complete(self, resource_type: ResourceType, doc: Doc, region: str) -> None:
        """Add the members of a resource that follow from its others.

        :raises ApiError: its document is invalid, or its parent does not exist.
        """
        noun = resource_type.noun
        if noun == "Component":
            document = _read(component.read, doc["data"])
            active = {"status": "ACTIVE"}
            doc |= {"state": active, "status": "ACTIVE", "type": document.type}
            doc["parameters"] = list(document.parameters)
        if noun == "Workflow":
            found = _read(partial(workflow.read, workflow_type=doc["type"]), doc["data"])
            self._state.documents[doc["arn"]] = found
            # The only state of the model is DEPRECATED.
            doc["parameters"] = list(found.parameters)
        if noun in ("ImageRecipe", "ContainerRecipe"):
            recipe_rules.check(doc, lambda arn: self.find(arn, region), self._os_version(doc, region))
            doc["platform"] = self.parents.find(doc, region).platform
            recipe_rules.check_repository(doc, region, self._state.account, self._world)
        if image := doc.get("instanceConfiguration", {}).get("image"):
            doc["instanceImage"] = image
        if noun == "InfrastructureConfiguration":
            infrastructure_rules.check(doc, region, self._world)
        if noun == "DistributionConfiguration":
            distribution_rules.check(doc["distributions"], region, self._state.account, self._world.is_region)
            doc["regions"] = [item["region"] for item in doc["distributions"]]

    def _os_version(self, recipe: Doc, region: str) -> str | None:
        """Return the operating system of a parent that is an Image Builder image."""
        is_image = ":imagebuilder:" in str(recipe["parentImage"])
        return self.parents.find(recipe, region).os_version if is_image else None

    def tagged(self, arn: str, region: str) -> Doc:
        """Find the document of the resource or image that has the tags.

        :raises ApiError: the ARN names nothing in the region.
        """
        if arn in self._state.images and identifiers.parse(arn).region == region:
            return self._state.images[arn].doc
        if arn in self._state.resources and identifiers.parse(arn).region == region:
            return self._state.resources[arn]
        raise ApiError("ResourceNotFoundException", f"The resource '{arn}' cannot be found.", 404)


def _exists(resource_type: ResourceType, arn: str) -> ApiError:
    return ApiError(
        "ResourceAlreadyExistsException",
        f"The following resource '{resource_type.noun}' already exists: '{arn}'.",
    )


def _read(read: Callable[[str], Document], text: str) -> Document:
    try:
        return read(text)
    except DocumentError as error:
        raise invalid_value("data", str(error)) from error


def _created(resource_type: ResourceType, arn: str) -> Doc:
    answer: Doc = {resource_type.arn_member: arn}
    if resource_type.versioned:
        answer["latestVersionReferences"] = identifiers.references(arn)
    return answer


def _needs(doc: Doc, arn: str) -> bool:
    values: list[Any] = [value for key, value in doc.items() if key.endswith("Arn")]
    values += [item["componentArn"] for item in doc.get("components", ())]
    if doc["arn"].split(":")[5].startswith("image-pipeline/"):
        values += [item["workflowArn"] for item in doc.get("workflows", ())]
    return arn in values
