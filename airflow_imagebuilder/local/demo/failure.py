"""What is printed of a bake that ended with a failed image: why, where to see it, and how it is repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_imagebuilder.service.results.failure_text import headline
from airflow_imagebuilder.service.results.states import IMAGE_SUCCEEDED, WORKFLOW_FAILED
from airflow_imagebuilder.service.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_imagebuilder.local.demo.progress import Progress

#: The stages from which RetryImage continues an AMI; an earlier failure needs another image.
_REPAIRABLE = frozenset({"TESTING", "DISTRIBUTING", "INTEGRATING"})
_SHOWN = 200


def first_line(progress: Progress) -> str | None:
    """Return in one line what failed and why; None if nothing of the image failed."""
    image = progress.image
    if image.failure:
        return headline(image.failure)
    for workflow in progress.workflows:
        if workflow.status in WORKFLOW_FAILED:
            why = one_line(workflow.message or workflow.status, _SHOWN)
            return f"{workflow.type.capitalize()} {workflow.name} failed: {why}"
    return None


def remedy(progress: Progress, failed_tasks: Iterable[str]) -> str:
    """Return what to do next.

    :param failed_tasks: ids of the tasks that failed.
    """
    groups = {task.rsplit(".", 1)[0] for task in failed_tasks if "." in task}
    what = f"the task group {min(groups)}" if groups else "the failed task"
    image = progress.image
    if image.status in IMAGE_SUCCEEDED:
        then = "AWS calls this image AVAILABLE all the same, so the new try builds another."
    elif image.failure and image.failure.stage in _REPAIRABLE and image.type != "DOCKER":
        then = f"The new try repairs this image from {image.failure.stage} on; its build is not repeated."
    else:
        then = "The new try builds another image."
    return f"clear {what} in Airflow, with its downstream tasks. {then}"
