"""Components, workflows, recipes, configurations and pipelines: created, read, listed, changed, deleted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine import identifiers as names
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.errors import ApiError, invalid_value
from airflow_imagebuilder.local.emulator.engine.operations.pagination import filtered, paged, pick
from airflow_imagebuilder.local.emulator.engine.operations.resource_types import (
    RESOURCE_TYPES,
    Listing,
    ResourceType,
)
from airflow_imagebuilder.local.emulator.engine.simulation import workflow_documents as plans

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Doc, State

BY_SEGMENT = {kind.segment: kind for kind in RESOURCE_TYPES}
_NOT_KEPT = frozenset({"clientToken", "dryRun", "semanticVersion", "uri", "dockerfileTemplateUri"})
_OWNERS = {"Self": names.ACCOUNT, "Amazon": "Amazon"}


class Resources:
    """The documents of every region.

    :param state: where they are kept.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def create(self, kind: ResourceType, params: Doc, region: str, now: float) -> Doc:
        """Create<noun>.

        :raises ApiError: for a name and version that are taken, or a broken document.
        """
        arn = self._new_arn(kind, params, region)
        doc = {**kind.defaults, **{k: v for k, v in params.items() if k not in _NOT_KEPT}}
        doc |= {"arn": arn, "name": params["name"], "dateCreated": iso(now)}
        if kind.versioned:
            doc |= {"owner": names.ACCOUNT, "version": names.parse(arn).version}
        _complete(kind, doc)
        if kind.noun == "Workflow":
            text = params.get("data")
            self._state.plans[arn] = plans.read(text) if text else plans.FALLBACK[params["type"]]
            doc["parameters"] = plans.parameters_of(text)
        self._state.documents[arn] = doc
        return _created(kind, arn)

    def _new_arn(self, kind: ResourceType, params: Doc, region: str) -> str:
        name = names.normalise(params["name"])
        segment = f"workflow/{params['type'].lower()}" if kind.noun == "Workflow" else kind.segment
        tail = f"{segment}/{name}"
        if kind.versioned:
            tail += "/" + params["semanticVersion"].replace("x", "0")
        arn = names.arn_of(region, tail)
        full = f"{arn}/1" if kind.builds else arn
        if full in self._state.documents:
            raise ApiError(
                "ResourceAlreadyExistsException",
                f"The following resource '{kind.noun}' already exists: '{arn}'.",
            )
        return full

    def find(self, arn: str, region: str) -> Doc:
        """The document that an ARN means; wildcards and versions mean the newest.

        :raises ApiError: if there is none in this region.
        """
        doc = self._state.documents.get(arn)
        if doc is None:
            doc = self._newest(arn)
        if doc is None or names.parse(arn).region != region:
            raise unknown(arn)
        return doc

    def _newest(self, arn: str) -> Doc | None:
        parts = names.parse(arn)
        if not parts.version:
            return None
        prefix = names.arn_of(parts.region, f"{parts.kind}/{parts.name}/", parts.owner)
        found = names.newest((a for a in self._state.documents if a.startswith(prefix)), arn)
        return self._state.documents[found] if found else None

    def get(self, kind: ResourceType, params: Doc, region: str) -> Doc:
        """Get<noun>."""
        doc = self.find(params[kind.arn_member], region)
        answer: Doc = {kind.body: {k: v for k, v in doc.items() if k not in kind.hidden}}
        if kind.versioned:
            answer["latestVersionReferences"] = names.references(doc["arn"])
        return answer

    def delete(self, kind: ResourceType, params: Doc, region: str) -> Doc:
        """Delete<noun>.

        :raises ApiError: while a pipeline or a recipe needs it.
        """
        arn = self.find(params[kind.arn_member], region)["arn"]
        if any(_needs(doc, arn) for doc in self._state.documents.values() if doc["arn"] != arn):
            raise ApiError(
                "ResourceDependencyException",
                f"Resource dependency error: The resource ARN '{arn}' has other resources depended on it.",
            )
        del self._state.documents[arn]
        return {kind.arn_member: arn}

    def update(self, kind: ResourceType, params: Doc, region: str, now: float) -> Doc:
        """Update<noun>: what is not given is gone afterwards, as the API reference tells for pipelines."""
        doc = self.find(params[kind.arn_member], region)
        kept = pick(doc, ("arn", "name", "dateCreated", "tags", "dateLastRun", "lastRunStatus"))
        changed = {k: v for k, v in params.items() if k not in _NOT_KEPT and k != kind.arn_member}
        # A new document: images that are being built hold on to the old one.
        new = {**kind.defaults, **changed, **kept, "dateUpdated": iso(now)}
        _complete(kind, new)
        self._state.documents[doc["arn"]] = new
        return {kind.arn_member: doc["arn"]}

    def list_kind(self, kind: ResourceType, params: Doc, region: str) -> Doc:
        """List<noun>s; of what has versions, the newest build of each."""
        docs = self._of(kind, region)
        if kind.versioned:
            owner = params.get("owner", guesses.DEFAULT_OWNER)
            docs = [doc for doc in docs if doc["owner"] == _OWNERS.get(owner)]
        return self._page(kind.listing, docs, params, cut=kind.builds is not None)

    def list_builds(self, kind: ResourceType, params: Doc, region: str) -> Doc:
        """List<noun>BuildVersions."""
        docs = self._of(kind, region)
        version_arn = next((v for k, v in params.items() if k.endswith("VersionArn")), None)
        if version_arn:
            docs = [doc for doc in docs if doc["arn"].rpartition("/")[0] == version_arn]
        listing = kind.builds
        assert listing is not None  # noqa: S101  (only kinds with builds have the operation)
        return self._page(listing, docs, params, cut=False)

    def _of(self, kind: ResourceType, region: str) -> list[Doc]:
        head = f":{kind.segment}/"
        return [d for a, d in self._state.documents.items() if head in a and names.parse(a).region == region]

    def _page(self, listing: Listing, docs: list[Doc], params: Doc, *, cut: bool) -> Doc:
        docs = filtered(docs, params, listing.filters)
        if params.get("byName"):
            docs = list({doc["name"]: doc for doc in docs}.values())

        def shape(doc: Doc) -> Doc:
            summary = pick(doc, listing.members)
            return {**summary, "arn": doc["arn"].rpartition("/")[0]} if cut else summary

        return paged(listing.key, docs, params, shape)

    def tagged(self, arn: str) -> Doc:
        """The document or image whose tags are meant.

        :raises ApiError: if there is none.
        """
        if arn in self._state.images:
            return self._state.images[arn].doc
        if arn in self._state.documents:
            return self._state.documents[arn]
        raise ApiError("ResourceNotFoundException", f"The resource '{arn}' cannot be found.", 404)


