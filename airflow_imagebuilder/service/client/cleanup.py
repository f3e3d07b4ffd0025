"""Cleanup: removes the AMIs and snapshots that a cancelled build leaves behind."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

log = logging.getLogger(__name__)

_NOT_THERE = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidSnapshot.NotFound")


def delete_outputs(image: Mapping[str, Any], ec2: Callable[[str], Any]) -> list[str]:
    """
    Deregister the AMIs of an image and delete their snapshots, in every region.

    CancelImageCreation does not delete them (API reference). An AMI that cannot be removed is logged with the
    reason, and the others are removed all the same.

    :param image: GetImage's ``image``, of an image in a terminal state.
    :param ec2: returns a boto3 EC2 client for a region.
    :return: the ids of the AMIs and snapshots that were removed.
    """
    removed: list[str] = []
    for ami in image.get("outputResources", {}).get("amis", ()):
        if not ami.get("image"):
            continue
        try:
            for done in _delete_ami(ec2(ami["region"]), ami["image"]):
                removed.append(done)
                log.info("Removed %s in %s", done, ami["region"])
        except Exception as error:  # noqa: BLE001 (an error with one AMI must not keep the others)
            if _code(error) not in _NOT_THERE:
                log.warning(
                    "Could not fully remove AMI %s in %s: %s. Delete by hand what is left of it.",
                    ami["image"], ami["region"], error,
                )  # fmt: skip
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
