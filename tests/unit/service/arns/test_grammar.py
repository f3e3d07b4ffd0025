"""The parts of an ARN that messages and records need."""

from __future__ import annotations

import pytest

from airflow_imagebuilder.service.arns.grammar import (
    name_and_version,
    path_of,
    region_in,
    workflow_type_and_name,
)

HERE = "arn:aws-cn:imagebuilder:cn-north-1:123456789012"
IMAGE = f"{HERE}:image/golden/1.0.0/3"
OTHER_TEXTS = ["", "golden", "arn:aws:iam::123456789012:role/image/golden", f"{HERE}:image/", f"{HERE}:image"]


def test_an_image_arn_has_a_region_a_path_and_a_short_form() -> None:
    assert region_in(IMAGE) == "cn-north-1"
    assert path_of(IMAGE, "image") == ("golden", "1.0.0", "3")
    assert name_and_version(IMAGE, "image") == "golden 1.0.0/3"
    assert name_and_version(f"{HERE}:image/golden", "image") == "golden"


@pytest.mark.parametrize("text", OTHER_TEXTS)
def test_another_text_has_no_parts_and_keeps_its_form(text: str) -> None:
    assert region_in(text) == ("cn-north-1" if text.startswith(HERE) else None)
    assert path_of(text, "image") == ()
    assert name_and_version(text, "image") == text


def test_an_arn_of_another_resource_has_no_path() -> None:
    assert path_of(IMAGE, "component") == ()
    assert name_and_version(IMAGE, "component") == IMAGE


@pytest.mark.parametrize("version", ["x.x.x", "1.0.0", "1.0.0/1"])
def test_a_workflow_has_the_same_type_and_name_in_every_version(version: str) -> None:
    assert workflow_type_and_name(f"{HERE}:workflow/test/boot/{version}") == ("test", "boot")


@pytest.mark.parametrize(
    "path", ["image/golden/1.0.0/3", "workflow/test/boot", "workflow/rehearsal/boot/1.0.0"]
)
def test_what_is_not_a_workflow_has_no_type_and_name(path: str) -> None:
    assert workflow_type_and_name(f"{HERE}:{path}") == (None, None)