def unknown(arn: str) -> ApiError:
    """The refusal of an ARN that names nothing."""
    return ApiError(
        guesses.UNKNOWN_ARN, f"The resource ARN '{arn}' does not exist in this account and region.", 404
    )


def _created(kind: ResourceType, arn: str) -> Doc:
    answer: Doc = {kind.arn_member: arn}
    if kind.versioned:
        answer["latestVersionReferences"] = names.references(arn)
    return answer


def _complete(kind: ResourceType, doc: Doc) -> None:
    if kind.noun == "Component":
        doc["state"] = {"status": "ACTIVE"}
        doc["status"] = "ACTIVE"
        doc["type"] = _component_type(doc.get("data"))
    if kind.noun in ("ImageRecipe", "ContainerRecipe"):
        doc["platform"] = platform_of(doc)
    if kind.noun == "DistributionConfiguration":
        doc["regions"] = [item["region"] for item in doc["distributions"]]
        if len(set(doc["regions"])) < len(doc["regions"]):
            raise invalid_value("distributions", "A region is given more than once.")


def _component_type(data: str | None) -> str:
    """A component whose only phase is ``test`` is a test component."""
    phases = set(re.findall(r"^\s*-?\s*name:\s*['\"]?(build|validate|test)\b", data or "", re.MULTILINE))
    return "TEST" if phases == {"test"} else "BUILD"


def platform_of(recipe: Doc) -> str:
    """The platform of a recipe, as far as the name of its parent tells it."""
    text = f"{recipe.get('platformOverride', '')} {recipe['parentImage']} {recipe['name']}".lower()
    if "windows" in text:
        return "Windows"
    return "macOS" if "macos" in text else "Linux"


def os_version_of(recipe: Doc) -> str:
    """The operating system of an image, as far as the names in its recipe tell it."""
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
