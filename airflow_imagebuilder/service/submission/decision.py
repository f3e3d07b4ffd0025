"""What a try does about the image that an earlier try left: one table, which makes no call."""

from __future__ import annotations

from enum import Enum

from airflow_imagebuilder.service.results.states import IMAGE_FAILED, IMAGE_SUCCEEDED


class OnRetry(str, Enum):
    """What a new try does about an image that an earlier try left FAILED or CANCELLED."""

    REPAIR = "repair"
    """RetryImage where AWS allows it (an AMI, in the test or distribution phase), otherwise a new image."""
    REBUILD = "rebuild"
    """Always a new image."""
    FAIL = "fail"
    """Fail again and change nothing on AWS, until a person clears the task."""


class Action(Enum):
    """What a try does about the image of an earlier try."""

    ATTACH = "wait for it"
    SETTLE = "wait until it is cancelled, then decide again"
    REPAIR = "RetryImage, or a new image where AWS does not allow that"
    BUILD = "a new image"
    FAIL = "report how it ended"


def decide(status: str, *, cleared: bool, changed: bool, on_retry: OnRetry) -> Action:
    """
    Return what a try does about the image that an earlier try left.

    :param status: the image's status.
    :param cleared: whether a person has cleared the task since that try; if not, Airflow retries it.
    :param changed: whether the request has changed since that try.
    :param on_retry: what the Dag wants for an image that ended FAILED or CANCELLED.
    """
    if status not in IMAGE_SUCCEEDED | IMAGE_FAILED:
        return Action.SETTLE if cleared else Action.ATTACH
    if status in IMAGE_SUCCEEDED:
        # A retry: the worker died before it could return the image.
        return Action.BUILD if cleared or changed else Action.ATTACH
    if on_retry is OnRetry.FAIL:
        return Action.BUILD if cleared else Action.FAIL
    return Action.BUILD if changed or on_retry is OnRetry.REBUILD else Action.REPAIR
