"""The licences of all that is installed with the package allow its use beside Apache-2.0."""

from __future__ import annotations

from email.message import Message
from typing import TYPE_CHECKING

import pytest

from tests.distribution import licences

if TYPE_CHECKING:
    from importlib.metadata import Distribution


class Stated:
    """A distribution that states its licence somewhere."""

    def __init__(self, *fields: tuple[str, str]) -> None:
        self.metadata = Message()
        for name, value in (("Name", "any"), *fields):
            self.metadata[name] = value


def expression(*fields: tuple[str, str]) -> str | None:
    stated: Distribution = Stated(*fields)  # type: ignore[assignment]
    return licences.expression(stated)


@pytest.mark.parametrize(
    "extras", [(), ("local",), ("testing",)], ids=lambda extras: "".join(extras) or "none"
)
def test_each_dependency_has_a_licence_that_is_allowed(extras: tuple[str, ...]) -> None:
    packages = licences.needed("airflow-imagebuilder", extras)
    assert {"apache-airflow", "boto3", "botocore", "sqlalchemy", "airflow-imagebuilder"} <= set(packages)
    assert ("moto" in packages, "cfn-lint" in packages) == (bool(extras), bool(extras))
    assert "ruff" not in packages
    assert licences.refused(packages) == {}


def test_each_exception_is_needed_and_says_why() -> None:
    packages = licences.needed("airflow-imagebuilder", ["local"])
    for name, reason in licences.EXCEPTIONS.items():
        spdx = licences.expression(packages[name])
        assert spdx is None or not licences.is_allowed(spdx), name
        assert len(reason.split()) > 5, name


@pytest.mark.parametrize(
    ("spdx", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND BSD-3-Clause", True),
        ("MIT OR GPL-3.0-only AND LGPL-2.1-only", True),
        ("GPL-3.0-only OR (MIT AND LGPL-2.1-only)", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("LicenseRef-Proprietary", False),
    ],
)
def test_an_expression_is_allowed_if_it_can_be_met(spdx: str, *, allowed: bool) -> None:
    assert licences.is_allowed(spdx) is allowed


@pytest.mark.parametrize(
    ("fields", "spdx"),
    [
        ([("License-Expression", "mit or apache-2.0"), ("License", "GPL")], "MIT OR Apache-2.0"),
        ([("License", "Apache License 2.0")], "Apache-2.0"),
        ([("License", "mit")], "MIT"),
        ([("License", "UNKNOWN"), ("Classifier", "License :: OSI Approved :: ISC License (ISCL)")], "ISC"),
        (
            [
                ("Classifier", "License :: OSI Approved :: BSD License"),
                ("Classifier", "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"),
            ],
            None,
        ),
        ([("License", "ask us")], None),
        ([], None),
    ],
)
def test_what_a_distribution_states_becomes_spdx(fields: list[tuple[str, str]], spdx: str | None) -> None:
    assert expression(*fields) == spdx


def test_a_distribution_without_a_licence_or_with_another_one_is_refused() -> None:
    packages: dict[str, Distribution] = {
        "silent": Stated(),  # type: ignore[dict-item]
        "other": Stated(("License-Expression", "AGPL-3.0-only")),  # type: ignore[dict-item]
        "good": Stated(("License-Expression", "MIT")),  # type: ignore[dict-item]
    }
    assert licences.refused(packages) == {"silent": None, "other": "AGPL-3.0-only"}
