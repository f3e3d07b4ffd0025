"""Resources: components, workflows, recipes, configurations and pipelines, and the operations on them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value
from airflow_imagebuilder.local.emulator.engine.operations.pagination import filtered, paged, pick
from airflow_imagebuilder.local.emulator.engine.simulation import workflow_documents

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.operations.resource_types import Listing, ResourceType
    from airflow_imagebuilder.local.emulator.engine.state import Doc, State

_NOT_KEPT = frozenset({"clientToken", "dryRun", "semanticVersion", "uri", "dockerfileTemplateUri"})
_OWNERS = {"Self": identifiers.ACCOUNT, "Amazon": "Amazon"}


class Resources:
    """The resources of every region.

    :param state: stores them.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def create(self, resource_type: ResourceType, params: Doc, region: str, now: float) -> Doc:
        """Create<noun>.

        :raises ApiError: name and version exist already, or the workflow document is invalid.
        """
        arn = self._new_arn(resource_type, params, region)
        doc = {**resource_type.defaults, **{k: v for k, v in params.items() if k not in _NOT_KEPT}}
        doc |= {"arn": arn, "name": params["name"], "dateCreated": iso(now)}
        if resource_type.versioned:
            doc |= {"owner": identifiers.ACCOUNT, "version": identifiers.parse(arn).version}
        _complete(resource_type, doc)
        if resource_type.noun == "Workflow":
            text = params.get("data")
            steps = workflow_documents.read(text) if text else workflow_documents.FALLBACK[params["type"]]
            self._state.workflow_steps[arn] = steps
            doc["parameters"] = workflow_documents.parameters_of(text)
        self._state.resources[arn] = doc
        return _created(resource_type, arn)

    def _new_arn(self, resource_type: ResourceType, params: Doc, region: str) -> str:
        name = identifiers.normalise(params["name"])
        segment = (
            f"workflow/{params['type'].lower()}"
            if resource_type.noun == "Workflow"
            else resource_type.segment
        )
        tail = f"{segment}/{name}"
        if resource_type.versioned:
            tail += "/" + params["semanticVersion"].replace("x", "0")
        arn = identifiers.arn_of(region, tail)
        full = f"{arn}/1" if resource_type.builds else arn
        if full in self._state.resources:
            raise ApiError(
                "ResourceAlreadyExistsException",
                f"The following resource '{resource_type.noun}' already exists: '{arn}'.",
            )
        return full

    def find(self, arn: str, region: str) -> Doc:
        """Find a resource by its ARN; a wildcard or a version means the newest.

        :raises ApiError: the region has no such resource.
        """
        doc = self._state.resources.get(arn)
        if doc is None:
            doc = self._newest(arn)
        if doc is None or identifiers.parse(arn).region != region:
            raise unknown(arn)
        return doc

    def _newest(self, arn: str) -> Doc | None:
        parts = identifiers.parse(arn)
        if not parts.version:
            return None
        prefix = identifiers.arn_of(parts.region, f"{parts.resource_type}/{parts.name}/", parts.owner)
        found = identifiers.newest((a for a in self._state.resources if a.startswith(prefix)), arn)
        return self._state.resources[found] if found else None

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
        arn = self.find(params[resource_type.arn_member], region)["arn"]
        if any(_needs(doc, arn) for doc in self._state.resources.values() if doc["arn"] != arn):
            raise ApiError(
                "ResourceDependencyException",
                f"Resource dependency error: The resource ARN '{arn}' has other resources depended on it.",
            )
        del self._state.resources[arn]
        return {resource_type.arn_member: arn}

    def update(self, resource_type: ResourceType, params: Doc, region: str, now: float) -> Doc:
        """Update<noun>: removes every member that is not given (API reference, UpdateImagePipeline)."""
        doc = self.find(params[resource_type.arn_member], region)
        kept = pick(doc, ("arn", "name", "dateCreated", "tags", "dateLastRun", "lastRunStatus"))
        changed = {k: v for k, v in params.items() if k not in _NOT_KEPT and k != resource_type.arn_member}
        # A new document, because images that are being built use the old one.
        new = {**resource_type.defaults, **changed, **kept, "dateUpdated": iso(now)}
        _complete(resource_type, new)
        self._state.resources[doc["arn"]] = new
        return {resource_type.arn_member: doc["arn"]}

    def list_resources(self, resource_type: ResourceType, params: Doc, region: str) -> Doc:
        """List<noun>s; of versioned resources, those of the wanted owner."""
        docs = self._in_region(resource_type, region)
        if resource_type.versioned:
            owner = params.get("owner", guesses.DEFAULT_OWNER)
            docs = [doc for doc in docs if doc["owner"] == _OWNERS.get(owner)]
        return self._page(resource_type.listing, docs, params, cut=resource_type.builds is not None)

    def list_builds(self, resource_type: ResourceType, params: Doc, region: str) -> Doc:
        """List<noun>BuildVersions."""
        docs = self._in_region(resource_type, region)
        version_arn = next((v for k, v in params.items() if k.endswith("VersionArn")), None)
        if version_arn:
            docs = [doc for doc in docs if doc["arn"].rpartition("/")[0] == version_arn]
        listing = resource_type.builds
        assert listing is not None  # noqa: S101  (only types with builds have the operation)
        return self._page(listing, docs, params, cut=False)

    def _in_region(self, resource_type: ResourceType, region: str) -> list[Doc]:
        head = f":{resource_type.segment}/"
        found = {arn: doc for arn, doc in self._state.resources.items() if head in arn}
        return [doc for arn, doc in found.items() if identifiers.parse(arn).region == region]

    def _page(self, listing: Listing, docs: list[Doc], params: Doc, *, cut: bool) -> Doc:
        docs = filtered(docs, params, listing.filters)
        if params.get("byName"):
            docs = list({doc["name"]: doc for doc in docs}.values())

        def shape(doc: Doc) -> Doc:
            summary = pick(doc, listing.members)
            return {**summary, "arn": doc["arn"].rpartition("/")[0]} if cut else summary

        return paged(listing.key, docs, params, shape)

    def tagged(self, arn: str) -> Doc:
        """Find the document of the resource or image that has the tags.

        :raises ApiError: the ARN names nothing.
        """
        if arn in self._state.images:
            return self._state.images[arn].doc
        if arn in self._state.resources:
            return self._state.resources[arn]
        raise ApiError("ResourceNotFoundException", f"The resource '{arn}' cannot be found.", 404)


