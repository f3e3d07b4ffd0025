"""What an image leaves behind: AMIs by region and account, container images, parameters, launch templates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses
from airflow_imagebuilder.local.emulator.engine import identifiers as names
from airflow_imagebuilder.local.emulator.engine.clock import iso

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

#: Members of a distribution that are worked on after the copy, and their ``imageConfigurationStep``.
CONFIGURATION_STEPS = {
    "licenseConfigurationArns": "ASSOCIATE_LICENSES",
    "launchTemplateConfigurations": "UPDATE_LAUNCH_TEMPLATES",
    "ssmParameterConfigurations": "PUT_SSM_PARAMETERS",
    "fastLaunchConfigurations": "UPDATE_FAST_LAUNCH_CONFIGURATIONS",
    "s3ExportConfiguration": "EXPORT_AMI",
}


class Distribution:
    """Makes the outputs of images."""

    def __init__(self, core: SimulationContext) -> None:
        self._core = core

    def create(self, image: Image) -> None:
        """Make the AMI that a build ends with, in the region of the build."""
        if image.ami is None:
            image.ami = self._ami(image, image.region, names.ACCOUNT)
            image.copies[f"{image.region}/{names.ACCOUNT}"] = image.ami

    def begin(self, image: Image) -> None:
        """Show what is there when distribution begins."""
        if image.is_ami:
            self.create(image)
            self._show(image, [])

    def distribute(self, image: Image) -> Doc | None:
        """Bring an image to every region and account of its distribution configuration.

        :return: ``distributionFailure`` if that failed somewhere.
        """
        regions = {item["region"] for item in _distributions(image)}
        failures = self._core.profile.region_failures(image, regions, integrating=False)
        if image.is_ami:
            self.create(image)
            self._copy(image, {failure.region for failure in failures})
            self._show(image, failures)
        else:
            self._containers(image, {failure.region for failure in failures})
        return _context(failures) if failures else None

    def _copy(self, image: Image, broken: set[str | None]) -> None:
        for item in _distributions(image):
            accounts = item.get("amiDistributionConfiguration", {}).get("targetAccountIds", ())
            for account in (names.ACCOUNT, *accounts):
                key = f"{item['region']}/{account}"
                if key not in image.copies and item["region"] not in broken:
                    image.copies[key] = self._ami(image, item["region"], account)

    def _ami(self, image: Image, region: str, account: str) -> str:
        configuration = _configuration(image, region)
        ami = self._core.ids.hexadecimal("ami")
        tags = {**image.recipe.get("amiTags", {}), **configuration.get("amiTags", {})}
        tags |= {guesses.AMI_TAG: image.arn, "CreatedBy": "EC2 Image Builder"}
        data = {
            "id": ami,
            "snapshot": self._core.ids.hexadecimal("snap"),
            "account": account,
            "name": self.name_of(image, region),
            "description": configuration.get("description") or f"Image Builder image {image.arn}",
            "platform": image.doc["platform"],
            "tags": tags,
        }
        self._core.emit("ami", region, data)
        return ami

    def name_of(self, image: Image, region: str) -> str:
        """The name of an AMI: the distribution's template, or the recipe's name and the date."""
        date = re.sub(r"[:.]", "-", iso(image.created))
        template = (
            _configuration(image, region).get("name")
            or f"{image.doc['name']} {{{{ imagebuilder:buildDate }}}}"
        )
        build = image.doc["version"].replace("/", "-")
        text = re.sub(r"\{\{\s*imagebuilder:buildDate\s*\}\}", date, template)
        return re.sub(r"\{\{\s*imagebuilder:buildVersion\s*\}\}", build, text)

    def _show(self, image: Image, failures: list[Failure]) -> None:
        wanted = [(item["region"], names.ACCOUNT) for item in _distributions(image)]
        keys = [tuple(key.split("/")) for key in image.copies]
        shown = [key for key in keys if key in wanted or key[1] != names.ACCOUNT or not wanted]
        amis: list[Doc] = [self._shown(image, region, account) for region, account in shown]
        for failure in failures:
            state = {"status": "FAILED", "reason": _text(failure)}
            entry = {"region": failure.region, "accountId": failure.account or names.ACCOUNT, "state": state}
            amis.append(entry)
        image.doc["outputResources"] = {"amis": amis}

    def _shown(self, image: Image, region: str, account: str) -> Doc:
        return {
            "region": region,
            "image": image.copies[f"{region}/{account}"],
            "name": self.name_of(image, region),
            "description": _configuration(image, region).get("description")
            or f"Image Builder image {image.arn}",
            "state": {"status": "AVAILABLE"},
            "accountId": account,
        }

    def _containers(self, image: Image, broken: set[str | None]) -> None:
        found = []
        for item in _distributions(image) or [{"region": image.region}]:
            region, given = item["region"], item.get("containerDistributionConfiguration", {})
            target = given.get("targetRepository") or image.recipe["targetRepository"]
            version, build = image.doc["version"].split("/")
            tags = given.get("containerTags") or [guesses.CONTAINER_TAG.format(version=version, build=build)]
            host = f"{names.ACCOUNT}.dkr.ecr.{region}.amazonaws.com"
            if region not in broken:
                uris = [f"{host}/{target['repositoryName']}:{tag}" for tag in tags]
                found.append({"region": region, "imageUris": uris})
        image.doc["outputResources"] = {"containers": found}

    def integrates(self, image: Image) -> bool:
        """Whether something is left to be done after the copies."""
        return image.is_ami and any(
            key in item for item in _distributions(image) for key in CONFIGURATION_STEPS
        )

    def integrate(self, image: Image) -> Doc | None:
        """Put parameters and launch templates in every region.

        :return: ``distributionFailure`` if that failed somewhere.
        """
        regions = {item["region"] for item in _distributions(image)}
        failures = self._core.profile.region_failures(image, regions, integrating=True)
        broken = {(failure.region, failure.configuration_step) for failure in failures}
        for item in _distributions(image):
            if (item["region"], "PUT_SSM_PARAMETERS") not in broken:
                self._parameters(image, item)
            if (item["region"], "UPDATE_LAUNCH_TEMPLATES") not in broken:
                self._templates(image, item)
        return _context(failures) if failures else None

    def _parameters(self, image: Image, item: Doc) -> None:
        for given in item.get("ssmParameterConfigurations", ()):
            account = given.get("amiAccountId", names.ACCOUNT)
            data = {
                "name": given["parameterName"],
                "value": image.copies.get(f"{item['region']}/{account}", image.ami),
                "type": given.get("dataType", "aws:ec2:image"),
            }
            self._core.emit("parameter", item["region"], data)

    def _templates(self, image: Image, item: Doc) -> None:
        for given in item.get("launchTemplateConfigurations", ()):
            data = {
                "id": given["launchTemplateId"],
                "ami": image.copies.get(f"{item['region']}/{names.ACCOUNT}", image.ami),
                "default": given.get("setDefaultVersion", False),
            }
            self._core.emit("launch_template", item["region"], data)


def _distributions(image: Image) -> list[Doc]:
    return list(image.distribution["distributions"]) if image.distribution else []


def _configuration(image: Image, region: str) -> Doc:
    for item in _distributions(image):
        if item["region"] == region:
            return dict(item.get("amiDistributionConfiguration", {}))
    return {}


def _text(failure: Failure) -> str:
    what = failure.configuration_step or "copy of the AMI"
    return failure.message or f"Distribution to {failure.region} failed on demand of the scenario ({what})"


def _context(failures: list[Failure]) -> Doc:
    regions = []
    for failure in failures:
        entry = {"region": failure.region, "status": failure.status, "errorMessage": _text(failure)}
        entry["targetAccountId"] = failure.account or names.ACCOUNT
        if failure.configuration_step:
            entry["imageConfigurationStep"] = failure.configuration_step
        regions.append(entry)
    message = "Distribution failed for " + ", ".join(sorted({str(f.region) for f in failures}))
    return {"errorMessage": message, "regionFailures": regions}
