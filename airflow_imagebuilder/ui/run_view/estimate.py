"""How long an image still takes, from the last images of the same recipe."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from airflow_imagebuilder.ui.api.models import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 10
"""Earlier images that an estimate is made from."""


def estimate_of(durations: Sequence[float], elapsed: float, *, ended: bool) -> Estimate | None:
    """
    Return an estimate.

    :param durations: durations of earlier images in seconds, the newest first; the first ten count.
    :param elapsed: seconds since the image began; its duration, if it has ended.
    :param ended: whether the image has stopped changing.
    :return: the estimate; ``None`` without an earlier image.
    """
    known = list(durations[:MOST])
    if not known:
        return None
    left = sorted(one - elapsed for one in known if one > elapsed)
    counts = bool(left) and not ended
    return Estimate(
        based_on=len(known),
        median=median(known),
        fastest=min(known),
        slowest=max(known),
        elapsed=elapsed,
        remaining=median(left) if counts else None,
        remaining_low=left[0] if counts else None,
        remaining_high=left[-1] if counts else None,
        slower_than_all=not left and elapsed > max(known),
    )
