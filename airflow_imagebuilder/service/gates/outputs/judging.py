"""Judging: how the outputs that are there differ from those that were asked for."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import ForbiddenError
from airflow_imagebuilder.service.gates.outputs.asked import AskedAmi, AskedContainer
from airflow_imagebuilder.service.gates.outputs.difference import Difference, Kind
from airflow_imagebuilder.service.results.ami import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_imagebuilder.service.gates.outputs.reading import OutputReader

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 15.0


class Judge:
    """
    Compares outputs with what was asked for.

    :param reader: reads the outputs.
    :param clock: seconds (default: the monotonic clock).
    :param sleep: waits so many seconds.
    """

    def __init__(
        self,
        reader: OutputReader,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._reader = reader
        self._clock, self._sleep = clock, sleep

    def verdict(self, asked: Sequence[AskedAmi | AskedContainer], patience: float = 0.0) -> list[Difference]:
        """
        Return all differences.

        EC2 shows a new AMI and its tags eventually, so outputs that differ are read again for some time. Only
        what the last read shows counts.

        :param asked: what was asked for.
        :param patience: seconds for which outputs that differ are read again (default: 0).
        """
        end, pause = self._clock() + patience, _FIRST_PAUSE
        found = [self.differences(one) for one in asked]
        while True:
            again = [
                number
                for number, ones in enumerate(found)
                # GetImage is not called again, so an AMI that it does not list stays missing.
                if getattr(asked[number], "image", "") is not None and any(one.may_pass for one in ones)
            ]
            if not again or self._clock() >= end:
                return [difference for ones in found for difference in ones]
            now = min(pause, max(end - self._clock(), 0.0))
            log.info("%d of %d outputs differ. They are read again in %.0f s.", len(again), len(found), now)
            self._sleep(now)
            pause = min(1.5 * pause, _LONGEST_PAUSE)
            for number in again:
                found[number] = self.differences(asked[number])

    def differences(self, asked: AskedAmi | AskedContainer) -> list[Difference]:
        """Return the differences of one output, as it is now."""
        if isinstance(asked, AskedContainer):
            return self._read(asked, asked.repository, self._container)
        if asked.image is None:
            wanted, listed = "a golden AMI", asked.listed or "nothing"
            found = f"GetImage lists {listed}" + (", which is not golden" if asked.listed else "")
            return [_of(asked, Kind.MISSING, "AMI", wanted, found)]
        return self._read(asked, asked.image, self._ami)

    def _read(
        self, asked: Any, resource: str, check: Callable[[Any], Iterator[Difference]]
    ) -> list[Difference]:
        try:
            return list(check(asked))
        except ForbiddenError as error:
            return [_of(asked, Kind.UNVERIFIED, resource, f"{error.operation}", _why(error))]

    def _ami(self, asked: AskedAmi) -> Iterator[Difference]:
        ami = str(asked.image)
        shown = self._reader.ami(asked.region, asked.account, ami)
        of = partial(_of, asked)
        if shown is None:
            yield of(Kind.MISSING, ami, "an AMI that is available", "EC2 does not find it")
            return
        if str(shown.get("OwnerId") or asked.account) != asked.account:
            yield of(Kind.OWNER, ami, asked.account, str(shown["OwnerId"]))
            return
        if shown.get("State") != "available":
            yield of(Kind.STATE, ami, "available", str(shown.get("State")))
        if asked.name and not fits(asked.name, str(shown.get("Name") or "")):
            yield of(Kind.NAME, ami, asked.name, str(shown.get("Name")))
        yield from _tags(asked, ami, shown)
        # Each of these needs a permission of its own: one that is missing does not hide the others.
        for check in (self._permissions, self._encryption, self._parameters, self._templates):
            yield from self._read(asked, ami, partial(check, shown))

    def _permissions(self, _: Mapping[str, Any], asked: AskedAmi) -> Iterator[Difference]:
        if asked.permissions:
            ami = str(asked.image)
            granted = self._reader.launch_permissions(asked.region, asked.account, ami) or set()
            for name, value in asked.permissions:
                if (name, value) not in granted:
                    yield _of(asked, Kind.PERMISSION, ami, f"{name} {value}", "not granted")

    def _encryption(self, shown: Mapping[str, Any], asked: AskedAmi) -> Iterator[Difference]:
        if not (asked.encrypted or asked.key):
            return
        ami = str(asked.image)
        disks = {
            str(disk.get("DeviceName")): disk["Ebs"]
            for disk in shown.get("BlockDeviceMappings") or ()
            if disk.get("Ebs")
        }
        for device, ebs in disks.items():
            if not ebs.get("Encrypted"):
                snapshot = ebs.get("SnapshotId") or "no snapshot"
                wanted = asked.key or "encrypted snapshots"
                yield _of(asked, Kind.ENCRYPTION, ami, wanted, f"{device} ({snapshot}) is not encrypted")
        if asked.key:
            encrypted = {device: ebs for device, ebs in disks.items() if ebs.get("Encrypted")}
            yield from self._keys(asked, ami, asked.key, encrypted)

    def _keys(
        self, asked: AskedAmi, ami: str, key: str, disks: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[Difference]:
        snapshots = [str(ebs["SnapshotId"]) for ebs in disks.values() if ebs.get("SnapshotId")]
        keys = self._reader.keys(asked.region, asked.account, snapshots) if snapshots else {}
        others = {device: keys.get(str(ebs.get("SnapshotId"))) for device, ebs in disks.items()}
        others = {device: found for device, found in others.items() if found != key}
        if not others:
            return
        wanted = self._reader.key_arn(asked.region, asked.account, key)  # EC2 shows no alias
        for device, found in others.items():
            if wanted is None or found != wanted:
                known = "" if wanted else ", and KMS does not find the key that was asked for"
                yield _of(asked, Kind.ENCRYPTION, ami, key, f"{device} has {found or 'another key'}{known}")

    def _parameters(self, _: Mapping[str, Any], asked: AskedAmi) -> Iterator[Difference]:
        for name in asked.parameters:
            value = self._reader.parameter(asked.region, asked.account, name)
            if value != asked.image:
                found = "no such parameter" if value is None else value
                yield _of(asked, Kind.PARAMETER, name, str(asked.image), found)

    def _templates(self, _: Mapping[str, Any], asked: AskedAmi) -> Iterator[Difference]:
        for template, default in asked.templates:
            ami = None if default else asked.image
            launched = self._reader.launched(asked.region, asked.account, template, ami=ami)
            if asked.image not in (launched or ()):
                wanted = f"{asked.image} in {'the default' if default else 'a'} version"
                found = "no such launch template" if launched is None else ", ".join(launched) or "none"
                yield _of(asked, Kind.TEMPLATE, template, wanted, found)

    def _container(self, asked: AskedContainer) -> Iterator[Difference]:
        digests: dict[str, str] = {}
        for template in asked.tags:
            tags = [tag for tag in asked.listed if fits(template, tag)]
            if not tags:
                listed = ", ".join(asked.listed) or "nothing"
                yield _of(asked, Kind.CONTAINER, asked.repository, template, f"GetImage lists {listed}")
            for tag in tags:
                digest = self._reader.digest(asked.region, asked.account, asked.repository, tag)
                if digest is None:
                    yield _of(asked, Kind.CONTAINER, asked.repository, tag, "ECR does not find it")
                else:
                    digests[tag] = digest
        if len(set(digests.values())) > 1:
            found = ", ".join(f"{tag} {digest}" for tag, digest in digests.items())
            yield _of(asked, Kind.CONTAINER, asked.repository, "tags of one container image", found)


def _tags(asked: AskedAmi, ami: str, shown: Mapping[str, Any]) -> Iterator[Difference]:
    there = {tag.get("Key"): str(tag.get("Value")) for tag in shown.get("Tags") or ()}
    for key, template in asked.tags.items():
        value, wanted = there.get(key), f"{key}={template}" if template else f"{key} with any value"
        if value is None:
            yield _of(asked, Kind.TAG, ami, wanted, "no such tag")
        elif template and not fits(template, value):
            yield _of(asked, Kind.TAG, ami, wanted, f"{key}={value}")


def _of(asked: AskedAmi | AskedContainer, kind: Kind, resource: str, wanted: str, found: str) -> Difference:
    return Difference(
        kind=kind,
        region=asked.region,
        account=asked.account,
        resource=resource,
        asked=wanted,
        found=found,
    )


def _why(error: ForbiddenError) -> str:
    return error.message or error.code or "forbidden"