def unknown(arn: str) -> ApiError:
    """Make the error for an ARN that names nothing."""
    return ApiError(
        guesses.UNKNOWN_ARN, f"The resource ARN '{arn}' does not exist in this account and region.", 404
    )


def _created(resource_type: ResourceType, arn: str) -> Doc:
    answer: Doc = {resource_type.arn_member: arn}
    if resource_type.versioned:
        answer["latestVersionReferences"] = identifiers.references(arn)
    return answer


def _complete(resource_type: ResourceType, doc: Doc) -> None:
    if resource_type.noun == "Component":
        doc["state"] = {"status": "ACTIVE"}
        doc["status"] = "ACTIVE"
        doc["type"] = _component_type(doc.get("data"))
    if resource_type.noun in ("ImageRecipe", "ContainerRecipe"):
        doc["platform"] = platform_of(doc)
    if resource_type.noun == "DistributionConfiguration":
        doc["regions"] = [item["region"] for item in doc["distributions"]]
        if len(set(doc["regions"])) < len(doc["regions"]):
            raise invalid_value("distributions", "A region is given more than once.")


def _component_type(data: str | None) -> str:
    """Return TEST for a component whose only phase is ``test``, else BUILD."""
    phases = set(re.findall(r"^\s*-?\s*name:\s*['\"]?(build|validate|test)\b", data or "", re.MULTILINE))
    return "TEST" if phases == {"test"} else "BUILD"


def platform_of(recipe: Doc) -> str:
    """Return the platform of a recipe, read from the names in it."""
    text = f"{recipe.get('platformOverride', '')} {recipe['parentImage']} {recipe['name']}".lower()
    if "windows" in text:
        return "Windows"
    return "macOS" if "macos" in text else "Linux"


def os_version_of(recipe: Doc) -> str:
    """Return the operating system of an image, read from the names in its recipe."""
    text = f"{recipe['parentImage']} {recipe['name']}".lower()
    if "windows" in text:
        return "Microsoft Windows Server 2022"
    ubuntu = re.search(r"ubuntu\D*(\d{2})\.?(\d{2})", text)
    return f"Ubuntu {ubuntu[1]}.{ubuntu[2]}" if ubuntu else "Amazon Linux 2023"


def _needs(doc: Doc, arn: str) -> bool:
    values: list[Any] = [value for key, value in doc.items() if key.endswith("Arn")]
    values += [item["componentArn"] for item in doc.get("components", ())]
    if doc["arn"].split(":")[5].startswith("image-pipeline/"):
        values += [item["workflowArn"] for item in doc.get("workflows", ())]
    return arn in values
