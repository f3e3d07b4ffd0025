"""The outputs of an image as EC2, Systems Manager, ECR and KMS show them, in memory."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from botocore.exceptions import ClientError

OWN, OTHER = "123456789012", "210987654321"
HERE, THERE = "us-east-1", "eu-west-1"
KEY = f"arn:aws:kms:{HERE}:{OWN}:key/11111111-2222-4333-8444-555555555555"


def denied(operation: str, code: str = "UnauthorizedOperation", status: int = 403) -> ClientError:
    """Return an answer of AWS that refuses a call."""
    metadata: Any = {"HTTPStatusCode": status}
    message = f"You are not authorized to perform {operation}"
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, operation)


class Place:
    """One region of one account."""

    def __init__(self) -> None:
        self.amis: dict[str, dict[str, Any]] = {}
        self.permissions: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.keys: dict[str, str] = {}
        """The KMS keys of snapshots."""
        self.aliases: dict[str, str] = {}
        self.parameters: dict[str, str] = {}
        self.templates: dict[str, list[str]] = {}
        """The AMIs of the versions of a launch template; the last version is the default."""
        self.digests: dict[tuple[str, str], str] = {}
        """The digests of container images by repository and tag."""


class FakeOutputs:
    """
    Clients for every region and account.

    A call is answered from :attr:`places`, after :attr:`troubles` of its name are used up.
    """

    def __init__(self) -> None:
        self.places: dict[tuple[str, str], Place] = defaultdict(Place)
        self.troubles: dict[str, list[Exception]] = defaultdict(list)
        self.calls: list[tuple[str, str, str]] = []
        """Each call, as region, account and operation."""
        self.renewals = 0

    def connect(self, service: str, region: str, account: str = OWN, renew: bool = False) -> Any:
        """Return a client; with ``renew`` its credentials are new."""
        self.renewals += renew
        return _Client(self, region, account, service)

    def ami(self, ami: str, region: str = HERE, account: str = OWN, **members: Any) -> dict[str, Any]:
        """Add an AMI that is available, with one snapshot that is not encrypted."""
        tags = [{"Key": key, "Value": value} for key, value in members.pop("tags", {}).items()]
        ebs = {"SnapshotId": f"snap-{ami[4:]}", "Encrypted": members.pop("encrypted", False)}
        made = {
            "ImageId": ami,
            "OwnerId": account,
            "State": "available",
            "Name": "golden 2026",
            "Tags": tags,
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/xvda", "Ebs": ebs},
                {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            ],
            **members,
        }
        self.places[region, account].amis[ami] = made
        return made


class _Client:
    def __init__(self, outputs: FakeOutputs, region: str, account: str, service: str) -> None:
        self._outputs, self._region, self._account, self._service = outputs, region, account, service

    @property
    def _place(self) -> Place:
        return self._outputs.places[self._region, self._account]

    def _begin(self, operation: str) -> None:
        self._outputs.calls.append((self._region, self._account, operation))
        if self._outputs.troubles[operation]:
            raise self._outputs.troubles[operation].pop(0)

    def describe_images(self, **params: Any) -> dict[str, Any]:
        self._begin("describe_images")
        if self._service == "ecr":
            return self._images_of_ecr(params)
        assert params["IncludeDisabled"]
        (wanted,) = params["Filters"][0]["Values"]
        return {"Images": [ami for ami in self._place.amis.values() if ami["ImageId"] == wanted]}

    def _images_of_ecr(self, params: dict[str, Any]) -> dict[str, Any]:
        assert params["registryId"] == self._account
        ((tag,),) = [item.values() for item in params["imageIds"]]
        digest = self._place.digests.get((params["repositoryName"], tag))
        if digest is None:
            raise denied("DescribeImages", "ImageNotFoundException", 400)
        return {"imageDetails": [{"imageDigest": digest}]}

    def describe_image_attribute(self, **params: Any) -> dict[str, Any]:
        self._begin("describe_image_attribute")
        ami = params["ImageId"]
        return {"ImageId": ami, "LaunchPermissions": self._place.permissions[ami]}

    def describe_snapshots(self, **params: Any) -> dict[str, Any]:
        self._begin("describe_snapshots")
        wanted = params["Filters"][0]["Values"]
        found = [{"SnapshotId": one, "KmsKeyId": self._place.keys.get(one)} for one in wanted]
        return {"Snapshots": found}

    def describe_key(self, **params: Any) -> dict[str, Any]:
        self._begin("describe_key")
        if params["KeyId"] not in self._place.aliases:
            raise denied("DescribeKey", "NotFoundException", 400)
        return {"KeyMetadata": {"Arn": self._place.aliases[params["KeyId"]]}}

    def get_parameter(self, **params: Any) -> dict[str, Any]:
        self._begin("get_parameter")
        if params["Name"] not in self._place.parameters:
            raise denied("GetParameter", "ParameterNotFound", 400)
        return {"Parameter": {"Value": self._place.parameters[params["Name"]]}}

    def describe_launch_template_versions(self, **params: Any) -> dict[str, Any]:
        self._begin("describe_launch_template_versions")
        if params["LaunchTemplateId"] not in self._place.templates:
            raise denied("DescribeLaunchTemplateVersions", "InvalidLaunchTemplateId.NotFound", 400)
        amis = self._place.templates[params["LaunchTemplateId"]]
        if params.get("Versions") == ["$Default"]:
            amis = amis[-1:]
        else:
            amis = [ami for ami in amis if ami in params["Filters"][0]["Values"]]
        return {"LaunchTemplateVersions": [{"LaunchTemplateData": {"ImageId": ami}} for ami in amis]}
