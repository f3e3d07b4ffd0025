"""
Scan: how far the scan of an image is, and where AWS lists its findings.

.. seealso:: API reference, ``ImageScanState`` and ``ImageScanningConfiguration``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.service.arns.arns import ImageBuildVersionArn
from airflow_imagebuilder.service.results.states import IMAGE_FAILED, is_image_terminal
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

TEST_INSTANCE, ON_DEMAND = "TEST_INSTANCE_CVE", "ON_DEMAND_AMI_CVE"
"""AWS's types of scans. Image Builder lists findings of the first and of containers, EC2 of the second."""

SCAN_TYPES = (TEST_INSTANCE, ON_DEMAND)

_ENDED_BADLY = frozenset({"FAILED", "TIMED_OUT", "ABANDONED"})


class ScanOutcome(str, Enum):
    """What a wait for a scan does about its state."""

    WAIT = "wait"
    """It is in progress, or has not begun."""
    COMPLETED = "completed"
    """Its findings can be read."""
    ENDED = "ended"
    """It ended without findings, and will not be continued."""
    OFF = "off"
    """It is switched off, so it never begins."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The scan of an image, as GetImage shows it.

    :param arn: the image build version ARN.
    :param image_status: the image's status.
    :param outcome: what a wait does about it.
    :param status: ``scanState.status``; ``None`` where AWS shows no state of a scan.
    :param reason: ``scanState.reason``; empty if there is none.
    :param type: one of :data:`SCAN_TYPES`; ``None`` where the installed boto3 cannot show it.
    :param amis: region and id of each AMI that may have been scanned: those of the image's own region and
        account.
    """

    arn: str
    image_status: str
    outcome: ScanOutcome
    status: str | None = None
    reason: str = ""
    type: str | None = TEST_INSTANCE
    amis: tuple[tuple[str, str], ...] = ()

    @property
    def image_failed(self) -> bool:
        """Whether the image did not end well."""
        return self.image_status in IMAGE_FAILED

    @property
    def summary(self) -> str:
        """The scan's and the image's state in one line."""
        shown = f"its scan is {self.status}" if self.status else "AWS shows no state of its scan"
        return f"the image is {self.image_status}, {shown}{f': {self.reason}' if self.reason else ''}"


def scan_of(image: Mapping[str, Any], scan_type: str | None = None) -> Scan:
    """
    Read the scan of an image.

    :param image: GetImage's ``image``, with all members.
    :param scan_type: one of :data:`SCAN_TYPES`, if the user knows it; by default what the image shows.
    """
    state = image.get("scanState") or {}
    kind = scan_type or _type_of(image)
    amis = _amis(image) if kind == ON_DEMAND else ()
    status = one_line(state["status"]) if state.get("status") else None
    return Scan(
        arn=str(image["arn"]),
        image_status=str(image["state"]["status"]),
        outcome=_outcome(image, status, kind, has_ami=bool(amis)),
        status=status,
        reason=one_line(state.get("reason") or ""),
        type=kind,
        amis=amis,
    )


def _outcome(image: Mapping[str, Any], status: str | None, kind: str | None, *, has_ami: bool) -> ScanOutcome:
    image_status = str(image["state"]["status"])
    if status == "COMPLETED":
        # The AMI that was scanned may be shown only later.
        early = kind == ON_DEMAND and not has_ami and not is_image_terminal(image_status)
        return ScanOutcome.WAIT if early else ScanOutcome.COMPLETED
    if status in _ENDED_BADLY:
        return ScanOutcome.ENDED
    if status is None and not (image.get("imageScanningConfiguration") or {}).get("imageScanningEnabled"):
        return ScanOutcome.OFF
    if image_status in IMAGE_FAILED:
        return ScanOutcome.ENDED
    # A scan of the test instance begins before the image is AVAILABLE. AWS does not wait for one of the AMI.
    never = status is None and kind == TEST_INSTANCE and is_image_terminal(image_status)
    return ScanOutcome.ENDED if never else ScanOutcome.WAIT


def _type_of(image: Mapping[str, Any]) -> str | None:
    if image.get("type") == "DOCKER" or image.get("containerRecipe"):
        return TEST_INSTANCE
    types = (image.get("imageScanningConfiguration") or {}).get("imageScanningTypes")
    if types:
        return ON_DEMAND if ON_DEMAND in types else TEST_INSTANCE
    return TEST_INSTANCE if aws_model.has_scan_types() else None


def _amis(image: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    arn = ImageBuildVersionArn.parse(str(image["arn"]))
    found = [
        ami
        for ami in (image.get("outputResources") or {}).get("amis") or ()
        if ami.get("image") and ami.get("region") == arn.region
    ]
    own = [ami for ami in found if ami.get("accountId") in (None, arn.account)] or found
    return tuple(dict.fromkeys((str(ami["region"]), str(ami["image"])) for ami in own))
