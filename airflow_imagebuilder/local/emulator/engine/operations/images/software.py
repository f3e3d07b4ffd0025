"""Software: what is in an image: its packages, and the findings of its scan.

On AWS the image itself is read. Here the packages follow from the operating system, and the findings from
``findings`` of the scenario: as many of each severity, the same ones in every run.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.emulator.engine import identifiers
from airflow_imagebuilder.local.emulator.engine.errors import invalid_value
from airflow_imagebuilder.local.emulator.engine.operations import pagination
from airflow_imagebuilder.local.emulator.engine.operations.pagination import paged
from airflow_imagebuilder.local.emulator.engine.shelf import Shelf
from airflow_imagebuilder.local.emulator.engine.simulation.image_scan import ON_DEMAND
from airflow_imagebuilder.local.emulator.engine.state import Doc, Image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_imagebuilder.local.emulator.engine.operations.images.images import Images
    from airflow_imagebuilder.local.emulator.engine.simulation.context import SimulationContext

_LINUX = {
    "bash": "5.2.15",
    "coreutils": "8.32",
    "curl": "8.5.0",
    "kernel": "6.1.134",
    "openssl": "3.0.8",
    "python3": "3.9.21",
    "systemd": "252.23",
    "vim-minimal": "9.1.1202",
    "zlib": "1.2.11",
}
_WINDOWS = {
    "Amazon SSM Agent": "3.3.1957.0",
    "AWS Tools for Windows": "5.0.9",
    "Microsoft Edge": "137.0.3296.52",
}
#: Severities of a finding, with a score that Amazon Inspector would give.
SEVERITIES = {"critical": 9.8, "high": 7.5, "medium": 5.3, "low": 3.1, "informational": 0.0, "untriaged": 0.0}
_VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
_FILTERS = ("imageBuildVersionArn", "imagePipelineArn", "severity", "vulnerabilityId")
#: More findings than an image can have.
_STRIDE = 10**9
_AGGREGATIONS = ("imageBuildVersionArn", "imagePipelineArn", "vulnerabilityId")


class Software:
    """The packages and findings of every image.

    :param context: images, and the findings of the scenario.
    :param images: finds images.
    """

    def __init__(self, context: SimulationContext, images: Images) -> None:
        self._context = context
        self._images = images

    def list_packages(self, params: Doc, region: str) -> Doc:
        """ListImagePackages: only of an AMI whose metadata were collected (SSM Inventory)."""
        image = self._images.find(params["imageBuildVersionArn"], region)
        collected = any(
            step.planned.action == "CollectImageMetadata" and step.status == "COMPLETED"
            for execution in image.executions
            for step in execution.steps
        )
        packages = _WINDOWS if image.doc["platform"] == "Windows" else _LINUX
        rows = [{"packageName": name, "packageVersion": version} for name, version in packages.items()]
        return paged("imagePackageList", rows if collected else [], params)

    def list_findings(self, params: Doc, region: str) -> Doc:
        """ListImageScanFindings: of every scanned image, image after image.

        Every image has the same findings, so a place in the list is an image and the place of a finding. A
        page reads at most :data:`.pagination.MOST_READ` images, as :func:`.pagination.page` does.
        """
        images, passes, rules = self._wanted(params.get("filters") or (), region)
        places = [place for place in self._places() if _fits(place, rules)]
        if not places:
            return {"findings": []}
        first, skipped = divmod(pagination.place_of("findings", params), _STRIDE)
        found: list[Doc] = []
        for read, (number, image) in enumerate(images.after(first - 1)):
            if read == pagination.MOST_READ:
                return {"findings": found, "nextToken": pagination.token_of("findings", number * _STRIDE)}
            for index in range(skipped if number == first else 0, len(places) if passes(image) else 0):
                if len(found) == pagination.size_of(params):
                    token = pagination.token_of("findings", number * _STRIDE + index)
                    return {"findings": found, "nextToken": token}
                found.append(_finding(image, *places[index]))
        return {"findings": found}

    def of_ami(self, ami: str, region: str) -> list[Doc]:
        """Return what EC2's GetImageFindings lists: the findings of a scan of the AMI, if one was made.

        Source: service model, ImageScanningConfiguration.imageScanningTypes; EC2's service model.
        """
        states = self._context.state.accounts.values()
        images = (image for state in states for image in state.images_in(region))
        of = next((image for image in images if _scanned(image, ami)), None)
        places = [place for place in self._places() if place[0] != "untriaged"]  # EC2's model lacks it
        return [_ami_finding(of, *place) for place in places] if of else []

    def _wanted(
        self, filters: Sequence[Doc], region: str
    ) -> tuple[Shelf[Image], Callable[[Image], bool], list[Doc]]:
        """Return images among which the wanted ones are, which of them are wanted, and the other filters."""
        state = self._context.state
        scanned = state.scanned.get(region, Shelf[Image]())
        images, rules, named = scanned, [], []
        for wanted in filters:
            name, values = wanted.get("name"), wanted.get("values", [])
            if name in ("vulnerabilityId", "severity"):
                rules.append(wanted)
            elif name == "imageBuildVersionArn":
                images = Shelf.of({arn: scanned[arn] for arn in values if arn in scanned})
                named.append((name, values))
            elif name == "imagePipelineArn":
                # The model allows one value. The images of that pipeline are fewer than all scanned ones.
                images = state.by_pipeline.get(values[0], Shelf[Image]()) if values else Shelf[Image]()
                named.append(("sourcePipelineArn", values))
            else:
                raise invalid_value("filters", f"Filter '{name}' is not one of {', '.join(_FILTERS)}.")

        def passes(image: Image) -> bool:
            own = {"imageBuildVersionArn": image.arn, "sourcePipelineArn": image.doc.get("sourcePipelineArn")}
            return image.arn in scanned and all(own[name] in values for name, values in named)

        return images, passes, rules

    def _places(self) -> list[tuple[str, int]]:
        """Return severity and number of each finding of an image."""
        counts = self._context.behaviour.findings
        return [(severity, number) for severity in SEVERITIES for number in range(counts.get(severity, 0))]

    def list_aggregations(self, params: Doc, region: str) -> Doc:
        """ListImageScanFindingAggregations: counts of the account, or of what the filter names.

        Source: API reference, ListImageScanFindingAggregations.
        """
        state, given = self._context.state, params.get("filter")
        scanned, counts = state.scanned.get(region, Shelf[Image]()), self._context.behaviour.finding_counts
        found: list[Doc] = []
        if not given:
            account = {"accountId": self._context.account, "severityCounts": counts(len(scanned))}
            answer = paged("responses", [{"accountAggregation": account}], params)
            return {**answer, "aggregationType": "accountId"}
        name, values = given.get("name"), list(dict.fromkeys(given.get("values", ())))
        if name == "imageBuildVersionArn":
            found = [
                {"imageAggregation": {"imageBuildVersionArn": arn, "severityCounts": counts()}}
                for arn in values
                if arn in scanned
            ]
        elif name == "imagePipelineArn":
            found = [
                {"imagePipelineAggregation": {"imagePipelineArn": arn, "severityCounts": counts(number)}}
                for arn in values
                if identifiers.parse(arn).region == region and (number := state.scanned_of[arn])
            ]
        elif name == "vulnerabilityId":
            known = {_cve(*place): place[0] for place in self._places()}
            found = [
                _of_vulnerability(cve, known[cve], len(scanned)) for cve in values if scanned and cve in known
            ]
        else:
            raise invalid_value("filter", f"Filter '{name}' is not one of {', '.join(_AGGREGATIONS)}.")
        return {**paged("responses", found, params), "aggregationType": name}


def _scanned(image: Image, ami: str) -> bool:
    """Return whether an AMI is the one that an on-demand scan of its image has read."""
    on_demand = ON_DEMAND in image.doc.get("imageScanningConfiguration", {}).get("imageScanningTypes", ())
    if not on_demand or image.doc.get("scanState", {}).get("status") != "COMPLETED":
        return False
    made = image.doc.get("outputResources", {}).get("amis", ())
    return any(one.get("image") == ami and one.get("region") == image.region for one in made)


def _ami_finding(image: Image, severity: str, number: int) -> Doc:
    """Return EC2's ``ImageFinding``, by the names of its XML."""
    of = _finding(image, severity, number)
    packages = of["packageVulnerabilityDetails"]["vulnerablePackages"]
    return {
        "fixAvailable": True,
        "score": of["inspectorScore"],
        "firstObservedAt": of["firstObservedAt"],
        "updatedAt": of["updatedAt"],
        "title": of["title"],
        "pathSet": [package["filePath"] for package in packages],
        "severityLabel": severity,
    }


