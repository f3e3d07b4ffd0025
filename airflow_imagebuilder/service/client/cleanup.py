"""What a cancelled build leaves behind, and how to remove it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

log = logging.getLogger(__name__)

NotThere = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidSnapshot.NotFound")


def delete_outputs(image: Mapping[str, Any], ec2: Callable[[str], Any]) -> list[str]:
    """
    Deregister the AMIs of an image and delete their snapshots, in every region.

    CancelImageCreation does not do it (API reference). What cannot be removed is told in the log with the
    reason, and does not keep the rest from being removed.

    :param image: GetImage's ``image``, after it has ended.
    :param ec2: returns a boto3 EC2 client for a region.
    :return: the ids of what was removed, AMIs and snapshots.
    """
    removed: list[str] = []
    for ami in image.get("outputResources", {}).get("amis", ()):
        if not ami.get("image"):
            continue
        try:
            for done in _delete_ami(ec2(ami["region"]), ami["image"]):
                removed.append(done)
                log.info("Removed %s in %s", done, ami["region"])
        except Exception as error:  # noqa: BLE001 (whatever EC2 says about one must not save the others)
            if _code(error) not in NotThere:
                log.warning("AMI %s in %s is left behind: %s", ami["image"], ami["region"], error)
    return removed


def _delete_ami(client: Any, ami: str) -> Iterator[str]:
    found = client.describe_images(ImageIds=[ami])["Images"]
    snapshots = [
        mapping["Ebs"]["SnapshotId"]
        for one in found
        for mapping in one.get("BlockDeviceMappings", ())
        if mapping.get("Ebs", {}).get("SnapshotId")
    ]
    client.deregister_image(ImageId=ami)
    yield ami
    for snapshot in snapshots:
        client.delete_snapshot(SnapshotId=snapshot)
        yield snapshot


def _code(error: Exception) -> str:
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
