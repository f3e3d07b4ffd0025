"""RetryImage: put an image that ended badly back in progress, at the phase that failed."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import ForbiddenError, RefusedError
from airflow_imagebuilder.service.results.states import IMAGE_FAILED, IMAGE_SUCCEEDED
from airflow_imagebuilder.service.submission.ports import ImageBuilder, Origin, Submitted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

REPAIR_GRACE = 60.0
"""Seconds for which AWS may still show the old FAILED after RetryImage (not documented, an assumption)."""

_POLLS = 4
_POLL_INTERVAL = 2.0

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
"""AWS's error codes if a policy denies RetryImage. Other errors of credentials may pass."""

REPAIRABLE_STAGES = frozenset({"TESTING", "DISTRIBUTING"})
"""RetryImage starts again in the test or the distribution phase (API reference, RetryImage)."""


def may_be_stale(
    image: Mapping[str, Any], stale_until: float | None, stale_failure: str | None, now: float
) -> bool:
    """
    Return whether AWS may still show the state of an image before its repair.

    :param image: GetImage's ``image``.
    :param stale_until: Unix time until which AWS may show the old state; ``None`` without a repair.
    :param stale_failure: see :class:`Submitted`.
    :param now: Unix time at which the image was read.
    """
    state = image["state"]
    if state["status"] not in IMAGE_FAILED or now >= (stale_until or 0.0):
        return False
    failed = state.get("failureContext", {}).get("workflowExecutionId")
    return stale_failure is None or failed in (None, "", stale_failure)


def repairable(image: Mapping[str, Any]) -> bool:
    """Return whether RetryImage may accept an image that ended badly, as far as GetImage shows it."""
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
    :param client_token: a token of its own per try of a task. An image may fail twice in the same way, and
        with the token of the first repair AWS would not make the second one.
    :param announce: called with the ARN before the call.
    :return: the same image, back in progress; ``None`` if AWS does not allow the repair.
    :raises OutdatedBoto3Error: the installed boto3 lacks RetryImage.
    :raises AwsError: AWS could not be reached, does not find the image, or refuses our credentials.
    """
    arn = str(image["arn"])
    if not repairable(image):
        log.info("Image %s cannot be repaired: RetryImage takes AMIs only, from the test phase on.", arn)
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
        # Refused because another task, or a person, has just repaired it.
        return Submitted(arn, Origin.ATTACHED, clock() + REPAIR_GRACE, began, failure)
    log.info("Repairing image %s with RetryImage: phases that have finished do not run again.", arn)
    return Submitted(arn, Origin.REPAIRED, clock() + REPAIR_GRACE, began, failure)


def _is_in_progress(images: ImageBuilder, arn: str, sleep: Callable[[float], None]) -> bool:
    """Poll a few times: soon after a RetryImage, AWS may still show the old FAILED."""
    for _ in range(_POLLS):
        if images.get_image(arn)["state"]["status"] not in IMAGE_SUCCEEDED | IMAGE_FAILED:
            return True
        sleep(_POLL_INTERVAL)
    return False
