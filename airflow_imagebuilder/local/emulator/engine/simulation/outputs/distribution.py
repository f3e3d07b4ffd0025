"""Distribution: the outputs of an image in every region: AMIs and container images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine.clock import iso
from airflow_imagebuilder.local.emulator.engine.simulation.behaviour import Failure
from airflow_imagebuilder.local.emulator.engine.simulation.outputs import ami_names, integration
from airflow_imagebuilder.local.emulator.engine.simulation.outputs.containers import Containers
from airflow_imagebuilder.local.emulator.engine.simulation.outputs.failures import error_message, failure_of
from airflow_imagebuilder.local.emulator.engine.simulation.outputs.integration import (
    CONFIGURATION_STEPS,
    Integration,
)

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image, Step


_DEFAULT_KEY = "EC2 Client Error: 'Snapshots encrypted with the AWS Managed CMK can't be shared'"


class Distribution:
    """Makes and distributes the outputs of images."""

    def __init__(self, context: SimulationContext) -> None:
        self._context = context
        self._integration = Integration(context)
        self._containers = Containers(context)

    def create(self, image: Image) -> None:
        """Make the AMI of a build, in the region of the build.

        If another AMI has its name, it gets the name of an image without a distribution configuration, and
        the distribution fails.
        """
        if image.ami is None:
            configuration = _configuration(_distributions(image), image.region)
            image.unnamed = self._taken(image, image.region, image.account, configuration) is not None
            if image.unnamed:
                configuration = {**configuration, "name": None}
            image.ami = self._ami(image, image.region, image.account, configuration)

    def _taken(self, image: Image, region: str, account: str, configuration: Doc) -> str | None:
        """Return the id of another AMI that has the name that an AMI should get."""
        name = ami_names.name_of(image, configuration)
        return self._context.world.in_account(account).ami_named(region, name)

    def adopt(self, image: Image) -> None:
        """Take the AMI that the build workflow names as its output ImageId, if no step has made one.

        Source: README of packer-build in aws-samples/amazon-ec2-image-builder-samples.
        """
        ami = image.outputs.get("ImageId")
        if image.is_ami and image.ami is None and isinstance(ami, str) and ami.startswith("ami-"):
            key = f"{image.region}/{image.account}"
            image.ami = image.copies[key] = ami
            image.shown[key] = {}

    def keep_parent(self, image: Image) -> None:
        """Set ``outputResources`` of an image whose workflows made no AMI.

        Without a build workflow its output is the AMI that it began with (AWS's skill for Image Builder).
        """
        built = any(workflow.type == "BUILD" for workflow in image.workflows)
        amis = [] if built or not image.parent else [_parent(image)]
        image.doc["outputResources"] = {"amis": amis}

    def begin(self, image: Image) -> None:
        """Set ``outputResources`` as distribution begins: the AMI of the build."""
        if image.is_ami:
            self._set_amis(image, [], [])

    def distribute(self, image: Image) -> Doc | None:
        """Copy an image to every region and account of its distribution configuration, and share it.

        :return: ``distributionFailure`` if a region failed, else None.
        """
        items = _distributions(image)
        failures = self.copy(image, items)
        if image.is_ami and not failures:
            self.share(image, items)
        return failure_of(failures, image.account)

    def copy(self, image: Image, items: list[Doc]) -> list[Failure]:
        """Copy an image to some regions and accounts.

        :param items: ``Distribution`` of each region.
        :return: the failures.
        """
        regions = {item["region"] for item in items}
        failures = self._context.behaviour.region_failures(image, regions, integrating=False)
        failed = {failure.region for failure in failures}
        if not image.is_ami:
            return failures + self._containers.push(image, items, failed)
        for item in items:
            configuration = item.get("amiDistributionConfiguration", {})
            if item["region"] not in failed and _is_unshareable(image, item):
                failures.append(Failure(region=item["region"], message=_DEFAULT_KEY))
                continue
            for account in (image.account, *configuration.get("targetAccountIds", ())):
                if item["region"] not in failed:
                    failures += self._copy(image, item["region"], account, configuration)
        self._set_amis(image, items, failures)
        return failures

    def _copy(self, image: Image, region: str, account: str, configuration: Doc) -> list[Failure]:
        """Make one copy, unless it is there; a name that another AMI has fails it."""
        key, world = f"{region}/{account}", self._context.world.in_account(account)
        renamed = image.unnamed and key == f"{image.region}/{image.account}"
        if key in image.copies and not renamed:
            return []
        if account != image.account and not world.has(region, "role", integration.CROSS_ACCOUNT_ROLE):
            return [Failure(region=region, account=account, message=integration.role_missing(image, account))]
        if other := self._taken(image, region, account, configuration):
            name = ami_names.name_of(image, configuration)
            why = f"EC2 Client Error: 'AMI name {name} is already in use by AMI {other}'"
            return [Failure(region=region, account=account, message=why)]
        self._ami(image, region, account, configuration)
        image.unnamed = image.unnamed and not renamed
        return []

    def _tag(self, image: Image, items: list[Doc], there: dict[str, str]) -> None:
        """Give the tags of a step to AMIs that were there before it, as that of the build is.

        :param there: the ids of these AMIs, by region and account.
        """
        for item in items:
            key = f"{item['region']}/{image.account}"
            tags = item.get("amiDistributionConfiguration", {}).get("amiTags", {})
            if key in there and tags:
                filled = {name: ami_names.fill(value, image) for name, value in tags.items()}
                data = {"ami": there[key], "account": image.account, "what": "tag", "tags": filled}
                self._context.emit("ami_state", item["region"], data)

    def share(self, image: Image, items: list[Doc]) -> None:
        """Give the launch permissions of some regions.

        :param items: ``Distribution`` of each region.
        """
        for item in items:
            permission = item.get("amiDistributionConfiguration", {}).get("launchPermission", {})
            self._integration.share(image, item["region"], permission)

    def integrates(self, image: Image) -> bool:
        """Whether the distribution configuration asks for more than copies."""
        return image.is_ami and any(
            key in item for item in _distributions(image) for key in CONFIGURATION_STEPS
        )

    def integrate(self, image: Image, items: list[Doc] | None = None) -> Doc | None:
        """Put parameters and launch templates into every region.

        :param items: ``Distribution`` of each region; those of the image by default.
        :return: ``distributionFailure`` if a region failed, else None.
        """
        items = _distributions(image) if items is None else items
        return failure_of(self._integration.configure(image, items), image.account)

    def step(self, image: Image, step: Step) -> tuple[Doc, Doc | None]:
        """Carry out a step of a distribution workflow.

        :return: its outputs, and ``distributionFailure`` if a region failed.
        """
        action, inputs = step.planned.action, step.inputs
        now = self._context.clock.now()
        if action == "DistributeContainerImage":
            failures = self.copy(image, _distributions(image))
            failed = [failure.region for failure in failures]
            regions = [item["region"] for item in _distributions(image) or [{"region": image.region}]]
            succeeded = [region for region in regions if region not in failed]
            outputs = {"status": "Completed", "succeededRegions": succeeded, "failedRegions": failed}
            return outputs, failure_of(failures, image.account)
        if action == "DistributeImage":
            items = _items(image, inputs.get("distributions"), ("amiDistributionConfiguration",))
            there = dict(image.copies)
            failures = self.copy(image, items)
            self._tag(image, items, there)
            return {"distributedImages": _entries(image, items, failures, now)}, failure_of(
                failures, image.account
            )
        if action == "ModifyImageAttributes":
            items = _items(image, inputs.get("attributes"), ("amiDistributionConfiguration",))
            self.share(image, items)
            return {"modifiedImages": _entries(image, items, [], now)}, None
        items = _items(image, inputs.get("configurations"), ())
        failures = self._integration.configure(image, items)
        return {"configuredImages": _entries(image, items, failures, now)}, failure_of(
            failures, image.account
        )

    def _ami(self, image: Image, region: str, account: str, configuration: Doc) -> str:
        ami, built = self._context.ids.hexadecimal("ami"), image.ami is None
        data = {
            "id": ami,
            "snapshot": self._context.ids.hexadecimal("snap"),
            "account": account,
            "name": ami_names.name_of(image, configuration),
            "description": ami_names.description_of(image, configuration, built=built),
            "platform": image.doc["platform"],
            "architecture": image.architecture,
            "disks": image.recipe.get("blockDeviceMappings", []),
            "kms": None if built else configuration.get("kmsKeyId"),
            "created": image.created,
            "tags": ami_names.tags_of(image, configuration, built=built),
        }
        self._context.emit("ami", region, data)
        image.copies[f"{region}/{account}"] = ami
        image.snapshots[f"{region}/{account}"] = data["snapshot"]
        shown = {"name": data["name"], "description": data["description"]}
        image.shown[f"{region}/{account}"] = {name: value for name, value in shown.items() if value}
        return ami

    def _set_amis(self, image: Image, items: list[Doc], failures: list[Failure]) -> None:
        wanted = [(item["region"], image.account) for item in items]
        keys = [tuple(key.split("/")) for key in image.copies]
        shown = [key for key in keys if key in wanted or key[1] != image.account or not wanted]
        amis: list[Doc] = [
            {
                "region": region,
                "image": image.copies[f"{region}/{account}"],
                **image.shown[f"{region}/{account}"],
                "state": {"status": "AVAILABLE"},
                "accountId": account,
            }
            for region, account in shown
        ]
        amis += [
            {
                "region": failure.region,
                "accountId": failure.account or image.account,
                "state": {"status": "FAILED", "reason": error_message(failure)},
            }
            for failure in failures
        ]
        image.doc["outputResources"] = {"amis": amis}


def _items(image: Image, given: list[Doc] | None, inside: tuple[str, ...]) -> list[Doc]:
    """Return ``Distribution`` of each region that a step names, else those of the image.

    :param inside: the member of ``Distribution`` in which the members that the step names belong.
    """
    if given is None:
        return _distributions(image)
    if not inside:
        return given
    return [
        {"region": item["region"], inside[0]: {k: v for k, v in item.items() if k != "region"}}
        for item in given
    ]


def _entries(image: Image, items: list[Doc], failures: list[Failure], now: float) -> list[Doc]:
    """Return ``distributedImages`` and its relatives: an entry for each region."""
    failed = {failure.region: failure for failure in failures}
    found = []
    for item in items:
        key = f"{item['region']}/{image.account}"
        entry = {
            "region": item["region"],
            "name": image.shown.get(key, {}).get("name"),
            "amiId": image.copies.get(key),
            "accountId": image.account,
            "dateStarted": iso(now),
            "dateStopped": iso(now),
            "status": "Failed" if item["region"] in failed else "Completed",
            "step": "Completed",
        }
        if item["region"] in failed:
            entry["errorMessage"] = error_message(failed[item["region"]])
        found.append({name: value for name, value in entry.items() if value is not None})
    return found


def _is_unshareable(image: Image, item: Doc) -> bool:
    """Whether a disk has AWS's own key, and others shall get the AMI (AWS's skill for Image Builder)."""
    configuration = item.get("amiDistributionConfiguration", {})
    accounts = {*configuration.get("targetAccountIds", ())} - {image.account}
    disks = [disk.get("ebs", {}) for disk in image.recipe.get("blockDeviceMappings", ())]
    own_key = item["region"] != image.region and configuration.get("kmsKeyId")
    wanted = accounts or any(configuration.get("launchPermission", {}).values())
    return bool(wanted) and not own_key and any(d.get("encrypted") and not d.get("kmsKeyId") for d in disks)


def _parent(image: Image) -> Doc:
    return {"region": image.region, "image": image.parent, "state": {"status": "AVAILABLE"}}


def _distributions(image: Image) -> list[Doc]:
    return list(image.distribution["distributions"]) if image.distribution else []


def _configuration(items: list[Doc], region: str) -> Doc:
    for item in items:
        if item["region"] == region:
            return dict(item.get("amiDistributionConfiguration", {}))
    return {}
