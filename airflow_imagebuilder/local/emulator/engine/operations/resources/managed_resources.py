"""Amazon's own workflows, components and images, as a region shows them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import identifiers
from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.managed import components, images, workflows

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.state import Doc, State

_ACTIVE = {"status": "ACTIVE"}


def add(state: State, region: str) -> None:
    """Add what Amazon manages, once per region."""
    if region in state.managed:
        return
    state.managed.add(region)
    for (workflow_type, name), version in workflows.VERSIONS.items():
        arn = identifiers.arn_of(region, f"workflow/{workflow_type.lower()}/{name}/{version}/1", "aws")
        document = workflows.document(workflow_type, name)
        state.documents[arn] = document
        members = {
            "type": workflow_type,
            "data": workflows.text(name),
            "parameters": list(document.parameters),
        }
        state.resources[arn] = _resource(arn, name, version, members)
    for component in components.MANAGED_COMPONENTS:
        for version in component.versions:
            _add_component(state, region, component, version)


def _add_component(state: State, region: str, component: components.ManagedComponent, version: str) -> None:
    arn = identifiers.arn_of(region, f"component/{component.name}/{version}/1", "aws")
    members = {
        "type": component.type,
        "platform": component.platform,
        "status": "ACTIVE",
        "state": _ACTIVE,
        "data": components.document(component),
        "encrypted": True,
        "parameters": [
            {"name": name, "type": "string", "defaultValue": [default]}
            for name, default in component.parameters
        ],
    }
    state.resources[arn] = _resource(arn, component.name, version, members)


def _resource(arn: str, name: str, version: str, members: Doc) -> Doc:
    created = iso(0.0)
    return {
        "arn": arn,
        "name": name,
        "version": version,
        "owner": "Amazon",
        "dateCreated": created,
        **members,
    }


def image(arn: str) -> Doc | None:
    """Return an image of Amazon's as ``Image``; None if the ARN names none.

    :param arn: with a version, perhaps with wildcards, and perhaps with a build.
    """
    parts = identifiers.parse(arn)
    found = images.find(parts.name) if parts.owner == "aws" else None
    if found is None or parts.build not in ("", "1"):
        return None
    version = found.resolve(parts.version or "x.x.x")
    return _image(found, version, parts.region) if version else None


@lru_cache(maxsize=64)
def all_images(region: str) -> tuple[Doc, ...]:
    """Return every listed image of Amazon's as ``Image``, oldest version first; nothing may change them."""
    listed = [found for name in images.LISTED if (found := images.find(name))]
    return tuple(_image(found, version, region) for found in listed for version in found.versions)


def _image(found: images.ManagedImage, version: str, region: str) -> Doc:
    year, month, day = version.split(".")
    doc: Doc = {
        "arn": identifiers.arn_of(region, f"image/{found.name}/{version}/1", "aws"),
        "type": found.type,
        "name": found.title,
        "version": f"{version}/1",
        "platform": found.platform,
        "osVersion": found.os_version,
        "state": {"status": "AVAILABLE"},
        "dateCreated": f"{year}-{int(month):02}-{int(day):02}T00:00:00.000Z",
        "imageSource": "AMAZON_MANAGED",
    }
    if found.type == "AMI":
        ami = {"region": region, "image": found.ami(region, version), "name": found.title}
        doc["outputResources"] = {"amis": [ami]}
    return doc
