"""Imports: components from scripts, images from virtual machines and from disk images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.errors import invalid_combination, invalid_value
from airflow_imagebuilder.local.emulator.engine.operations.resources.resource_types import RESOURCE_TYPES
from airflow_imagebuilder.local.emulator.engine.operations.rules import versions
from airflow_imagebuilder.local.emulator.engine.state import Image

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.operations.images.images import Images
    from airflow_imagebuilder.local.emulator.engine.operations.resources.resources import Resources
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc

_COMPONENT = next(kind for kind in RESOURCE_TYPES if kind.noun == "Component")


class Imports:
    """The operations whose names begin with Import.

    :param context: state and clock.
    :param resources: holds components and configurations.
    :param images: makes images.
    """

    def __init__(self, context: SimulationContext, resources: Resources, images: Images) -> None:
        self._context = context
        self._resources = resources
        self._images = images

    def component(self, params: Doc, region: str) -> Doc:
        """ImportComponent: puts a script into a document of one step."""
        if ("data" in params) == ("uri" in params):
            raise invalid_combination("Exactly one of data and uri must be specified.")
        script = params.get("data")
        if script is None:
            script = self._resources.text(region, params["uri"])
        shell = "ExecutePowerShell" if params["platform"] == "Windows" else "ExecuteBash"
        step = {"name": "ImportedScript", "action": shell, "inputs": {"commands": [script]}}
        phase = {"name": params["type"].lower(), "steps": [step]}
        document = {"name": params["name"], "schemaVersion": 1.0, "phases": [phase]}
        request = {k: v for k, v in params.items() if k not in ("data", "uri", "type", "format")}
        request["data"] = yaml.safe_dump(document, sort_keys=False)
        answer = self._resources.create(_COMPONENT, request, region, self._context.clock.now())
        return {"componentBuildVersionArn": answer["componentBuildVersionArn"]}

    def vm_image(self, params: Doc, region: str) -> Doc:
        """ImportVmImage: makes a base image of the AMI of an import task."""
        image = self._new(params, region, "IMPORT")
        self._images.lifecycle.begin_import(image)
        return {"imageArn": image.arn}

    def disk_image(self, params: Doc, region: str) -> Doc:
        """ImportDiskImage: builds an AMI from an ISO file."""
        if not params["uri"].lower().endswith(".iso"):
            raise invalid_value("uri", "The disk image is an ISO file.")
        infrastructure = self._resources.find(params["infrastructureConfigurationArn"], region)
        image = self._new(params, region, "IMPORT_ISO", infrastructure)
        self._images.lifecycle.begin_import(image)
        return {"imageBuildVersionArn": image.arn}

    def _new(self, params: Doc, region: str, build_type: str, infrastructure: Doc | None = None) -> Image:
        versions.check(params["semanticVersion"])
        name, version, now = params["name"], params["semanticVersion"], self._context.clock.now()
        arn, number = self._images.next_arn(name, version, region)
        doc: Doc = {
            "arn": arn,
            "type": "AMI",
            "name": name,
            "version": f"{version}/{number}",
            "platform": params["platform"],
            "enhancedImageMetadataEnabled": False,
            **({"osVersion": params["osVersion"]} if "osVersion" in params else {}),
            "dateCreated": iso(now),
            "buildType": build_type,
            "imageSource": "IMPORTED",
            "imageTestsConfiguration": {"imageTestsEnabled": False, "timeoutMinutes": 720},
            **{
                key: params[key] for key in ("tags", "loggingConfiguration", "executionRole") if key in params
            },
        }
        if infrastructure:
            doc["infrastructureConfiguration"] = infrastructure
        recipe = {"name": name, "version": version, "parentImage": params.get("uri", self._context.account)}
        image = Image(doc, region, recipe, infrastructure or {}, None, (), now)
        self._context.state.add_image(image)
        return image