def _fits(place: tuple[str, int], rules: list[Doc]) -> bool:
    own = {"severity": place[0].upper(), "vulnerabilityId": _cve(*place)}
    return all(own[rule["name"]] in rule.get("values", ()) for rule in rules)


def _cve(severity: str, number: int) -> str:
    digest = int(hashlib.sha256(f"{severity}/{number}".encode()).hexdigest(), 16)
    return f"CVE-{2023 + digest % 3}-{10_000 + digest // 3 % 40_000}"


def _of_vulnerability(cve: str, severity: str, images: int) -> Doc:
    counts = {name: images * (name == severity) for name in ("critical", "high", "medium")}
    return {
        "vulnerabilityIdAggregation": {
            "vulnerabilityId": cve,
            "severityCounts": {"all": images, **counts},
        }
    }


def _finding(image: Image, severity: str, number: int) -> Doc:
    packages = list(_WINDOWS if image.doc["platform"] == "Windows" else _LINUX)
    package = packages[number % len(packages)]
    cve, score = _cve(severity, number), SEVERITIES[severity]
    moment = image.created
    finding: Doc = {
        "awsAccountId": image.account,
        "imageBuildVersionArn": image.arn,
        "type": "PACKAGE_VULNERABILITY",
        "description": f"A vulnerability of {package}, made up by the scenario",
        "title": f"{cve} - {package}",
        "remediation": {
            "recommendation": {"text": f"Update {package}.", "url": f"https://nvd.nist.gov/{cve}"}
        },
        "severity": severity.upper(),
        "firstObservedAt": moment,
        "updatedAt": moment,
        "inspectorScore": score,
        "inspectorScoreDetails": {"adjustedCvss": _adjusted(score)},
        "packageVulnerabilityDetails": {
            "vulnerabilityId": cve,
            "vulnerablePackages": [_package(image, package)],
            "source": "NVD",
            "cvss": [{"baseScore": score, "version": "3.1", "source": "NVD", "scoringVector": _VECTOR}],
            "relatedVulnerabilities": [],
            "sourceUrl": f"https://nvd.nist.gov/vuln/detail/{cve}",
            "vendorSeverity": severity.capitalize(),
            "vendorCreatedAt": moment,
            "vendorUpdatedAt": moment,
            "referenceUrls": [f"https://nvd.nist.gov/vuln/detail/{cve}"],
        },
        "fixAvailable": "YES",
    }
    if pipeline := image.doc.get("sourcePipelineArn"):
        finding["imagePipelineArn"] = pipeline
    return finding


def _adjusted(score: float) -> Doc:
    return {
        "scoreSource": "NVD",
        "cvssSource": "NVD",
        "version": "3.1",
        "score": score,
        "scoringVector": _VECTOR,
        "adjustments": [{"metric": "EXPLOITABILITY", "reason": "No exploit is known."}],
    }


def _package(image: Image, name: str) -> Doc:
    """Return ``VulnerablePackage``; only a container image has layers."""
    windows = image.doc["platform"] == "Windows"
    arch = {"x86_64": "X86_64", "arm64": "AARCH64"}.get(image.architecture, "X86_64")
    found: Doc = {
        "name": name,
        "version": "1.0.0",
        "epoch": 0,
        "release": "1",
        "arch": arch,
        "packageManager": "OS",
        "filePath": f"C:/Program Files/{name}" if windows else f"/usr/share/doc/{name}",
        "fixedInVersion": "1.0.1",
        "remediation": "Update-Package" if windows else f"dnf update {name}",
    }
    if not image.is_ami:
        found["sourceLayerHash"] = f"sha256:{hashlib.sha256(image.arn.encode()).hexdigest()}"
    return found
