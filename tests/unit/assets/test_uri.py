"""The URI of a golden image, as Airflow has it when a Dag file is parsed."""

from __future__ import annotations

import warnings

import pytest
from airflow.sdk import Asset

from tests.support.arns import image_arn


@pytest.fixture
def drops_users() -> bool:
    """Whether Airflow drops the user of every URI: before 3.1, and since then only with a password."""
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        return Asset("any", uri="other://me@host").uri == "other://host/"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("imagebuilder://golden-al2023", "imagebuilder://golden-al2023"),
        ("imagebuilder://golden-al2023/", "imagebuilder://golden-al2023"),
        ("imagebuilder://Golden-AL2023", "imagebuilder://golden-al2023"),
        ("IMAGEBUILDER://golden_1", "imagebuilder://golden_1"),
        ("imagebuilder://golden#newest", "imagebuilder://golden"),
    ],
)
def test_airflow_keeps_one_uri_for_each_image(written: str, kept: str) -> None:
    assert Asset("golden", uri=written).uri == kept
    assert Asset("golden", uri=kept).uri == kept


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("imagebuilder://", "it names no image"),
        ("imagebuilder:golden", "it names no image"),
        ("imagebuilder:///golden", "it names no image"),
        ("imagebuilder://golden/1.0.0", "the path '/1.0.0'"),
        ("imagebuilder://golden/1.0.0/", "the path '/1.0.0'"),
        ("imagebuilder://123456789012/us-east-1/golden", "the path '/us-east-1/golden'"),
        ("imagebuilder://golden?region=us-east-1", "the query 'region=us-east-1'"),
        ("imagebuilder://golden:443", "'golden:443' has the character ':'"),
        ("imagebuilder://me@golden", "'me@golden' has the character '@'"),
        ("imagebuilder://golden image", "'golden image' has the character ' '"),
        ("imagebuilder://golden.image", "'golden.image' has the character '.'"),
        ("imagebuilder://gölden", "'gölden' has the character 'ö'"),
        ("imagebuilder://{{ name }}", "has the character '{'"),
        (f"imagebuilder://{image_arn(3)}", "an ARN"),
    ],
)
def test_airflow_refuses_what_names_no_image(written: str, said: str, drops_users: bool) -> None:
    if drops_users and "@" in written:
        with pytest.warns(UserWarning, match="auth info"):
            assert Asset("golden", uri=written).uri == "imagebuilder://golden"
        return
    with pytest.raises(ValueError, match="imagebuilder://golden-al2023") as refused:
        Asset("golden", uri=written)
    assert said in str(refused.value)


def test_an_image_has_a_uri_without_a_name_for_the_asset() -> None:
    assert Asset("imagebuilder://golden-al2023").uri == "imagebuilder://golden-al2023"
