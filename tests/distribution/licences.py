"""
The licences of what is installed with the package, as SPDX: ``python -m tests.distribution.licences``.

A distribution states its licence in one of three ways: an SPDX expression, a free text, or classifiers.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, distribution
from typing import TYPE_CHECKING

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable

ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CNRI-Python",  # a part of `regex`: Python's own licence until 1.6
        "ISC",
        "MIT",
        "MIT-0",
        "MPL-2.0",  # by file: who changes one of its files publishes that file
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
    }
)
"""What may be used, changed and passed on beside Apache-2.0, without a condition on the work that uses it."""

STATED = {
    "text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later",
}
"""What a distribution states in its licence file alone, or in classifiers that do not say "and" or "or"."""

EXCEPTIONS = {
    "text-unidecode": "python-slugify, which Airflow itself needs, calls it; we distribute nothing of it",
}
"""What is not on the list and is accepted, with the reason."""

TEXTS = {
    r"apache(?: software)?(?: license)?(?:,? version)?(?: 2(?:\.0)?)?": "Apache-2.0",
    r"mit(?: license)?": "MIT",
    r"mit -or- apache license 2\.0": "MIT OR Apache-2.0",
    r"(?:new |modified |3-clause )?bsd(?: 3-clause)?(?: license)?": "BSD-3-Clause",
    r"bsd 2-clause(?: license)?": "BSD-2-Clause",
    r"isc(?: license)?": "ISC",
    r"mpl[- ]2(?:\.0)?": "MPL-2.0",
    r"psf(?: license)?": "PSF-2.0",
}
"""Free texts, as patterns."""

CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}


def needed(name: str, extras: Iterable[str] = ()) -> dict[str, Distribution]:
    """Return every installed distribution that one needs at run time, itself too, by normalized name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    left = [(name, extra) for extra in ("", *extras)]
    while left:
        item = left.pop()
        if item in seen:
            continue
        seen.add(item)
        own = found.setdefault(canonicalize_name(item[0]), distribution(item[0]))
        for line in own.requires or []:
            required = Requirement(line)
            if required.marker is None or required.marker.evaluate({"extra": item[1]}):
                left += [(required.name, extra) for extra in ("", *required.extras)]
    return found


def expression(package: Distribution) -> str | None:
    """Return the licence of a distribution as an SPDX expression; None if it states none that is known."""
    fields = package.metadata

    def field(name: str) -> str:
        return str((fields.get_all(name) or [""])[0])

    stated = STATED.get(canonicalize_name(fields["Name"])) or field("License-Expression")
    text = " ".join(field("License").split())
    known = [spdx for pattern, spdx in TEXTS.items() if re.fullmatch(pattern, text, re.IGNORECASE)]
    try:
        return str(canonicalize_license_expression(stated or (known[0] if known else text)))
    except InvalidLicenseExpression:
        pass
    classifiers = [
        line.rpartition(" :: ")[2] for line in fields.get_all("Classifier") or [] if "License" in line
    ]
    if not classifiers or not set(classifiers) <= set(CLASSIFIERS):
        return None
    return " AND ".join(dict.fromkeys(CLASSIFIERS[name] for name in classifiers))


def is_allowed(spdx: str) -> bool:
    """Return whether an SPDX expression can be met with licences of the list alone."""
    words = re.findall(r"[()]|[^\s()]+", spdx)

    def either() -> bool:
        value = both()
        while words and words[0] == "OR":
            words.pop(0)
            value |= both()
        return value

    def both() -> bool:
        value = one()
        while words and words[0] == "AND":
            words.pop(0)
            value &= one()
        return value

    def one() -> bool:
        word = words.pop(0)
        if word == "(":
            value = either()
            words.pop(0)
            return value
        if words and words[0] == "WITH":  # an exception only permits more
            del words[:2]
        return word in ALLOWED

    return either()


def refused(packages: dict[str, Distribution]) -> dict[str, str | None]:
    """Return what is neither allowed nor an exception, with its licence."""
    licences = {name: expression(package) for name, package in packages.items() if name not in EXCEPTIONS}
    return {name: spdx for name, spdx in licences.items() if spdx is None or not is_allowed(spdx)}


if __name__ == "__main__":
    packages = needed("airflow-imagebuilder", sys.argv[1:])
    for name, package in sorted(packages.items()):
        print(f"{name} {package.version}: {expression(package)}")
    problems = refused(packages)
    print(f"{len(packages)} distributions, {len(problems)} refused: {problems}")
    sys.exit(bool(problems))
