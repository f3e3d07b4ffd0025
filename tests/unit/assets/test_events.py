"""The extra of asset events that a Dag scheduled on an image receives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset

from airflow_imagebuilder.assets import asset_extra, image_in, update_asset_events
from airflow_imagebuilder.service.results.image import Ami, Container, ImageResult
from tests.support.arns import image_arn
from tests.support.task import OutletEvents

ARN = image_arn(3)


def result(**changes: Any) -> ImageResult:
    return ImageResult.from_api(
        {
            "arn": ARN,
            "name": "golden",
            "version": "1.0.0/3",
            "type": "AMI",
            "state": {"status": "AVAILABLE"},
            "outputResources": changes,
        }
    )


def test_an_event_has_the_amis_by_region() -> None:
    amis = [
        {"region": "us-east-1", "image": "ami-1", "accountId": "123456789012"},
        {"region": "eu-west-1", "image": "ami-2"},
    ]
    assert asset_extra(result(amis=amis)) == {
        "image_arn": ARN,
        "name": "golden",
        "version": "1.0.0/3",
        "amis": {"us-east-1": "ami-1", "eu-west-1": "ami-2"},
        "shared_amis": {},
        "containers": {},
    }


def test_the_amis_of_another_account_do_not_replace_those_of_the_own_account() -> None:
    amis = [
        {"region": "us-east-1", "image": "ami-1", "accountId": "123456789012"},
        {"region": "us-east-1", "image": "ami-2", "accountId": "210987654321"},
    ]
    extra = asset_extra(result(amis=amis))
    assert extra["amis"] == {"us-east-1": "ami-1"}
    assert extra["shared_amis"] == {"210987654321": {"us-east-1": "ami-2"}}


def test_an_event_has_the_golden_ami_and_not_the_raw_one_beside_it() -> None:
    amis = [
        {"region": "us-east-1", "image": "ami-raw", "accountId": "123456789012", "name": "golden 2026"},
        {"region": "us-east-1", "image": "ami-asked", "accountId": "123456789012", "name": "web 2026"},
        {"region": "eu-west-1", "accountId": "123456789012", "state": {"status": "FAILED"}},
    ]
    assert asset_extra(result(amis=amis))["amis"] == {"us-east-1": "ami-asked"}


def test_an_event_has_the_container_images_by_region() -> None:
    containers = [{"region": "us-east-1", "imageUris": ["repo:1", "repo:latest"]}]
    assert asset_extra(result(containers=containers))["containers"] == {
        "us-east-1": ["repo:1", "repo:latest"]
    }


def test_the_event_of_each_outlet_asset_gets_the_image_and_other_outlets_are_ignored() -> None:
    first, second = Asset("golden"), Asset("fleet")
    events: Any = OutletEvents()
    update_asset_events({"outlet_events": events}, [first, "a file", second], result())
    assert [events[asset].extra["image_arn"] for asset in (first, second)] == [ARN, ARN]
    assert len(events) == 2


def test_an_event_is_json() -> None:
    import json

    built = result(amis=[{"region": "us-east-1", "image": "ami-1"}])
    assert isinstance(built.amis[0], Ami)
    assert not any(isinstance(item, Container) for item in built.containers)
    assert json.loads(json.dumps(asset_extra(built))) == asset_extra(built)


def test_a_dag_reads_the_image_of_an_event_from_a_task_or_from_a_watcher() -> None:
    image = asset_extra(result())
    by_watcher = {"from_trigger": True, "payload": image}
    for extra in (image, by_watcher):
        assert image_in(SimpleNamespace(extra=extra)) == image_in(extra) == image


@pytest.mark.parametrize(
    "extra", [None, {}, {"by": "hand"}, {"from_trigger": True}, {"from_trigger": True, "payload": "no image"}]
)
def test_an_event_that_reports_no_image_has_none(extra: dict[str, Any] | None) -> None:
    assert image_in(SimpleNamespace(extra=extra)) == {}
