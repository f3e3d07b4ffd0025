"""A boto3 that is older than what a request needs: a fault of this package, before anything is sent."""

from __future__ import annotations

import asyncio
import pickle
import re
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from aiobotocore.session import get_session

from airflow_imagebuilder import aws_model
from airflow_imagebuilder.service.client.aio_client import call_once
from airflow_imagebuilder.service.client.outdated import check_members, method_of
from airflow_imagebuilder.service.client.retries import call
from airflow_imagebuilder.service.errors import AwsError, InvalidRequestError, OutdatedBoto3Error
from airflow_imagebuilder.service.request import ImageRequest
from tests.support.aws_clients import KEYS, older, older_client
from tests.support.aws_model import has_member, model
from tests.support.requests import EVERYTHING, TEST, least, with_workflows

if TYPE_CHECKING:
    from pathlib import Path

SCAN = {"imageScanningEnabled": True, "imageScanningTypes": ["TEST_INSTANCE_CVE"]}


@pytest.fixture(autouse=True)
def newest_model() -> None:
    """Leave the installed model as it is: these tests are about it."""


def members(**fields: Any) -> dict[str, Any]:
    return ImageRequest(**fields).to_api()


def test_a_member_that_the_model_lacks_is_a_fault_with_the_versions(tmp_path: Path) -> None:
    request = members(**least(logging_configuration={"logGroupName": "/aws/imagebuilder/x"}))
    with pytest.raises(OutdatedBoto3Error) as raised:
        check_members(older_client(tmp_path), "CreateImage", request)
    (fault,) = raised.value.faults
    assert (fault.field, fault.value) == ("logging_configuration", {"logGroupName": "/aws/imagebuilder/x"})
    assert f"not with boto3 {aws_model.installed()}: boto3 1.40.41 or newer" in fault.allowed
    assert "install a newer boto3" in fault.remedy
    assert "leave this member out" in fault.remedy
    assert isinstance(raised.value, ValueError)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_every_member_that_the_model_lacks_is_named_at_any_depth(tmp_path: Path) -> None:
    client = older_client(tmp_path, ("WorkflowConfiguration", "parallelGroup"))
    request = members(
        **with_workflows(
            {"workflowArn": TEST},
            {"workflowArn": TEST, "parallelGroup": "a"},
            image_scanning_configuration=SCAN,
            logging_configuration={"logGroupName": "/aws/imagebuilder/x"},
        )
    )
    with pytest.raises(OutdatedBoto3Error) as raised:
        check_members(client, "CreateImage", request)
    faults = {fault.field: fault.allowed for fault in raised.value.faults}
    assert set(faults) == {
        "logging_configuration",
        "image_scanning_configuration.imageScanningTypes",
        "workflows[1].parallelGroup",
    }
    assert "boto3 1.43.122 or newer" in faults["image_scanning_configuration.imageScanningTypes"]
    assert "a newer boto3" in faults["workflows[1].parallelGroup"]


def test_what_the_model_has_passes(tmp_path: Path) -> None:
    everything = members(**{name: value for name, value in EVERYTHING.items() if name[:7] != "logging"})
    check_members(older_client(tmp_path), "CreateImage", {**everything, "clientToken": "t"})


def test_values_of_a_mapping_are_not_members(tmp_path: Path) -> None:
    check_members(older_client(tmp_path), "CreateImage", members(**least(tags={"loggingConfiguration": "x"})))


def test_an_operation_that_the_model_lacks_is_neither_an_error_of_aws_nor_retried(tmp_path: Path) -> None:
    with pytest.raises(OutdatedBoto3Error) as raised:
        call(older_client(tmp_path), "retry_image", imageBuildVersionArn="a", clientToken="t")
    assert not isinstance(raised.value, (AwsError, AttributeError))
    assert raised.value.__cause__ is None
    assert raised.value.why == (
        "RetryImage needs boto3 1.41.1 or newer: install a newer boto3, with an aiobotocore that fits it "
        "(docs/airflow-versions.md, boto3)"
    )
    assert str(raised.value).startswith("Nothing was sent to AWS")
    assert f"boto3 {aws_model.installed()}" in str(raised.value)


def test_an_operation_that_the_client_has_is_found(tmp_path: Path) -> None:
    client = older_client(tmp_path)
    assert method_of(client, "get_image") == client.get_image


def test_an_asynchronous_client_refuses_what_its_model_does_not_allow(tmp_path: Path) -> None:
    async def main() -> None:
        session = older(get_session(), tmp_path)
        async with session.create_client("imagebuilder", **KEYS) as client:
            with pytest.raises(OutdatedBoto3Error, match="RetryImage"):
                await call_once(client, "retry_image")
            await call_once(client, "list_image_build_versions", maxResults=25)

    with pytest.raises(InvalidRequestError) as raised:
        asyncio.run(main())
    text = str(raised.value)
    assert "imageVersionArn" in text
    assert f"installed botocore ({aws_model.installed()})" in text
    assert "install a newer boto3" in text


def test_what_the_installed_botocore_has_is_read_from_its_model() -> None:
    assert aws_model.has_retry_image() == ("RetryImage" in model().operation_names)
    assert aws_model.has_failure_context() == has_member("ImageState", "failureContext")


def test_what_an_older_botocore_lacks_is_read_from_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = older(botocore.session.Session(), tmp_path)
    monkeypatch.setattr(botocore.session, "get_session", lambda: session)
    assert not aws_model.has_retry_image.__wrapped__()
    assert not aws_model.has_failure_context.__wrapped__()


def test_the_versions_of_the_docstring_are_those_of_the_messages() -> None:
    named = set(re.findall(r"^(1\.\d+\.\d+) ", str(aws_model.__doc__), re.MULTILINE))
    assert set(aws_model._SINCE.values()) <= named
