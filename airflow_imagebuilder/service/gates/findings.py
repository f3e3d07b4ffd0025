"""
Findings: what a scan of an image found, and which of it is above the limits.

Two operations of AWS list findings: ListImageScanFindings of Image Builder (scans of a test instance, and of
containers), and GetImageFindings of EC2 (scans of an AMI). A :class:`Finding` is read from either.

.. seealso:: API reference, ``ImageScanFinding``; EC2 API reference, ``ImageFinding``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import Fault
from airflow_imagebuilder.service.request.fields.suggestions import closest
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from datetime import date

    from airflow_imagebuilder.service.gates.allow_list import AllowedFinding

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED")
"""Amazon Inspector's severities, worst first."""

_UNKNOWN = "UNTRIAGED"
_SEPARATOR = re.compile(r"\s+-\s+")
_CVE = re.compile(r"CVE-\d{4}-\d{4,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of a scan.

    :param id: the vulnerability, e.g. ``CVE-2024-1234``; the title where AWS gives no id.
    :param severity: one of :data:`SEVERITIES`; a severity that is not among them counts as ``UNTRIAGED``.
    :param package: the packages, e.g. ``openssl``; empty if AWS does not name one.
    :param version: the installed version of each package.
    :param fixed_in: the version that has the fix, of each package; empty if there is none.
    :param fix: ``YES``, ``NO`` or ``PARTIAL`` (some of the packages have one).
    :param link: the address of a description; empty if there is none.
    :param where: a digest of file paths, layers and the like: two findings of one package differ in them.
    """

    id: str
    severity: str
    package: str = ""
    version: str = ""
    fixed_in: str = ""
    fix: str = "NO"
    link: str = ""
    where: str = ""

    @property
    def fixable(self) -> bool:
        """Whether a fix is available, for all packages or for some (as EC2's ``fixAvailable`` says it)."""
        return self.fix in ("YES", "PARTIAL")

    @property
    def rank(self) -> tuple[int, bool, str, str, str]:
        """The key that sorts findings: worst first, then those with a fix."""
        return SEVERITIES.index(self.severity), not self.fixable, self.id, self.package, self.where

    @classmethod
    def from_image_builder(cls, record: Mapping[str, Any]) -> Finding:
        """Read one of ListImageScanFindings' ``findings``."""
        details = record.get("packageVulnerabilityDetails") or {}
        packages = [p for p in details.get("vulnerablePackages") or () if isinstance(p, Mapping)]
        title_id, title_package = _of_title(record.get("title"))
        id_ = _text(details.get("vulnerabilityId")) or title_id
        return cls(
            id=id_,
            severity=_severity(record.get("severity")),
            package=_joined(packages, "name") or title_package,
            version=_joined(packages, "version"),
            fixed_in=_joined(packages, "fixedInVersion"),
            fix=_fix(record.get("fixAvailable")),
            link=_text(details.get("sourceUrl")) or _link(id_),
            where=_digest(packages),
        )

    @classmethod
    def from_ec2(cls, record: Mapping[str, Any]) -> Finding:
        """Read one of GetImageFindings' ``ImageFindings``; its title names vulnerability and package."""
        id_, package = _of_title(record.get("Title"))
        return cls(
            id=id_,
            severity=_severity(record.get("SeverityLabel")),
            package=package,
            fix="YES" if record.get("FixAvailable") is True else "NO",
            link=_link(id_),
            where=_digest([record.get("SnapshotId"), record.get("Paths")]),
        )


@dataclass(frozen=True, kw_only=True)
class FindingsVerdict:
    """What is counted of an image's findings, and what is above the limits.

    :param counts: how many findings of each severity count, worst first.
    :param counted: these findings, worst first.
    :param allowed: findings that the allow-list takes out, worst first, each with its entry.
    :param unfixable: how many findings do not count because they have no fix.
    :param above: severities with more findings than the limit allows: found, and limit.
    :param expired: entries of the allow-list that have expired and would take out a finding.
    :param unused: entries of the allow-list that match no finding.
    """

    counts: Mapping[str, int]
    counted: tuple[Finding, ...]
    allowed: tuple[tuple[Finding, AllowedFinding], ...] = ()
    unfixable: int = 0
    above: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    expired: tuple[AllowedFinding, ...] = ()
    unused: tuple[AllowedFinding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no severity is above its limit."""
        return not self.above


def judge_findings(
    findings: Iterable[Finding],
    max_findings: Mapping[str, int],
    *,
    only_fixable: bool = False,
    allow_list: Sequence[AllowedFinding] = (),
    today: date,
) -> FindingsVerdict:
    """
    Count findings by severity and compare the counts with limits.

    A finding that AWS lists twice, e.g. on two pages, counts once.

    :param findings: the findings of one image.
    :param max_findings: the most findings of each severity; a severity that it does not name has no limit.
    :param only_fixable: count only findings with a fix for all or some of their packages (default: all).
    :param allow_list: findings that do not count until a date.
    :param today: the date against which the entries of the allow-list are compared.
    """
    entries = {entry.key: entry for entry in allow_list}
    counted: list[Finding] = []
    allowed: list[tuple[Finding, AllowedFinding]] = []
    unfixable, matched = 0, set()
    for finding in dict.fromkeys(findings):
        if entry := entries.get(finding.id.upper()):
            matched.add(entry.key)
        if only_fixable and not finding.fixable:
            unfixable += 1
        elif entry and not entry.has_expired(today):
            allowed.append((finding, entry))
        else:
            counted.append(finding)
    counted.sort(key=lambda finding: finding.rank)
    number = Counter(finding.severity for finding in counted)
    ids = {finding.id.upper() for finding in counted}
    return FindingsVerdict(
        counts={severity: number[severity] for severity in SEVERITIES},
        counted=tuple(counted),
        allowed=tuple(sorted(allowed, key=lambda pair: pair[0].rank)),
        unfixable=unfixable,
        above={
            s: (number[s], max_findings[s]) for s in SEVERITIES if number[s] > max_findings.get(s, number[s])
        },
        expired=tuple(e for e in allow_list if e.has_expired(today) and e.key in ids),
        unused=tuple(e for e in allow_list if e.key not in matched),
    )


def limit_faults(
    name: str, limits: object, later: Callable[[object], bool] = lambda _: False
) -> Iterator[Fault]:
    """
    Yield what is wrong with limits by severity.

    :param name: how the faults name them, e.g. ``max_findings``.
    :param limits: what a user gave.
    :param later: returns whether a limit is not known yet (default: each is known).
    """
    allowed = "a mapping of severities to numbers of findings, such as {'CRITICAL': 0, 'HIGH': 3}"
    if isinstance(given := limits, str):
        try:
            limits = json.loads(given)
        except ValueError:
            remedy = "write {{ ... | tojson }}, or render_template_as_native_obj=True on the Dag"
            yield Fault(name, given, allowed, remedy)
            return
    if not isinstance(limits, Mapping) or not limits:
        yield Fault(name, limits, allowed, "name at least one severity")
        return
    for severity, most in limits.items():
        if severity not in SEVERITIES:
            close = closest(str(severity).upper(), SEVERITIES)
            remedy = f"did you mean {close}?" if close else "write one of these, in capitals"
            yield Fault(f"{name}.{severity}", severity, ", ".join(SEVERITIES), remedy)
        elif not later(most) and _number(most) is None:
            remedy = (
                "write how many findings of this severity are accepted; leave a severity without limit out"
            )
            yield Fault(f"{name}.{severity}", most, "0, 1, 2, ...", remedy)


def read_limits(limits: Mapping[str, Any] | str) -> dict[str, int]:
    """Return checked limits as numbers: a template renders a number, or all of them, as text."""
    given: Mapping[str, Any] = json.loads(limits) if isinstance(limits, str) else limits
    return {severity: _number(most) or 0 for severity, most in given.items()}


def _number(most: object) -> int | None:
    """Return a limit; ``None`` if it is not a number from 0 on."""
    if isinstance(most, str):
        return int(most) if re.fullmatch(r"\s*[0-9]{1,9}\s*", most) else None
    return most if isinstance(most, int) and not isinstance(most, bool) and most >= 0 else None


def _text(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _severity(value: object) -> str:
    known = str(value).upper()
    return known if known in SEVERITIES else _UNKNOWN


def _fix(value: object) -> str:
    known = str(value).upper()
    return known if known in ("YES", "PARTIAL") else "NO"


def _joined(packages: Sequence[Mapping[str, Any]], *names: str) -> str:
    texts = (_text(package.get(name)) for package in packages for name in names)
    return one_line(", ".join(dict.fromkeys(text for text in texts if text)))


def _digest(places: object) -> str:
    return hashlib.sha256(repr(places).encode()).hexdigest()[:16]


def _of_title(title: object) -> tuple[str, str]:
    """Return vulnerability and package of a title such as ``CVE-2024-1234 - kernel``."""
    id_, *package = _SEPARATOR.split(_text(title), maxsplit=1)
    return id_ or "(without a title)", "".join(package)


def _link(id_: str) -> str:
    return f"https://nvd.nist.gov/vuln/detail/{id_}" if _CVE.fullmatch(id_) else ""
