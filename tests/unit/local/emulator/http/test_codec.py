from __future__ import annotations

import json
import re
import warnings
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest

from airflow_imagebuilder.local.emulator.engine import ApiError
from airflow_imagebuilder.local.emulator.http.codec import Codec
from tests.support.aws_clients import older
from tests.support.bench import CODEC, HEAD, image_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = boto3.client("imagebuilder", region_name="us-east-1").meta.service_model


def test_every_operation_has_its_own_route_back() -> None:
    for name in MODEL.operation_names:
        http = MODEL.operation_model(name).http
        path = http["requestUri"].replace("{resourceArn}", f"{HEAD}image-pipeline/x")
        assert CODEC.route(http["method"], path) == name


def test_what_an_older_model_lacks_is_absent_and_the_rest_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = older(botocore.session.Session(), tmp_path)
    monkeypatch.setattr(botocore.session, "get_session", lambda: session)
    codec = Codec()
    assert "RetryImage" not in codec.operations
    assert codec.route("PUT", "/RetryImage") is None
    assert codec.route("PUT", "/CreateImage") == "CreateImage"
    request = {**image_request(), "clientToken": "t"}
    codec.validate("CreateImage", request)
    later = json.dumps({**request, "loggingConfiguration": {"logGroupName": "/x"}}).encode()
    assert codec.parse("CreateImage", "/CreateImage", b"", later) == request
    with pytest.raises(ApiError, match="imageVersionArn"):
        codec.validate("ListImageBuildVersions", {})


def test_another_method_or_path_is_not_an_operation() -> None:
    assert CODEC.route("POST", "/CreateImage") is None
    assert CODEC.route("GET", "/nothing") is None


def test_a_query_and_an_arn_in_the_path_are_read() -> None:
    arn = f"{HEAD}image/x/1.0.0/1"
    assert CODEC.parse("GetImage", "/GetImage", f"imageBuildVersionArn={arn}".encode(), b"") == {
        "imageBuildVersionArn": arn
    }
    assert CODEC.parse("UntagResource", f"/tags/{arn}", b"tagKeys=a&tagKeys=b", b"") == {
        "resourceArn": arn,
        "tagKeys": ["a", "b"],
    }


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"], ids=["cut off", "a list", "no text"])
def test_a_body_that_is_not_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        CODEC.parse("CreateImage", "/CreateImage", b"", body)
    assert caught.value.code == "SerializationException"


def test_members_that_are_unknown_or_null_do_not_count() -> None:
    body = {
        "name": "x",
        "description": None,
        "later": {"deep": 1},
        "components": [{"componentArn": "c", "parameters": None, "later": 1}],
        "tags": {"a": "b", "c": None},
    }
    assert CODEC.parse("CreateImageRecipe", "/CreateImageRecipe", b"", json.dumps(body).encode()) == {
        "name": "x",
        "components": [{"componentArn": "c"}],
        "tags": {"a": "b"},
    }
    assert CODEC.parse("GetImage", "/GetImage", b"later=1", b"") == {}


@pytest.mark.parametrize(
    "body", [b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b'{"name": NaN}'], ids=["too deep", "not a number"]
)
def test_json_that_no_client_needs_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        CODEC.parse("CreateImage", "/CreateImage", b"", body)
    assert caught.value.code == "SerializationException"


def test_what_a_newer_sdk_sends_is_taken() -> None:
    CODEC.validate("ListImages", {"maxResults": 100, "filters": [{"name": "name", "values": ["*web*"]}]})
    scan = {
        "imageScanningTypes": ["ON_DEMAND_AMI_CVE"],
        "scanResultCondition": {"maximumSeverityLabel": "LOW", "fixAvailable": False},
    }
    request = {**image_request(), "clientToken": "t", "imageScanningConfiguration": scan}
    assert CODEC.parse("CreateImage", "/CreateImage", b"", json.dumps(request).encode()) == request
    CODEC.validate("CreateImage", request)


def test_the_bounds_of_a_newer_model_are_kept() -> None:
    scan = {"imageScanningTypes": ["ON_DEMAND_AMI_CVE", "TEST_INSTANCE_CVE"]}
    with pytest.raises(ApiError, match="at most 1 members"):
        CODEC.validate(
            "CreateImage", {**image_request(), "clientToken": "t", "imageScanningConfiguration": scan}
        )


def test_a_missing_required_member_is_named() -> None:
    with pytest.raises(ApiError, match="infrastructureConfigurationArn"):
        CODEC.validate("CreateImage", {"clientToken": "x"})


def test_a_wrong_type_is_named() -> None:
    with pytest.raises(ApiError, match="maxResults"):
        CODEC.validate("ListImages", {"maxResults": "many"})


@pytest.mark.parametrize("given", [0, 101])
def test_a_number_outside_of_its_range_is_named(given: int) -> None:
    with pytest.raises(ApiError, match="maxResults"):
        CODEC.validate("ListImages", {"maxResults": given})


def test_the_wording_for_a_pattern_is_the_one_that_aws_uses() -> None:
    with pytest.raises(ApiError) as caught:
        CODEC.validate("GetComponent", {"componentBuildVersionArn": "nonsense"})
    start = (
        "The value supplied for parameter 'componentBuildVersionArn' is not valid. "
        "'nonsense' must match pattern ^arn"
    )
    assert caught.value.code == "InvalidParameterValueException"
    assert caught.value.message.startswith(start)


def _strings(shape: Any, seen: set[str]) -> Iterator[Any]:
    if shape.name in seen:
        return
    seen.add(shape.name)
    if shape.type_name == "string":
        yield shape
    for member in [
        *(shape.members.values() if shape.type_name == "structure" else ()),
        *([shape.member] if shape.type_name == "list" else ()),
        *([shape.key, shape.value] if shape.type_name == "map" else ()),
    ]:
        yield from _strings(member, seen)


def test_python_compiles_every_pattern_of_the_model() -> None:
    seen: set[str] = set()
    patterns = {
        shape.metadata["pattern"]
        for name in MODEL.operation_names
        for shape in _strings(MODEL.operation_model(name).input_shape, seen)
        if "pattern" in shape.metadata
    }
    assert len(patterns) > 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for pattern in patterns:
            re.compile(pattern)


@pytest.mark.parametrize("code", [shape.name for shape in MODEL.error_shapes])
def test_an_error_has_its_code_twice_and_the_status_of_the_model(code: str) -> None:
    status, body, headers = CODEC.error(ApiError(code, "why"))
    assert status == MODEL.shape_for(code).metadata["error"]["httpStatusCode"]
    assert json.loads(body) == {"__type": code, "message": "why"}
    assert (b"x-amzn-errortype", code.encode()) in headers


def test_an_unmodelled_error_has_a_status_too() -> None:
    assert CODEC.error(ApiError("ExpiredTokenException", "x"))[0] == 403
    assert CODEC.error(ApiError("ThrottlingException", "x"))[0] == 429


def test_answers_have_a_request_id_if_the_model_has_one() -> None:
    assert "requestId" in json.loads(CODEC.answer("CreateImage", {}))
    assert "requestId" not in json.loads(CODEC.answer("RetryImage", {}))
