"""AMIs in moto's EC2, as Image Builder makes and changes them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from moto.ec2.models.amis import Ami

from airflow_imagebuilder.local.emulator.engine import iso

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine import Doc

#: The disk of an image whose recipe names none, in GiB; AWS takes the size of the parent.
_ROOT_SIZES = {"Windows": 30, "macOS": 100}
_ROOT_SIZE = 8


class BuiltAmi(Ami):  # type: ignore[misc]  # moto has no types
    """An AMI with the disks of a recipe.

    :param backend: moto's EC2 of an account and region.
    :param data: the data of an ``ami`` effect.
    :param at: its date, in virtual seconds since the epoch.
    """

    def __init__(self, backend: Any, data: Doc, at: float) -> None:
        windows = data["platform"] == "Windows"
        super().__init__(
            backend,
            data["id"],
            name=data["name"],
            description=data["description"],
            owner_id=data["account"],
            creation_date=datetime.fromtimestamp(at, timezone.utc).replace(tzinfo=None),
            virtualization_type="hvm",
            architecture=data["architecture"],
            platform="windows" if windows else None,
            image_location=f"{data['account']}/{data['name']}",
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name="/dev/sda1" if windows else "/dev/xvda",
            region_name=f"{backend.region_name}a",
            snapshot_description=f"Created by Image Builder for {data['id']}",
        )
        self.disks = _disks(self.root_device_name, data)
        self._take(data["snapshot"], self.disks[0])
        self.add_tags(data["tags"])
        self.ebs_snapshot.add_tags(data["tags"])
        for disk in self.disks[1:]:
            self._add_snapshot(disk, data)

    def _take(self, snapshot_id: str, root: Doc) -> None:
        """Give the snapshot that moto has made the id and the size that it must have.

        moto makes a random id; a restarted service must show the same id as before.
        """
        snapshot, snapshots = self.ebs_snapshot, self.ec2_backend.snapshots
        snapshots[snapshot_id] = snapshots.pop(snapshot.id)
        snapshot.id = root["Ebs"]["SnapshotId"] = snapshot_id
        snapshot.volume.size = root["Ebs"]["VolumeSize"]
        snapshot.encrypted = root["Ebs"]["Encrypted"]
        snapshot.kms_key_id = root["Ebs"].get("KmsKeyId")

    def _add_snapshot(self, disk: Doc, data: Doc) -> None:
        """Make the snapshot of one more disk, unless the recipe gives one."""
        ebs = disk.get("Ebs")
        if ebs is None or "SnapshotId" in ebs:
            return
        backend = self.ec2_backend
        volume = backend.create_volume(size=ebs["VolumeSize"], zone_name=f"{backend.region_name}a")
        made = backend.create_snapshot(volume.id, f"Created by Image Builder for {self.id}", self.owner_id)
        backend.delete_volume(volume.id)
        made.encrypted, made.from_ami = ebs["Encrypted"], self.id
        # An id that a restart makes again, like the one of the first disk.
        letter = disk["DeviceName"][-1]
        stable = f"{data['snapshot'][:-2]}{ord(letter):02x}"
        backend.snapshots[stable] = backend.snapshots.pop(made.id)
        made.id = ebs["SnapshotId"] = stable
        made.add_tags(data["tags"])

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        """What EC2 shows; moto shows one disk of 15 GiB for every AMI."""
        return self.disks


def _disks(root: str, data: Doc) -> list[Doc]:
    """Return the disks of an AMI in the form of EC2, its root first.

    A recipe adds disks and changes the root of its parent, so every AMI has a root.
    """
    key = {"encrypted": True, "kmsKeyId": data["kms"]} if data.get("kms") else {}
    found = [_disk(_encrypted(given, key), data["platform"]) for given in data["disks"]]
    disks = {disk["DeviceName"]: disk for disk in found if "NoDevice" not in disk}
    known = disks.pop(root, None) or _disk({"deviceName": root, "ebs": key}, data["platform"])
    return [known, *disks.values()]


def _encrypted(given: Doc, key: Doc) -> Doc:
    return {**given, "ebs": {**given["ebs"], **key}} if "ebs" in given else given


def _disk(given: Doc, platform: str) -> Doc:
    disk: Doc = {"DeviceName": given.get("deviceName")}
    if "noDevice" in given:
        return {**disk, "NoDevice": given["noDevice"]}
    if "virtualName" in given:
        return {**disk, "VirtualName": given["virtualName"]}
    ebs = given.get("ebs", {})
    shown = {
        "DeleteOnTermination": ebs.get("deleteOnTermination", True),
        "Iops": ebs.get("iops"),
        "SnapshotId": ebs.get("snapshotId"),
        "VolumeSize": ebs.get("volumeSize", _ROOT_SIZES.get(platform, _ROOT_SIZE)),
        "VolumeType": ebs.get("volumeType", "gp2"),
        "KmsKeyId": ebs.get("kmsKeyId"),
        "Throughput": ebs.get("throughput"),
        "Encrypted": ebs.get("encrypted", False),
    }
    return {**disk, "Ebs": {name: value for name, value in shown.items() if value is not None}}


def make(backend: Any, data: Doc, at: float) -> None:
    """Make an AMI with its snapshots.

    :param at: its date, in virtual seconds since the epoch.
    """
    ami = BuiltAmi(backend, data, at)
    backend.amis[ami.id] = ami


def change(backend: Any, data: Doc) -> None:
    """Deprecate, disable, enable or delete an AMI, as a lifecycle action does, or tag it."""
    ami = backend.amis.get(data["ami"])
    if ami is None:
        return
    if data["what"] == "tag":
        ami.add_tags(data["tags"])
    elif data["what"] == "delete":
        backend.amis.pop(ami.id)
        if data["snapshots"]:
            for disk in ami.block_device_mappings:
                backend.snapshots.pop(disk.get("Ebs", {}).get("SnapshotId"), None)
    elif data["what"] in ("deprecate", "deprecation"):
        ami.deprecation_time = iso(data["at"])
        ami.add_tags({"DeprecatedBy": "EC2 Image Builder"})
    elif data["what"] == "disable":
        ami.state, ami.launch_permissions = "disabled", []
    else:
        ami.state = "available"


def details(ami: Any) -> Doc:
    """Return what EC2 knows of an AMI."""
    return {
        "tags": {tag["key"]: tag["value"] for tag in ami.get_tags()},
        "public": {"Group": "all"} in ami.launch_permissions,
        "accounts": [p["UserId"] for p in ami.launch_permissions if "UserId" in p],
        "architecture": ami.architecture,
        "platform": "Windows" if ami.platform == "windows" else "Linux",
    }
