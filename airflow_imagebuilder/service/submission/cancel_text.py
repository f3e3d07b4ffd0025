"""What the log says after CancelImageCreation: what became of the image, its outputs, the way by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.results.states import IMAGE_FAILED, IMAGE_SUCCEEDED, ImageStatus
from airflow_imagebuilder.service.text import aws_command, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping


def cancel_result(image: Mapping[str, Any], *, accepted: bool = True) -> str:
    """
    Describe an image after CancelImageCreation, as a clause without a full stop.

    AWS answers first and cancels afterwards, so the image may still be in progress.

    :param image: GetImage's ``image``, read after the call.
    :param accepted: whether AWS accepted the call (default).
    """
    status, reason = image["state"]["status"], image["state"].get("reason")
    if status == ImageStatus.FAILED:
        why = one_line(reason) if reason else "AWS gives no reason"
        return f"The image is not CANCELLED: it FAILED by itself ({why})"
    if status in IMAGE_FAILED:
        return f"The image is {status}"
    if status in IMAGE_SUCCEEDED:
        return f"The image is not CANCELLED: it was {status} before the cancel came"
    if not accepted:
        return f"The image is not CANCELLED: AWS refused CancelImageCreation while it was {status}"
    return f"The image is being cancelled: AWS accepted CancelImageCreation while it was {status}"


def outputs_left(image: Mapping[str, Any]) -> str:
    """
    Say that the outputs of an image stay, and what to do about them.

    :param image: GetImage's ``image`` of an image that is not CANCELLED.
    """
    arn, status = image["arn"], image["state"]["status"]
    if status in IMAGE_SUCCEEDED:
        return f"Image {arn} is {status}: its outputs are kept."
    return (
        f"Image {arn} is {status}: its outputs, if any, are left behind. Once its build has ended, remove "
        "its AMIs and snapshots by hand."
    )


def cancel_by_hand(arn: str | None) -> str:
    """
    Return the advice to cancel an image with the AWS CLI, as a clause without a full stop.

    :param arn: image build version ARN; ``None`` where it is not known.
    """
    known = arn or "(its ARN: see the Image Builder console)"
    return f"cancel it by hand: {aws_command('cancel-image-creation', known)}"
