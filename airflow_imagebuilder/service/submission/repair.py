"""RetryImage: put an image that ended badly back in progress, from the phase that failed."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    RefusedError,
)
from airflow_imagebuilder.service.states import IMAGE_FAILED, IMAGE_SUCCEEDED
from airflow_imagebuilder.service.submission.ports import ImageBuilder, Origin, Submitted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

REPAIR_GRACE = 60.0
"""Seconds for which the old FAILED may still be seen after RetryImage (undocumented, so assumed)."""

_LOOKS = 4
_LOOK_INTERVAL = 2.0

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
"""What AWS answers where a policy denies RetryImage. Other trouble with credentials says nothing of that."""

REPAIRABLE_STAGES = frozenset({"TESTING", "DISTRIBUTING"})
"""RetryImage goes back to the test or the distribution phase (API reference, RetryImage)."""


def may_be_stale(
    image: Mapping[str, Any], stale_until: float | None, stale_failure: str | None, now: float
) -> bool:
    """
    Return whether this may be how an image stood before its repair.

    :param stale_until: Unix time until which the old state may still be shown; ``None`` without a repair.
    :param stale_failure: see :class:`Submitted`.
    :param now: Unix time at which the image was seen.
    """
    state = image["state"]
    if state["status"] not in IMAGE_FAILED or now >= (stale_until or 0.0):
        return False
    failed = state.get("failureContext", {}).get("workflowExecutionId")
    return stale_failure is None or failed in (None, "", stale_failure)


def repairable(image: Mapping[str, Any]) -> bool:
    """Return whether RetryImage may take an image that ended badly, as far as the image itself shows."""
    stage = image["state"].get("failureContext", {}).get("imageStatus")
    return image.get("type") != "DOCKER" and (not stage or stage in REPAIRABLE_STAGES)


def repair(
    images: ImageBuilder,
    image: Mapping[str, Any],
    client_token: str,
    *,
    announce: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Submitted | None:
    """
    Put a FAILED or CANCELLED image back in progress with RetryImage.

    :param image: GetImage's ``image``, as it ended.
    :param client_token: one for each try of a task: an image may fail twice in the same way, and a token that
        was used for the first failure would make AWS do nothing about the second.
    :param announce: called with the ARN before the call.
    :return: the same ARN, back in progress; ``None`` where AWS does not allow it.
    :raises AwsError: AWS could not be reached, does not know the image, or takes no credentials of ours.
    """
    arn = str(image["arn"])
    if not repairable(image):
        log.info("Image %s cannot be repaired: RetryImage takes AMIs, from the test phase on.", arn)
        return None
    announce(arn)
    began = clock()
    failure = image["state"].get("failureContext", {}).get("workflowExecutionId", "")
    try:
        images.retry_image(arn, client_token)
    except (RefusedError, ForbiddenError) as refusal:
        if isinstance(refusal, ForbiddenError) and refusal.code not in _DENIED:
            raise
        if not _is_in_progress(images, arn, sleep):
            log.warning("Image %s is not repaired: %s", arn, refusal)
            return None
        # Refused because another task, or a person, has repaired it in the moment between.
        return Submitted(arn, Origin.ATTACHED, clock() + REPAIR_GRACE, began, failure)
    log.info("Repairing image %s with RetryImage: finished phases are not run again.", arn)
    return Submitted(arn, Origin.REPAIRED, clock() + REPAIR_GRACE, began, failure)


def _is_in_progress(images: ImageBuilder, arn: str, sleep: Callable[[float], None]) -> bool:
    """Ask a few times: right after another's RetryImage the FAILED before it may still be shown."""
    for _ in range(_LOOKS):
        if images.get_image(arn)["state"]["status"] not in IMAGE_SUCCEEDED | IMAGE_FAILED:
            return True
        sleep(_LOOK_INTERVAL)
    return False
