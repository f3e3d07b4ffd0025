"""The Dag web_base, run from its first task to its last against a local Image Builder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from web_base import PARAMETER, web_base

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_imagebuilder.testing import ImageBuilder, Run


def test_the_ami_of_a_good_image_is_published(
    image_builder: ImageBuilder, run_dag: Callable[..., Run]
) -> None:
    run = run_dag(web_base)

    parameter = image_builder.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    assert parameter == run.xcom("publish")
    (ami,) = image_builder.client("ec2").describe_images(ImageIds=[parameter])["Images"]
    assert ami["State"] == "available"
    (call,) = image_builder.calls("CreateImage")
    assert call.params["tags"] == {"dag": "web_base"}


def test_an_image_whose_test_fails_is_not_published(
    image_builder: ImageBuilder, run_dag: Callable[..., Run]
) -> None:
    image_builder.fail(workflow="web-answers", message="curl: (7) Failed to connect to port 80")

    run = run_dag(web_base, expect="failed")

    assert "curl: (7) Failed to connect to port 80" in run.errors["image.image"]
    assert run.states["image.functional.test[1]"] == "failed"
    assert run.states["publish"] == "upstream_failed"
    parameters = image_builder.client("ssm").describe_parameters()["Parameters"]
    assert parameters == []


def test_a_test_that_fails_once_is_repaired_not_built_again(
    image_builder: ImageBuilder, run_dag: Callable[..., Run]
) -> None:
    pytest.importorskip("boto3", minversion="1.41.1", reason="RetryImage")
    image_builder.fail(workflow="web-answers", times=1)
    image_builder.throttle("GetImage", times=3)

    run = run_dag(web_base)

    assert run.state == "success"
    assert len(image_builder.calls("CreateImage")) == 1
    assert len(image_builder.calls("RetryImage")) == 1
