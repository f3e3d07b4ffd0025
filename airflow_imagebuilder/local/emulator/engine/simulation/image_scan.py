"""ImageScan: the vulnerability scan of an image during its tests.

Source: service model, ``ImageScanningConfiguration``, ``ScanResultCondition``, ``ImageScanState``. The
findings come from the scenario; every one of them has a fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import guesses

if TYPE_CHECKING:
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext
    from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

#: A scan of the AMI itself. EC2 shows its findings, not ListImageScanFindings.
ON_DEMAND = "ON_DEMAND_AMI_CVE"
#: Severities that a condition can count, mildest first.
SEVERITIES = ("informational", "low", "medium", "high", "critical")


class ImageScan:
    """The scans of all images."""

    def __init__(self, context: SimulationContext) -> None:
        self._context = context

    def begin(self, image: Image) -> None:
        """Start the scan of an image that is being tested, if it has one."""
        if _configuration(image).get("imageScanningEnabled"):
            image.doc["scanState"] = {"status": "SCANNING"}

    def abandon(self, image: Image) -> None:
        """End the scan of an image that ends before it."""
        if image.doc.get("scanState", {}).get("status") == "SCANNING":
            image.doc["scanState"] = {"status": "ABANDONED", "reason": guesses.ABANDONED_SCAN}

    def complete(self, image: Image) -> str | None:
        """End the scan of an image whose tests have ended.

        :return: why the findings fail the image; None if they do not.
        """
        if image.doc.get("scanState", {}).get("status") != "SCANNING":
            return None
        image.doc["scanState"] = {"status": "COMPLETED"}
        if ON_DEMAND in _configuration(image).get("imageScanningTypes", ()):
            return self._refusal(_configuration(image).get("scanResultCondition"))
        self._context.state.add_scanned(image)
        detail = {
            "resource-id": self._context.ids.hexadecimal("i"),
            "finding-severity-counts": self._context.behaviour.finding_counts(),
        }
        pipeline = image.doc.get("sourcePipelineArn")
        resources = [image.arn, pipeline] if pipeline else [image.arn]
        data = {"type": "EC2 Image Builder CVE Detected", "resources": resources, "detail": detail}
        self._context.emit("event", image.region, data)
        return None

    def _refusal(self, condition: Doc | None) -> str | None:
        if condition is None:
            return None
        most = condition["maximumSeverityLabel"].lower()
        findings = self._context.behaviour.findings
        above = {name: findings.get(name, 0) for name in SEVERITIES[SEVERITIES.index(most) + 1 :]}
        found = ", ".join(f"{count} {name.upper()}" for name, count in above.items() if count)
        return guesses.FAILED_SCAN.format(found=found, most=most.upper()) if found else None


def _configuration(image: Image) -> Doc:
    return dict(image.doc.get("imageScanningConfiguration", {}))
