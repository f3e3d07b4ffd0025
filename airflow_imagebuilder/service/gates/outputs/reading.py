"""Reading: what EC2, Systems Manager, ECR and KMS show of outputs. Nothing here changes anything.

What is not there is ``None``. EC2 is asked with filters where it takes them: for an unknown id it then
answers an empty list, not an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.client.retries import PATIENCE, call
from airflow_imagebuilder.service.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

_NOT_THERE = frozenset(
    {
        "ImageNotFoundException",
        "InvalidAMIID.NotFound",
        "InvalidAMIID.Unavailable",
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.NotFoundException",
        "InvalidLaunchTemplateId.VersionNotFound",
        "NotFoundException",
        "ParameterNotFound",
        "RepositoryNotFoundException",
    }
)


class OutputReader:
    """
    Reads outputs in any region and account.

    :param connect: returns a boto3 client for the name of a service, a region, an account, and whether the
        credentials are to be renewed. It raises :class:`ForbiddenError` for an account that it has no
        credentials for.
    :param patience: seconds (or a timedelta) for which each call is retried through throttling and outages
        (default: 60).
    """

    def __init__(
        self, connect: Callable[[str, str, str, bool], Any], patience: float | timedelta = PATIENCE
    ) -> None:
        self._connect = connect
        self._patience = patience
        self._clients: dict[tuple[str, str, str], Any] = {}

    def ami(self, region: str, account: str, ami: str) -> Mapping[str, Any] | None:
        """Return an AMI as DescribeImages shows it; a disabled one, too."""
        answer = self._call(
            "ec2",
            region,
            account,
            "describe_images",
            Filters=[{"Name": "image-id", "Values": [ami]}],
            IncludeDisabled=True,
        )
        images = (answer or {}).get("Images") or []
        return images[0] if images else None

    def launch_permissions(self, region: str, account: str, ami: str) -> set[tuple[str, str]] | None:
        """Return the launch permissions of an AMI, e.g. ``("UserId", "111122223333")``."""
        answer = self._call(
            "ec2", region, account, "describe_image_attribute", ImageId=ami, Attribute="launchPermission"
        )
        if answer is None:
            return None
        return {(key, value) for item in answer.get("LaunchPermissions") or () for key, value in item.items()}

    def keys(self, region: str, account: str, snapshots: Sequence[str]) -> dict[str, str]:
        """Return the ARNs of the KMS keys of snapshots; one without a key is left out."""
        answer = self._call(
            "ec2",
            region,
            account,
            "describe_snapshots",
            Filters=[{"Name": "snapshot-id", "Values": list(snapshots)}],
        )
        found = (answer or {}).get("Snapshots") or ()
        return {item["SnapshotId"]: item["KmsKeyId"] for item in found if item.get("KmsKeyId")}

    def key_arn(self, region: str, account: str, key: str) -> str | None:
        """Return the ARN of a KMS key, which an alias names, too."""
        if ":key/" in key:
            return key
        answer = self._call("kms", region, account, "describe_key", KeyId=key)
        return None if answer is None else str(answer["KeyMetadata"]["Arn"])

    def parameter(self, region: str, account: str, name: str) -> str | None:
        """Return the value of an SSM parameter."""
        answer = self._call("ssm", region, account, "get_parameter", Name=name)
        return None if answer is None else str(answer["Parameter"].get("Value"))

    def launched(self, region: str, account: str, template: str, *, ami: str | None) -> list[str] | None:
        """Return the AMIs that versions of a launch template launch.

        :param ami: of any version that launches this AMI; ``None`` for that of the default version.
        """
        which: dict[str, Any] = (
            {"Filters": [{"Name": "image-id", "Values": [ami]}]} if ami else {"Versions": ["$Default"]}
        )
        answer = self._call(
            "ec2", region, account, "describe_launch_template_versions", LaunchTemplateId=template, **which
        )
        if answer is None:
            return None
        versions = answer.get("LaunchTemplateVersions") or ()
        return [str((version.get("LaunchTemplateData") or {}).get("ImageId")) for version in versions]

    def digest(self, region: str, account: str, repository: str, tag: str) -> str | None:
        """Return the digest of the container image that a tag names."""
        answer = self._call(
            "ecr",
            region,
            account,
            "describe_images",
            registryId=account,
            repositoryName=repository,
            imageIds=[{"imageTag": tag}],
        )
        found = (answer or {}).get("imageDetails") or [{}]
        digest = found[0].get("imageDigest")
        return str(digest) if digest else None

    def _call(
        self, service: str, region: str, account: str, operation: str, **params: Any
    ) -> dict[str, Any] | None:
        place = (service, region, account)

        def connect(*, renew: bool = True) -> Any:
            self._clients[place] = self._connect(*place, renew)
            return self._clients[place]

        client = self._clients.get(place) or connect(renew=False)
        try:
            return call(client, operation, patience=self._patience, renew=connect, **params)
        except AwsError as error:
            if error.code in _NOT_THERE:
                return None
            raise
