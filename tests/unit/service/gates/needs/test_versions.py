"""Versions in ARNs are compared by their numbers."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.service.gates.needs.versions import Version, compared, version_of
from tests.support.arns import IMAGE, PREFIX, RECIPE
from tests.support.needs import AWS, component


def closed(text: str) -> Version:
    version = version_of(component(text))
    assert version is not None
    return version


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1.0.9/1", "1.0.10/1"), ("1.9.0/1", "1.10.0/1"), ("1.0.0/9", "1.0.0/10"), ("2.0.0/1", "10.0.0/1")],
)
def test_versions_are_numbers_and_not_texts(older: str, newer: str) -> None:
    assert "is newer" in str(compared(closed(newer), closed(older)))
    assert "was withdrawn" in str(compared(closed(older), closed(newer)))
    assert compared(closed(older), closed(older)) is None


@pytest.mark.parametrize("text", ["x.x.x", "1.x.x", "1.0.x", "1.0.0"])
def test_without_a_build_number_a_version_is_open(text: str) -> None:
    assert closed(text).is_open
    assert not closed("1.0.0/1").is_open


@pytest.mark.parametrize(
    ("arn", "thing", "text"),
    [
        (IMAGE, "123456789012/image/golden", "1.0.0/1"),
        (RECIPE, "123456789012/image-recipe/golden", "1.0.0"),
        (f"{AWS}:image/amazon-linux-2023-x86/x.x.x", "aws/image/amazon-linux-2023-x86", "x.x.x"),
        (f"{AWS}:component/update-linux/1.0.2/1", "aws/component/update-linux", "1.0.2/1"),
        (component("1.0.0/1", "cis", "aws-marketplace"), "aws-marketplace/component/cis", "1.0.0/1"),
        (component("1.0.0/1", "cis", "third-party"), "third-party/component/cis", "1.0.0/1"),
        (f"{PREFIX}:workflow/test/boot/1.0.x", "123456789012/workflow/test/boot", "1.0.x"),
        (
            "arn:aws-cn:imagebuilder:cn-north-1:210987654321:image/shared/2.0.x",
            "210987654321/image/shared",
            "2.0.x",
        ),
    ],
)
def test_what_an_arn_names(arn: str, thing: str, text: str) -> None:
    version = version_of(arn)
    assert version is not None
    assert (version.thing, version.text) == (thing, text)


@pytest.mark.parametrize(
    "text", [None, "", "ami-0123456789abcdef0", "ssm:/golden", f"{PREFIX}:image-pipeline/a"]
)
def test_other_texts_name_no_version(text: str | None) -> None:
    assert version_of(text) is None
