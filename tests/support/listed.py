"""Images as AWS's lists show them, on one day."""

from __future__ import annotations

from typing import Any

from tests.support.arns import PREFIX

PIPELINE = f"{PREFIX}:image-pipeline/golden"


def at(hour: float) -> str:
    """Return a time of that day, as AWS writes it."""
    return f"2026-01-01T{int(hour):02}:{int(hour % 1 * 60):02}:00.000Z"


def listed(
    number: int, status: str = "AVAILABLE", *, hour: float = 7, name: str = "golden", version: str = "1.0.0"
) -> dict[str, Any]:
    """
    Return AWS's ``ImageSummary`` of one image.

    :param number: the build.
    :param hour: when it was created.
    """
    return {
        "arn": f"{PREFIX}:image/{name}/{version}/{number}",
        "name": name,
        "version": f"{version}/{number}",
        "state": {"status": status},
        "dateCreated": at(hour),
    }
