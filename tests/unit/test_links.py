"""The links to AWS's consoles, in every partition."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock
from urllib.parse import unquote

import pytest

from airflow_imagebuilder.links import (
    LINKS,
    ImageBuilderImagesLink,
    ImageBuilderLogLink,
    ImageBuilderPipelinesLink,
    persist_links,
    persist_pipelines_link,
)

PLACES = [
    ("aws", "eu-west-1", "https://console.aws.amazon.com/"),
    ("aws-cn", "cn-north-1", "https://console.amazonaws.cn/"),
    ("aws-us-gov", "us-gov-west-1", "https://console.amazonaws-us-gov.com/"),
]


def persisted(arn: str, image: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """Return the stored values of each link by its XCom key."""
    ti = MagicMock()
    persist_links({"ti": ti}, MagicMock(), arn, image)
    return {call.kwargs["key"]: call.kwargs["value"] for call in ti.xcom_push.call_args_list}


def arn_of(partition: str = "aws", region: str = "eu-west-1", name: str = "golden") -> str:
    return f"arn:{partition}:imagebuilder:{region}:123456789012:image/{name}/1.0.0/3"


@pytest.mark.parametrize(("partition", "region", "console"), PLACES, ids=[place[0] for place in PLACES])
def test_the_images_open_in_the_console_of_the_partition(partition: str, region: str, console: str) -> None:
    stored = persisted(arn_of(partition, region))[ImageBuilderImagesLink.key]
    url = ImageBuilderImagesLink().format_link(**stored)
    assert url == f"{console}imagebuilder/home?region={region}#/images"


@pytest.mark.parametrize(("partition", "region", "console"), PLACES, ids=[place[0] for place in PLACES])
def test_the_pipelines_open_in_the_console_of_the_partition(
    partition: str, region: str, console: str
) -> None:
    ti = MagicMock()
    arn = f"arn:{partition}:imagebuilder:{region}:123456789012:image-pipeline/golden"
    persist_pipelines_link({"ti": ti}, MagicMock(), arn)
    stored = ti.xcom_push.call_args.kwargs["value"]
    url = ImageBuilderPipelinesLink().format_link(**stored)
    assert url == f"{console}imagebuilder/home?region={region}#/viewPipelines"


@pytest.mark.parametrize(("partition", "region", "console"), PLACES, ids=[place[0] for place in PLACES])
def test_the_log_opens_in_the_console_of_the_partition(partition: str, region: str, console: str) -> None:
    stored = persisted(arn_of(partition, region))[ImageBuilderLogLink.key]
    url = ImageBuilderLogLink().format_link(**stored)
    assert url == (
        f"{console}cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
        "$252Faws$252Fimagebuilder$252Fgolden/log-events/1.0.0$252F3"
    )


def test_the_log_group_has_the_case_of_the_images_name() -> None:
    image = {"name": "Golden Image", "arn": arn_of(name="golden-image")}
    stored = persisted(arn_of(name="golden-image"), image)[ImageBuilderLogLink.key]
    assert stored["log_group"] == "/aws/imagebuilder/Golden Image"


def test_the_log_group_of_a_logging_configuration_is_used() -> None:
    image = {"arn": arn_of(), "loggingConfiguration": {"logGroupName": "/fleet/images"}}
    assert persisted(arn_of(), image)[ImageBuilderLogLink.key]["log_group"] == "/fleet/images"


@pytest.mark.parametrize("name", ["/aws/imagebuilder/Golden Image", "/a/b#c.d_e-f", "/a$b"])
def test_the_escaped_log_group_is_read_back_as_it_was(name: str) -> None:
    url = ImageBuilderLogLink().format_link(
        aws_domain="aws.amazon.com", region_name="eu-west-1", log_group=name, log_stream="1.0.0/1"
    )
    escaped = url.split("/log-group/")[1].split("/log-events/")[0]
    assert not set(escaped) & set("/#% ")
    assert unquote(unquote(escaped.replace("$", "%"))) == name


def test_every_link_has_a_name_and_a_key_of_its_own() -> None:
    every = (*LINKS, ImageBuilderPipelinesLink())
    assert len({link.name for link in every}) == len({link.xcom_key for link in every}) == len(every) == 4
