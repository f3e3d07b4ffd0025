"""What the body of an SQS message says about an image."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_imagebuilder.service.events.messages import (
    ForeignMessage,
    ImageStateChange,
    MalformedMessage,
    read_message,
)

ARN = "arn:aws:imagebuilder:us-west-2:111122223333:image/my-image/1.0.0/1"
# Python does not read numbers of so many digits.
HUGE_VERSION, HUGE_BUILD = ARN.replace("1.0.0", "9" * 5000 + ".0.0"), ARN + "9" * 5000
PIPELINE = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/my-pipeline"
# The sample of the User Guide's page on EventBridge.
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "c4b8ba7e-2c1c-4f65-b4c7-1c2c5e1c7b0a",
    "detail-type": "EC2 Image Builder Image State Change",
    "source": "aws.imagebuilder",
    "account": "111122223333",
    "time": "2024-01-18T17:50:56Z",
    "region": "us-west-2",
    "resources": [ARN],
    "detail": {"previous-state": {"status": "TESTING"}, "state": {"status": "AVAILABLE"}},
}
CHANGE = ImageStateChange(
    event_id=EVENT["id"],
    arn=ARN,
    status="AVAILABLE",
    previous_status="TESTING",
    time=1705600256.0,
    account="111122223333",
    region="us-west-2",
)


def notification(message: object, **changes: Any) -> str:
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": "arn:aws:sns:us-west-2:111122223333:images",
            "Message": message,
            "Timestamp": "2024-01-18T17:50:57.000Z",
            **changes,
        }
    )


def test_an_event_of_eventbridge_is_a_state_change() -> None:
    change = read_message(json.dumps(EVENT))
    assert change == CHANGE
    assert isinstance(change, ImageStateChange)
    assert change.ended


def test_sns_may_wrap_the_event() -> None:
    assert read_message(notification(json.dumps(EVENT))) == CHANGE


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("TESTING", False),
        ("FAILED", True),
        ("CANCELLED", True),
        ("DEPRECATED", True),
        ("SOMETHING_NEW", False),
    ],
)
def test_the_status_decides_whether_the_image_has_ended(status: str, ended: bool) -> None:
    change = read_message(json.dumps({**EVENT, "detail": {"state": {"status": status}}}))
    assert isinstance(change, ImageStateChange)
    assert (change.status, change.ended, change.previous_status) == (status, ended, None)


def test_a_pipeline_among_the_resources_is_read() -> None:
    change = read_message(json.dumps({**EVENT, "resources": [PIPELINE, ARN]}))
    assert isinstance(change, ImageStateChange)
    assert (change.arn, change.pipeline_arn) == (ARN, PIPELINE)


@pytest.mark.parametrize(
    "body",
    [
        {**EVENT, "source": "aws.ec2"},
        {**EVENT, "detail-type": "EC2 Image Builder CVE Detected"},
        {"source": "mine", "detail-type": "Anything"},
    ],
)
def test_another_source_or_detail_type_is_foreign(body: dict[str, Any]) -> None:
    assert isinstance(read_message(json.dumps(body)), ForeignMessage)
    assert isinstance(read_message(notification(json.dumps(body))), ForeignMessage)


def test_a_confirmation_of_sns_is_foreign() -> None:
    message = read_message(notification("You have chosen to subscribe", Type="SubscriptionConfirmation"))
    assert isinstance(message, ForeignMessage)
    assert "SubscriptionConfirmation" in message.what
    assert "arn:aws:sns:us-west-2:111122223333:images" in message.what


@pytest.mark.parametrize(
    "change",
    [
        {"id": None}, {"id": 5}, {"time": "yesterday"}, {"time": None}, {"account": 111122223333},
        {"region": ""}, {"resources": [ARN + "\n"]},
        {"resources": None}, {"resources": []}, {"resources": ARN}, {"resources": [None, {}, PIPELINE]},
        {"resources": [ARN + "/2"]}, {"resources": [HUGE_VERSION]}, {"resources": [HUGE_BUILD]},
        {"detail": None}, {"detail": {}}, {"detail": {"state": "AVAILABLE"}},
        {"detail": {"state": {}}}, {"detail": {"state": {"status": None}}}, {"source": None},
        {"detail-type": 1},
    ],
)  # fmt: skip
def test_a_state_change_that_lacks_something_is_malformed(change: dict[str, Any]) -> None:
    body = json.dumps({**EVENT, **change})
    assert isinstance(read_message(body), MalformedMessage)
    assert isinstance(read_message(notification(body)), MalformedMessage)


@pytest.mark.parametrize(
    "body",
    [
        "", "not json", "[]", "1", "null", '"text"', "{", '{"Records": []}', "[" * 100_000, "9" * 5000,
        None, 7, b"{}",
    ],
    ids=lambda body: repr(body)[:12],
)  # fmt: skip
def test_anything_else_is_malformed(body: object) -> None:
    message = read_message(body)
    assert isinstance(message, MalformedMessage)
    assert message.fault
    assert len(message.fault) < 1000


@pytest.mark.parametrize("message", [None, 7, {}, "not json", "[]"])
def test_a_notification_without_an_event_is_malformed(message: object) -> None:
    assert isinstance(read_message(notification(message)), MalformedMessage)
