"""The records: how often an operation was called, and with which outcome."""

from __future__ import annotations

from airflow_imagebuilder.local.emulator.engine import ApiError, Clock, Engine
from airflow_imagebuilder.local.emulator.records import MAX_CHANGES, Records

ACCOUNT = "123456789012"
ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/golden/1.0.0/1"


def test_calls_are_counted_by_operation_and_outcome() -> None:
    records = Records()
    for outcome in ("200", "429", "200", "reset"):
        records.count("GetImage", outcome)
    records.count("ListImages", "200")
    snapshot = records.snapshot(Engine(seed=1))
    assert snapshot["calls"] == {
        "GetImage": {"total": 4, "200": 2, "429": 1, "reset": 1},
        "ListImages": {"total": 1, "200": 1},
    }
    assert snapshot["statuses"] == {"200": 3, "429": 1, "reset": 1}


def test_a_refused_call_keeps_the_image_that_its_token_made() -> None:
    records, clock = Records(), Clock(start=0.0)
    request = {"clientToken": "one"}
    records.change(
        "CreateImage",
        request,
        {"imageBuildVersionArn": ARN},
        None,
        clock,
        region="us-east-1",
        account=ACCOUNT,
    )
    refusal = ApiError("IdempotentParameterMismatchException", "x")
    records.change("CreateImage", request, {}, refusal, clock, region="us-east-1", account=ACCOUNT)
    snapshot = records.snapshot(Engine(seed=1))
    assert snapshot["tokens"] == [{"operation": "CreateImage", "token": "one", "count": 2, "arn": ARN}]
    assert [change["error"] for change in snapshot["changes"]] == [
        None,
        "IdempotentParameterMismatchException",
    ]


def test_changes_name_the_image_the_virtual_time_and_what_was_sent() -> None:
    records = Records()
    sent = {"imageBuildVersionArn": ARN}
    records.change(
        "CancelImageCreation", sent, {}, None, Clock(start=60.0), region="eu-west-1", account=ACCOUNT
    )
    (change,) = records.snapshot(Engine(seed=1))["changes"]
    assert (change["arn"], change["virtual"]) == (ARN, "1970-01-01T00:01:00.000Z")
    assert (change["params"], change["region"], change["account"]) == (sent, "eu-west-1", ACCOUNT)


def test_only_the_latest_changes_are_kept() -> None:
    records, clock = Records(), Clock(start=0.0)
    for number in range(MAX_CHANGES + 5):
        sent = {"imageBuildVersionArn": str(number)}
        records.change("CreateImage", sent, {}, None, clock, region="us-east-1", account=ACCOUNT)
    changes = records.snapshot(Engine(seed=1))["changes"]
    assert (len(changes), changes[0]["arn"]) == (MAX_CHANGES, "5")
