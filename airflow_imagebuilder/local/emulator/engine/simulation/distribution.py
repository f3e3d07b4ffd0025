"""Distribution: the outputs of an image in every region: AMIs, container images, parameters, templates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses, identifiers
from airflow_imagebuilder.local.emulator.engine.clock import iso

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

#: The members of a distribution that AWS handles after the copy, with their ``imageConfigurationStep``.
CONFIGURATION_STEPS = {
    "licenseConfigurationArns": "ASSOCIATE_LICENSES",
    "launchTemplateConfigurations": "UPDATE_LAUNCH_TEMPLATES",
    "ssmParameterConfigurations": "PUT_SSM_PARAMETERS",
    "fastLaunchConfigurations": "UPDATE_FAST_LAUNCH_CONFIGURATIONS",
    "s3ExportConfiguration": "EXPORT_AMI",
}


class Distribution:
    """Makes and distributes the outputs of images."""

    def __init__(self, context: SimulationContext) -> None:
        self._context = context

    def create(self, image: Image) -> None:
        """Make the AMI of a build, in the region of the build."""
        if image.ami is None:
            image.ami = self._ami(image, image.region, identifiers.ACCOUNT)
            image.copies[f"{image.region}/{identifiers.ACCOUNT}"] = image.ami

    def begin(self, image: Image) -> None:
        """Set ``outputResources`` as distribution begins: the AMI of the build."""
        if image.is_ami:
            self.create(image)
            self._set_amis(image, [])

    def distribute(self, image: Image) -> Doc | None:
        """Copy an image to every region and account of its distribution configuration.

        :return: ``distributionFailure`` if a region failed, else None.
        """
        regions = {item["region"] for item in _distributions(image)}
        failures = self._context.behaviour.region_failures(image, regions, integrating=False)
        if image.is_ami:
            self.create(image)
            self._copy(image, {failure.region for failure in failures})
            self._set_amis(image, failures)
        else:
            self._set_containers(image, {failure.region for failure in failures})
        return _distribution_failure(failures) if failures else None

    def _copy(self, image: Image, failed_regions: set[str | None]) -> None:
        for item in _distributions(image):
            accounts = item.get("amiDistributionConfiguration", {}).get("targetAccountIds", ())
            for account in (identifiers.ACCOUNT, *accounts):
                key = f"{item['region']}/{account}"
                if key not in image.copies and item["region"] not in failed_regions:
                    image.copies[key] = self._ami(image, item["region"], account)

    def _ami(self, image: Image, region: str, account: str) -> str:
        configuration = _configuration(image, region)
        ami = self._context.ids.hexadecimal("ami")
        tags = {**image.recipe.get("amiTags", {}), **configuration.get("amiTags", {})}
        tags |= {guesses.AMI_TAG: image.arn, "CreatedBy": "EC2 Image Builder"}
        data = {
            "id": ami,
            "snapshot": self._context.ids.hexadecimal("snap"),
            "account": account,
            "name": self.name_of(image, region),
            "description": configuration.get("description") or f"Image Builder image {image.arn}",
            "platform": image.doc["platform"],
            "tags": tags,
        }
        self._context.emit("ami", region, data)
        return ami

    def name_of(self, image: Image, region: str) -> str:
        """Return the name of an AMI: from the distribution's template, or the image's name and the date."""
        date = re.sub(r"[:.]", "-", iso(image.created))
        template = (
            _configuration(image, region).get("name")
            or f"{image.doc['name']} {{{{ imagebuilder:buildDate }}}}"
        )
        build = image.doc["version"].replace("/", "-")
        text = re.sub(r"\{\{\s*imagebuilder:buildDate\s*\}\}", date, template)
        return re.sub(r"\{\{\s*imagebuilder:buildVersion\s*\}\}", build, text)

    def _set_amis(self, image: Image, failures: list[Failure]) -> None:
        wanted = [(item["region"], identifiers.ACCOUNT) for item in _distributions(image)]
        keys = [tuple(key.split("/")) for key in image.copies]
        shown = [key for key in keys if key in wanted or key[1] != identifiers.ACCOUNT or not wanted]
        amis: list[Doc] = [self._shown(image, region, account) for region, account in shown]
        for failure in failures:
            state = {"status": "FAILED", "reason": _error_message(failure)}
            entry = {
                "region": failure.region,
                "accountId": failure.account or identifiers.ACCOUNT,
                "state": state,
            }
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

    def _set_containers(self, image: Image, failed_regions: set[str | None]) -> None:
        found = []
        for item in _distributions(image) or [{"region": image.region}]:
            region, given = item["region"], item.get("containerDistributionConfiguration", {})
            target = given.get("targetRepository") or image.recipe["targetRepository"]
            version, build = image.doc["version"].split("/")
            tags = given.get("containerTags") or [guesses.CONTAINER_TAG.format(version=version, build=build)]
            host = f"{identifiers.ACCOUNT}.dkr.ecr.{region}.amazonaws.com"
            if region not in failed_regions:
                uris = [f"{host}/{target['repositoryName']}:{tag}" for tag in tags]
                found.append({"region": region, "imageUris": uris})
        image.doc["outputResources"] = {"containers": found}

    def integrates(self, image: Image) -> bool:
        """Whether the distribution configuration asks for more than copies."""
        return image.is_ami and any(
            key in item for item in _distributions(image) for key in CONFIGURATION_STEPS
        )

    def integrate(self, image: Image) -> Doc | None:
        """Put parameters and launch templates into every region.

        :return: ``distributionFailure`` if a region failed, else None.
        """
        regions = {item["region"] for item in _distributions(image)}
        failures = self._context.behaviour.region_failures(image, regions, integrating=True)
        failed = {(failure.region, failure.configuration_step) for failure in failures}
        for item in _distributions(image):
            if (item["region"], "PUT_SSM_PARAMETERS") not in failed:
                self._put_parameters(image, item)
            if (item["region"], "UPDATE_LAUNCH_TEMPLATES") not in failed:
                self._update_templates(image, item)
        return _distribution_failure(failures) if failures else None

    def _put_parameters(self, image: Image, item: Doc) -> None:
        for given in item.get("ssmParameterConfigurations", ()):
            account = given.get("amiAccountId", identifiers.ACCOUNT)
            data = {
                "name": given["parameterName"],
                "value": image.copies.get(f"{item['region']}/{account}", image.ami),
                "type": given.get("dataType", "aws:ec2:image"),
            }
            self._context.emit("parameter", item["region"], data)

    def _update_templates(self, image: Image, item: Doc) -> None:
        for given in item.get("launchTemplateConfigurations", ()):
            data = {
                "id": given["launchTemplateId"],
                "ami": image.copies.get(f"{item['region']}/{identifiers.ACCOUNT}", image.ami),
                "default": given.get("setDefaultVersion", False),
            }
            self._context.emit("launch_template", item["region"], data)


def _distributions(image: Image) -> list[Doc]:
    return list(image.distribution["distributions"]) if image.distribution else []


def _configuration(image: Image, region: str) -> Doc:
    for item in _distributions(image):
        if item["region"] == region:
            return dict(item.get("amiDistributionConfiguration", {}))
    return {}


def _error_message(failure: Failure) -> str:
    what = failure.configuration_step or "copy of the AMI"
    return failure.message or f"Distribution to {failure.region} failed on demand of the scenario ({what})"


def _distribution_failure(failures: list[Failure]) -> Doc:
    regions = []
    for failure in failures:
        entry = {"region": failure.region, "status": failure.status, "errorMessage": _error_message(failure)}
        entry["targetAccountId"] = failure.account or identifiers.ACCOUNT
        if failure.configuration_step:
            entry["imageConfigurationStep"] = failure.configuration_step
        regions.append(entry)
    message = "Distribution failed for " + ", ".join(sorted({str(f.region) for f in failures}))
    return {"errorMessage": message, "regionFailures": regions}
