"""RetryImage: run an image that ended badly on from where it failed, once a failure."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import (
    ForbiddenError,
    ImageBuilderError,
    ImageCancelledError,
    ImageFailedError,
    NotFoundError,
    RefusedError,
)
from airflow_imagebuilder.service.result import ImageFailure
from airflow_imagebuilder.service.states import IMAGE_FAILED, IMAGE_SUCCEEDED
from airflow_imagebuilder.service.submitted import How, Images, Submitted
from airflow_imagebuilder.service.tokens import token_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

log = logging.getLogger(__name__)

REPAIR_GRACE = 60.0
"""Seconds for which the old FAILED may still be seen after RetryImage (undocumented, so assumed)."""

REPAIRABLE_STAGES = frozenset({"TESTING", "DISTRIBUTING"})
"""RetryImage goes back to the test or the distribution phase (API reference, RetryImage)."""


def repair(
    images: Images, arn: str, image: Mapping[str, Any], *, clock: Callable[[], float] = time.time
) -> Submitted | None:
    """
    Run a FAILED or CANCELLED image on with RetryImage, once a failure however many tasks ask.

    :param image: GetImage's ``image``, as it ended.
    :return: the same ARN, back in progress; ``None`` where AWS does not allow it.
    """
    stage = image["state"].get("failureContext", {}).get("imageStatus")
    if image.get("type") == "DOCKER" or (stage and stage not in REPAIRABLE_STAGES):
        log.info("Image %s cannot be repaired: RetryImage takes AMIs, from the test phase on.", arn)
        return None
    try:
        images.retry_image(arn, repair_token(arn, image, images.list_workflow_executions(arn)))
    except (RefusedError, ForbiddenError, NotFoundError) as refusal:
        if images.get_image(arn)["state"]["status"] in IMAGE_SUCCEEDED | IMAGE_FAILED:
            log.warning("Image %s is not repaired: %s", arn, refusal)
            return None
        # Refused because another task, or a person, has repaired it in the moment between.
        return Submitted(arn, How.ATTACHED, stale_until=clock() + REPAIR_GRACE)
    log.info("Repairing image %s with RetryImage: finished phases are not run again.", arn)
    return Submitted(arn, How.REPAIRED, stale_until=clock() + REPAIR_GRACE)


def ended_badly(
    arn: str,
    image: Mapping[str, Any],
    executions: Sequence[Mapping[str, Any]] = (),
    steps: Sequence[Mapping[str, Any]] = (),
) -> ImageBuilderError:
    """Return the error for an image that ended FAILED, CANCELLED or DELETED."""
    status = image["state"]["status"]
    if status == "FAILED":
        failure = ImageFailure.from_api(image, executions, steps)
        return ImageFailedError(arn=arn, failure=failure)
    return ImageCancelledError(arn=arn, reason=image["state"].get("reason"))


def repair_token(arn: str, image: Mapping[str, Any], executions: Sequence[Mapping[str, Any]]) -> str:
    """Return the client token of a failure's one repair: a function of the failure, not of who asks."""
    failed = image["state"].get("failureContext", {}).get("workflowExecutionId")
    # A CANCELLED image has no failureContext; what ran in it tells its lives apart.
    lives = [failed] if failed else sorted(str(e.get("workflowExecutionId")) for e in executions)
    return token_for(arn, *lives)
