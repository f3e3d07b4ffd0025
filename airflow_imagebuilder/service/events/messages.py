"""
Messages: what the body of an SQS message says about an image.

EventBridge sends an image's change of state as it is, and SNS sends it as it is (raw message delivery) or as
text in a notification of its own. Source of the shapes: User Guide, "EventBridge integration in Image
Builder"; Amazon SNS Developer Guide, "HTTP/HTTPS notification JSON format".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.arns.arns import ImageBuildVersionArn, ImagePipelineArn
from airflow_imagebuilder.service.results.states import is_image_terminal
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = "aws.imagebuilder"
"""The ``source`` of Image Builder's events."""

DETAIL_TYPE = "EC2 Image Builder Image State Change"
"""The ``detail-type`` of the event that reports an image's new state."""

_NOTIFICATION = "Notification"
_SNS_TYPES = frozenset({_NOTIFICATION, "SubscriptionConfirmation", "UnsubscribeConfirmation"})


@dataclass(frozen=True)
class ImageStateChange:
    """
    An image's change of state, as EventBridge reports it.

    Delivery is best effort: an event may be lost, late, doubled or out of order. A writer of the queue may
    forge one. Only GetImage shows what is true.

    :param event_id: the event's ``id``, the same in each copy of one event.
    :param arn: the image build version ARN.
    :param status: the new ``state.status``; AWS may add others than those that it documents.
    :param previous_status: the status before, if the event has it.
    :param time: absolute time of the change, in whole seconds as AWS sends it.
    :param account: the account of the event.
    :param region: the region of the event.
    :param pipeline_arn: the pipeline that built the image. AWS's documents show none in this event.
    """

    event_id: str
    arn: str
    status: str
    previous_status: str | None
    time: float
    account: str
    region: str
    pipeline_arn: str | None = None

    @property
    def ended(self) -> bool:
        """Whether an image of this status has stopped changing."""
        return is_image_terminal(self.status)


@dataclass(frozen=True)
class ForeignMessage:
    """
    A well-formed message about something else: another source or detail-type, or SNS about a subscription.

    :param what: what it is, for a log line.
    """

    what: str


@dataclass(frozen=True)
class MalformedMessage:
    """
    A message that cannot be read.

    :param fault: what is wrong with it, for a log line.
    """

    fault: str


Message = ImageStateChange | ForeignMessage | MalformedMessage


def read_message(body: object) -> Message:
    """
    Return what a message says. This never raises.

    :param body: the ``Body`` of an SQS message.
    """
    try:
        event = _json_object(body)
        if event.get("Type") in _SNS_TYPES and "TopicArn" in event:
            if event["Type"] != _NOTIFICATION:
                return ForeignMessage(f"a {event['Type']} of the SNS topic {one_line(event['TopicArn'])}")
            event = _json_object(event.get("Message"))
        source, detail_type = _text(event, "source"), _text(event, "detail-type")
        if (source, detail_type) != (SOURCE, DETAIL_TYPE):
            return ForeignMessage(one_line(f"{detail_type!r} from {source!r}"))
        return _state_change(event)
    except _FaultError as fault:
        return MalformedMessage(one_line(fault))


def _state_change(event: Mapping[str, Any]) -> ImageStateChange:
    resources, detail = event.get("resources"), _mapping(event, "detail")
    if not isinstance(resources, list):
        raise _FaultError("resources is not a list")
    images = [one for one in resources if ImageBuildVersionArn.accepts(one)]
    if not images:
        raise _FaultError(f"resources holds no image build version ARN: {resources!r}")
    previous = detail.get("previous-state")
    status = previous.get("status") if isinstance(previous, dict) else None
    return ImageStateChange(
        event_id=_text(event, "id"),
        arn=images[0],
        status=_text(_mapping(detail, "state"), "status"),
        previous_status=status if isinstance(status, str) else None,
        time=_time(_text(event, "time")),
        account=_text(event, "account"),
        region=_text(event, "region"),
        pipeline_arn=next((one for one in resources if ImagePipelineArn.accepts(one)), None),
    )


class _FaultError(Exception):
    """What is wrong with the message."""


def _json_object(text: object) -> dict[str, Any]:
    if not isinstance(text, str):
        raise _FaultError(f"not text, but {type(text).__name__}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _FaultError(f"not JSON ({error}): {text[:200]!r}") from error
    if not isinstance(found, dict):
        raise _FaultError(f"not a JSON object: {text[:200]!r}")
    return found


def _mapping(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = event.get(name)
    if not isinstance(found, dict):
        raise _FaultError(f"{name} is not an object")
    return found


def _text(event: Mapping[str, Any], name: str) -> str:
    found = event.get(name)
    if not isinstance(found, str) or not found:
        raise _FaultError(f"{name} is not a text")
    return found


def _time(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
        return zoned.timestamp()
    except (ValueError, OverflowError) as error:
        raise _FaultError(f"time is not an ISO 8601 time: {text!r}") from error
